#include "tsdb/series_use.h"

namespace narthex::tsdb {

uint64_t SeriesUse::Begin() {
  MutexLock lock(&mutex_);
  active_.insert(active_.end(), next_);
  return next_++;
}

void SeriesUse::End(uint64_t number) {
  MutexLock lock(&mutex_);
  active_.erase(number);
}

void SeriesUse::TouchCandidate(SeriesId id) {
  MutexLock lock(&mutex_);
  candidates_.remove(id);
}

void SeriesUse::NextPass(const Roaring& dead,
                         const std::function<void(const std::vector<SeriesId>&)>& remove) {
  MutexLock lock(&mutex_);
  Roaring next = dead;
  if (!candidates_.isEmpty() && AllSince(candidates_since_)) {
    const Roaring gone = candidates_ & dead;
    std::vector<SeriesId> ids(gone.cardinality());
    gone.toUint32Array(ids.data());
    if (!ids.empty()) remove(ids);
    next -= gone;
  } else {
    // What became a candidate with an earlier pass waits on, with what came now.
    next |= candidates_ & dead;
  }
  candidates_ = next;
  candidates_since_ = next_;
  has_candidates_.store(!candidates_.isEmpty(), std::memory_order_release);
}

SeriesId SeriesUse::TakeFree() {
  MutexLock lock(&mutex_);
  if (free_.empty() || !AllSince(free_.front().first)) return 0;
  const SeriesId id = free_.front().second;
  free_.pop_front();
  return id;
}

void SeriesUse::AddFree(const std::vector<SeriesId>& ids) {
  MutexLock lock(&mutex_);
  for (SeriesId id : ids) free_.emplace_back(next_, id);
}

}  // namespace narthex::tsdb
