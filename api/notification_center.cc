#include <algorithm>

#include "absl/time/time.h"
#include "api/api.h"

namespace narthex::api {

NotificationCenter::NotificationCenter(const Clock* clock, int max_subscribers)
    : clock_(clock), max_subscribers_(max_subscribers) {}

void NotificationCenter::Set(const std::string& text, bool active) {
  MutexLock lock(&mutex_);
  auto it = std::find_if(active_.begin(), active_.end(),
                         [&](const Notification& notification) { return notification.text == text; });
  if (active == (it != active_.end())) return;
  Notification changed{text, clock_->NowMs(), active};
  if (active) {
    active_.push_back(changed);
  } else {
    active_.erase(it);
  }
  for (auto& [id, queue] : queues_) queue.push_back(changed);
  changed_.SignalAll();
}

std::vector<Notification> NotificationCenter::Active() const {
  MutexLock lock(&mutex_);
  return active_;
}

int NotificationCenter::Subscribe() {
  MutexLock lock(&mutex_);
  if (stopped_ || static_cast<int>(queues_.size()) >= max_subscribers_) return 0;
  std::deque<Notification>& queue = queues_[++last_id_];
  queue.assign(active_.begin(), active_.end());
  return last_id_;
}

void NotificationCenter::Unsubscribe(int id) {
  MutexLock lock(&mutex_);
  queues_.erase(id);
}

bool NotificationCenter::Next(int id, int64_t wait_ms, std::vector<Notification>* out) {
  out->clear();
  MutexLock lock(&mutex_);
  auto it = queues_.find(id);
  if (stopped_ || it == queues_.end()) return false;
  if (it->second.empty()) changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(wait_ms));
  it = queues_.find(id);
  if (stopped_ || it == queues_.end()) return false;
  out->assign(it->second.begin(), it->second.end());
  it->second.clear();
  return true;
}

void NotificationCenter::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.SignalAll();
}

}  // namespace narthex::api
