// Workers that come when there is work and go when there is none: for tasks that may take long.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace narthex {

// A task never waits behind another one while fewer than `most` run; `keep` workers stay when idle.
// Thread-safe.
class ElasticPool {
 public:
  ElasticPool(int keep, int most) : keep_(keep), most_(most) {}
  ~ElasticPool() { Stop(); }
  ElasticPool(const ElasticPool&) = delete;
  // False once Stop was called.
  bool Submit(std::function<void()> task);
  // Waits for all tasks, queued ones too.
  void Stop();

 private:
  using Threads = std::list<std::thread>;
  void Run(Threads::iterator self);
  void JoinGone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int keep_, most_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  Threads threads_ ABSL_GUARDED_BY(mutex_), gone_ ABSL_GUARDED_BY(mutex_);
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace narthex
