// The alerts that wait for one Alertmanager, in order, in memory and on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "alerting/alerting.h"

namespace narthex::alerting {

// An alert that is sent once more takes the place of the one that still waits, so that an outage fills the
// queue with what happened and not with how often it was said. Only what happened (Notification::transition)
// is written to disk: the rest is said again anyway. Not thread-safe; owner: the Alertmanager's SendQueue.
class AlertQueue {
 public:
  // `store` may be null. `name` is the Alertmanager's URL.
  AlertQueue(QueueStore* store, std::string name, int64_t capacity);

  // What an earlier run left. A damaged entry is left out.
  void Load(const std::vector<std::pair<std::string, std::string>>& entries);
  // The number of alerts dropped because there are too many.
  absl::StatusOr<int64_t> Add(std::vector<rules::Notification> alerts);
  // The first `max`, which stay here until Finish or PutBack; with `together`, the first of those that go
  // with the very first. REQUIRES: nothing is taken.
  using SameBatch = std::function<bool(const rules::Notification& first, const rules::Notification& other)>;
  std::vector<const rules::Notification*> Take(size_t max, const SameBatch& together = nullptr);
  absl::Status Finish();
  void PutBack();
  // Forgets everything, on disk too.
  absl::Status Clear();
  size_t size() const { return queue_.size(); }
  size_t taken() const { return taken_; }

  // Keys on disk are this, the name, a zero byte, and the number.
  static constexpr std::string_view kPrefix = "notify/";
  static std::string_view NameInKey(std::string_view key);

 private:
  struct Entry {
    rules::Notification alert;
    std::string id;  // which alert, and what of it
    bool stored = false;
    bool taken = false;
  };
  using Changes = std::vector<QueueStore::Change>;
  static std::string Id(const rules::Notification& alert);
  std::string Key(uint64_t number) const;
  void AddOne(rules::Notification alert, Changes* changes);
  int64_t DropExcess(Changes* changes);
  void Erase(std::map<uint64_t, Entry>::iterator it, Changes* changes);
  absl::Status Write(const Changes& changes);

  QueueStore* const store_;
  const std::string name_;
  const int64_t capacity_;
  std::map<uint64_t, Entry> queue_;                     // by number, which is the order
  absl::flat_hash_map<std::string, uint64_t> waiting_;  // by id: the newest entry
  uint64_t next_ = 1;
  size_t taken_ = 0;
};

// One notification as bytes and back; false if the bytes are damaged.
std::string EncodeNotification(const rules::Notification& alert);
bool DecodeNotification(std::string_view bytes, rules::Notification* alert);

}  // namespace narthex::alerting
