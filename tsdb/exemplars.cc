#include "tsdb/exemplars.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "tsdb/memory.h"

namespace narthex::tsdb {

bool ExemplarRing::AcceptsLocked(SeriesId series, const Exemplar& exemplar) const {
  const auto it = newest_.find(series);
  return it == newest_.end() || exemplar.t > it->second.second.t;
}

bool ExemplarRing::Accepts(SeriesId series, const Exemplar& exemplar) const {
  MutexLock lock(&mutex_);
  return AcceptsLocked(series, exemplar);
}

bool ExemplarRing::Add(SeriesId series, const Exemplar& exemplar, uint64_t sequence) {
  MutexLock lock(&mutex_);
  if (!AcceptsLocked(series, exemplar)) return false;
  std::pair<size_t, Exemplar>& newest = newest_[series];
  newest.second = exemplar;
  ++newest.first;
  ring_.push_back({series, exemplar, sequence});
  label_bytes_ += HeapBytes(ring_.back().exemplar.labels.encoded());
  if (sequence == 0) saved_ = ring_.size();
  if (ring_.size() > capacity_) {
    const auto old = newest_.find(ring_.front().series);
    if (old != newest_.end() && --old->second.first == 0) newest_.erase(old);
    label_bytes_ -= HeapBytes(ring_.front().exemplar.labels.encoded());
    ring_.pop_front();
    ++dropped_;
    if (saved_ > 0) --saved_;
  }
  return true;
}

std::vector<std::pair<SeriesId, std::vector<Exemplar>>> ExemplarRing::Select(
    const std::vector<SeriesId>& series, int64_t mint, int64_t maxt) const {
  std::vector<std::pair<SeriesId, std::vector<Exemplar>>> out;
  absl::flat_hash_map<SeriesId, size_t> place;
  for (SeriesId id : series) {
    if (place.emplace(id, out.size()).second) out.emplace_back(id, std::vector<Exemplar>());
  }
  MutexLock lock(&mutex_);
  for (const Entry& e : ring_) {
    const auto it = place.find(e.series);
    if (it != place.end() && e.exemplar.t >= mint && e.exemplar.t <= maxt)
      out[it->second].second.push_back(e.exemplar);
  }
  return out;
}

std::vector<SeriesExemplar> ExemplarRing::Unsaved() const {
  MutexLock lock(&mutex_);
  std::vector<SeriesExemplar> out;
  for (size_t i = saved_; i < ring_.size(); ++i) out.push_back({ring_[i].series, ring_[i].exemplar});
  return out;
}

uint64_t ExemplarRing::FirstUnsaved() const {
  MutexLock lock(&mutex_);
  return saved_ < ring_.size() ? ring_[saved_].sequence : UINT64_MAX;
}

void ExemplarRing::MarkSaved(size_t count) {
  MutexLock lock(&mutex_);
  saved_ = std::min(ring_.size(), saved_ + count);
}

uint64_t ExemplarRing::dropped() const {
  MutexLock lock(&mutex_);
  return dropped_;
}

size_t ExemplarRing::size() const {
  MutexLock lock(&mutex_);
  return ring_.size();
}

// The newest of each series is kept twice.
size_t ExemplarRing::MemoryBytes() const {
  MutexLock lock(&mutex_);
  const size_t labels = ring_.empty() ? 0 : label_bytes_ / ring_.size();
  return ring_.size() * sizeof(Entry) + label_bytes_ + TableBytes(newest_) + newest_.size() * labels;
}

// Saved ones only: the caller removes no series with others.
void ExemplarRing::Forget(const std::vector<SeriesId>& series) {
  const absl::flat_hash_set<SeriesId> gone(series.begin(), series.end());
  MutexLock lock(&mutex_);
  for (SeriesId id : series) newest_.erase(id);
  for (Entry& e : ring_)
    if (gone.contains(e.series)) e.series = 0;  // they keep their places, nobody finds them
}

}  // namespace narthex::tsdb
