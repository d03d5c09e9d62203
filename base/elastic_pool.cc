#include "base/elastic_pool.h"

#include "absl/time/time.h"

namespace narthex {
namespace {

constexpr absl::Duration kIdle = absl::Seconds(10);

}  // namespace

bool ElasticPool::Submit(std::function<void()> task) {
  MutexLock lock(&mutex_);
  if (stopping_) return false;
  queue_.push_back(std::move(task));
  JoinGone();
  if (static_cast<size_t>(idle_) >= queue_.size() || static_cast<int>(threads_.size()) >= most_) {
    changed_.Signal();
    return true;
  }
  Threads::iterator self = threads_.emplace(threads_.end());
  *self = std::thread([this, self] { Run(self); });
  return true;
}

void ElasticPool::Run(Threads::iterator self) {
  MutexLock lock(&mutex_);
  while (true) {
    bool waited = false;
    while (queue_.empty()) {
      bool spare = static_cast<int>(threads_.size()) > keep_;
      if (stopping_ || (waited && spare)) {
        if (!stopping_) gone_.splice(gone_.end(), threads_, self);  // whoever submits next joins it
        return;
      }
      ++idle_;
      waited = changed_.WaitWithTimeout(&mutex_, kIdle);
      --idle_;
    }
    std::function<void()> task = std::move(queue_.front());
    queue_.pop_front();
    mutex_.Unlock();
    task();
    task = nullptr;
    mutex_.Lock();
  }
}

void ElasticPool::JoinGone() {
  for (std::thread& thread : gone_) thread.join();  // it has left its last lock: no wait
  gone_.clear();
}

void ElasticPool::Stop() {
  Threads all;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
    all.splice(all.end(), threads_);
    all.splice(all.end(), gone_);
  }
  for (std::thread& thread : all) thread.join();
}

}  // namespace narthex
