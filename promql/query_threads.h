// The threads that help running queries with their heavy parts.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace narthex::promql {

// Owned by the engine. Thread-safe. Tasks of one query run in the order in which they were handed in; between
// queries the threads take turns, task by task, so that nobody waits for a whole query of somebody else's.
class QueryThreads {
 public:
  explicit QueryThreads(int threads);
  ~QueryThreads();
  QueryThreads(const QueryThreads&) = delete;
  int count() const { return static_cast<int>(threads_.size()); }

  // The tasks of one query (or part of one). Its destructor forgets the tasks that have not begun and waits
  // for those that have. Used by one thread.
  class Lane {
   public:
    explicit Lane(QueryThreads* owner);
    ~Lane();
    Lane(const Lane&) = delete;
    void Submit(std::function<void()> task);
    // Runs the oldest task that has not begun on this thread; false if there is none.
    bool RunOne();
    // Waits until the condition holds; tasks of this lane make it so. It is looked at under a lock, after
    // every task.
    void Await(const std::function<bool()>& condition);

   private:
    QueryThreads* const owner_;
    const uint64_t id_;
  };

 private:
  struct Queue {
    std::deque<std::function<void()>> waiting;
    int running = 0;
  };
  uint64_t AddLane();
  void Work();
  // Takes the next task of the lane whose turn it is.
  bool TakeNext(std::function<void()>* task, uint64_t* lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunTask(uint64_t lane, const std::function<void()>& task) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar wake_;      // something to do, or the end
  CondVar finished_;  // a task is done
  std::map<uint64_t, Queue> lanes_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  uint64_t last_served_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace narthex::promql
