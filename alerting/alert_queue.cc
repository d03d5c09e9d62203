#include "alerting/alert_queue.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace narthex::alerting {
namespace {

constexpr char kFormat = 1;

void PutInt(std::string* out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

bool GetInt(std::string_view* in, uint64_t* value) {
  if (in->size() < 8) return false;
  *value = 0;
  for (size_t i = 0; i < 8; ++i) *value = *value << 8 | static_cast<unsigned char>((*in)[i]);
  in->remove_prefix(8);
  return true;
}

void PutBytes(std::string* out, std::string_view bytes) {
  PutInt(out, bytes.size());
  out->append(bytes);
}

bool GetBytes(std::string_view* in, std::string_view* bytes) {
  uint64_t size = 0;
  if (!GetInt(in, &size) || size > in->size()) return false;
  *bytes = in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

}  // namespace

std::string EncodeNotification(const rules::Notification& alert) {
  std::string out = {kFormat, static_cast<char>(alert.resolved ? 1 : 0)};
  PutInt(&out, static_cast<uint64_t>(alert.starts_at_ms));
  PutInt(&out, static_cast<uint64_t>(alert.ends_at_ms));
  PutBytes(&out, alert.generator_url);
  PutBytes(&out, alert.labels.encoded());
  PutBytes(&out, alert.annotations.encoded());
  return out;
}

bool DecodeNotification(std::string_view bytes, rules::Notification* alert) {
  uint64_t starts = 0, ends = 0;
  std::string_view url, labels, annotations;
  if (bytes.size() < 2 || bytes[0] != kFormat) return false;
  alert->resolved = bytes[1] != 0;
  bytes.remove_prefix(2);
  if (!GetInt(&bytes, &starts) || !GetInt(&bytes, &ends) || !GetBytes(&bytes, &url) ||
      !GetBytes(&bytes, &labels) || !GetBytes(&bytes, &annotations) || !bytes.empty() ||
      !Labels::IsWellFormed(labels) || !Labels::IsWellFormed(annotations)) {
    return false;
  }
  alert->starts_at_ms = static_cast<int64_t>(starts);
  alert->ends_at_ms = static_cast<int64_t>(ends);
  alert->generator_url = std::string(url);
  alert->labels = Labels::FromEncoded(std::string(labels));
  alert->annotations = Labels::FromEncoded(std::string(annotations));
  return true;
}

AlertQueue::AlertQueue(QueueStore* store, std::string name, int64_t capacity)
    : store_(store), name_(std::move(name)), capacity_(capacity) {}

std::string_view AlertQueue::NameInKey(std::string_view key) {
  key.remove_prefix(std::min(key.size(), kPrefix.size()));
  return key.substr(0, key.find('\0'));
}

std::string AlertQueue::Key(uint64_t number) const {
  std::string key = StrCat(kPrefix, name_);
  key.push_back('\0');
  PutInt(&key, number);
  return key;
}

// A firing alert and its end are two things, and so are two times that it fired.
std::string AlertQueue::Id(const rules::Notification& alert) {
  std::string id = alert.labels.encoded();
  PutInt(&id, static_cast<uint64_t>(alert.starts_at_ms));
  id.push_back(alert.resolved ? 1 : 0);
  return id;
}

void AlertQueue::Load(const std::vector<std::pair<std::string, std::string>>& entries) {
  for (const auto& [key, value] : entries) {
    std::string_view number_bytes =
        std::string_view(key).substr(key.size() - std::min<size_t>(8, key.size()));
    uint64_t number = 0;
    Entry entry;
    if (!GetInt(&number_bytes, &number) || !DecodeNotification(value, &entry.alert)) continue;
    entry.id = Id(entry.alert);
    entry.stored = true;
    waiting_[entry.id] = number;
    next_ = std::max(next_, number + 1);
    queue_[number] = std::move(entry);
  }
}

void AlertQueue::AddOne(rules::Notification alert, Changes* changes) {
  std::string id = Id(alert);
  auto waiting = waiting_.find(id);
  if (waiting != waiting_.end() && !queue_[waiting->second].taken) {
    queue_[waiting->second].alert = std::move(alert);
    return;
  }
  const uint64_t number = next_++;
  const bool stored = store_ != nullptr && alert.transition;
  if (stored) changes->push_back({Key(number), EncodeNotification(alert)});
  waiting_[id] = number;
  queue_[number] = {std::move(alert), std::move(id), stored};
}

void AlertQueue::Erase(std::map<uint64_t, Entry>::iterator it, Changes* changes) {
  if (it->second.stored) changes->push_back({Key(it->first), std::nullopt});
  auto waiting = waiting_.find(it->second.id);
  if (waiting != waiting_.end() && waiting->second == it->first) waiting_.erase(waiting);
  queue_.erase(it);
}

int64_t AlertQueue::DropExcess(Changes* changes) {
  int64_t dropped = 0;
  auto waiting_count = [this] { return static_cast<int64_t>(queue_.size() - taken_); };
  for (bool resolved_only : {true, false}) {
    for (auto it = queue_.begin(); it != queue_.end() && waiting_count() > capacity_;) {
      auto next = std::next(it);
      if (!it->second.taken && (!resolved_only || it->second.alert.resolved)) {
        Erase(it, changes);
        ++dropped;
      }
      it = next;
    }
  }
  return dropped;
}

absl::StatusOr<int64_t> AlertQueue::Add(std::vector<rules::Notification> alerts) {
  Changes changes;
  for (rules::Notification& alert : alerts) AddOne(std::move(alert), &changes);
  const int64_t dropped = DropExcess(&changes);
  absl::Status written = Write(changes);
  if (!written.ok()) return written;
  return dropped;
}

std::vector<const rules::Notification*> AlertQueue::Take(size_t max, const SameBatch& together) {
  std::vector<const rules::Notification*> out;
  for (auto it = queue_.begin(); it != queue_.end() && out.size() < max; ++it) {
    if (together && !out.empty() && !together(*out[0], it->second.alert)) continue;
    out.push_back(&it->second.alert);
    it->second.taken = true;
  }
  taken_ = out.size();
  return out;
}

absl::Status AlertQueue::Finish() {
  Changes changes;
  for (auto it = queue_.begin(); it != queue_.end();) {
    const auto next = std::next(it);
    if (it->second.taken) Erase(it, &changes);
    it = next;
  }
  taken_ = 0;
  return Write(changes);
}

// What was said once more meanwhile takes its older place.
void AlertQueue::PutBack() {
  for (auto it = queue_.begin(); it != queue_.end(); ++it) {
    if (!std::exchange(it->second.taken, false)) continue;
    const uint64_t newest = waiting_[it->second.id];
    if (newest == it->first) continue;
    auto newer = queue_.find(newest);
    if (newer != queue_.end() && !newer->second.stored) {
      it->second.alert = std::move(newer->second.alert);
      queue_.erase(newer);
    }
    waiting_[it->second.id] = it->first;
  }
  taken_ = 0;
}

absl::Status AlertQueue::Clear() {
  Changes changes;
  while (!queue_.empty()) Erase(queue_.begin(), &changes);
  taken_ = 0;
  return Write(changes);
}

absl::Status AlertQueue::Write(const Changes& changes) {
  return store_ == nullptr || changes.empty() ? absl::OkStatus() : store_->Write(changes);
}

}  // namespace narthex::alerting
