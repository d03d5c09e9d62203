#include "promql/query_threads.h"

#include <utility>

namespace narthex::promql {

QueryThreads::QueryThreads(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

QueryThreads::~QueryThreads() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool QueryThreads::TakeNext(std::function<void()>* task, uint64_t* lane) {
  auto it = lanes_.upper_bound(last_served_);
  for (size_t tried = 0; tried < lanes_.size(); ++tried, ++it) {
    if (it == lanes_.end()) it = lanes_.begin();
    if (it->second.waiting.empty()) continue;
    *task = std::move(it->second.waiting.front());
    it->second.waiting.pop_front();
    ++it->second.running;
    *lane = last_served_ = it->first;
    return true;
  }
  return false;
}

void QueryThreads::RunTask(uint64_t lane, const std::function<void()>& task) {
  task();
  MutexLock lock(&mutex_);
  --lanes_.at(lane).running;
  finished_.SignalAll();
}

void QueryThreads::Work() {
  while (true) {
    std::function<void()> task;
    uint64_t lane = 0;
    {
      MutexLock lock(&mutex_);
      while (!TakeNext(&task, &lane)) {
        if (stopping_) return;
        wake_.Wait(&mutex_);
      }
    }
    RunTask(lane, task);
  }
}

uint64_t QueryThreads::AddLane() {
  MutexLock lock(&mutex_);
  lanes_[next_id_];
  return next_id_++;
}

QueryThreads::Lane::Lane(QueryThreads* owner) : owner_(owner), id_(owner->AddLane()) {}

QueryThreads::Lane::~Lane() {
  MutexLock lock(&owner_->mutex_);
  const auto it = owner_->lanes_.find(id_);
  it->second.waiting.clear();
  while (it->second.running > 0) owner_->finished_.Wait(&owner_->mutex_);
  owner_->lanes_.erase(it);
}

void QueryThreads::Lane::Submit(std::function<void()> task) {
  MutexLock lock(&owner_->mutex_);
  owner_->lanes_.at(id_).waiting.push_back(std::move(task));
  owner_->wake_.Signal();
}

bool QueryThreads::Lane::RunOne() {
  std::function<void()> task;
  {
    MutexLock lock(&owner_->mutex_);
    Queue& queue = owner_->lanes_.at(id_);
    if (queue.waiting.empty()) return false;
    task = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    ++queue.running;
  }
  owner_->RunTask(id_, task);
  return true;
}

void QueryThreads::Lane::Await(const std::function<bool()>& condition) {
  MutexLock lock(&owner_->mutex_);
  while (!condition()) owner_->finished_.Wait(&owner_->mutex_);
}

}  // namespace narthex::promql
