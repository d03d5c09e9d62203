#include "tsdb/series_names.h"

#include "absl/container/flat_hash_set.h"
#include "tsdb/memory.h"

namespace narthex::tsdb {

uint64_t SeriesNames::Find(std::span<const uint64_t> names, std::vector<SeriesRef>* refs) const {
  refs->resize(names.size());
  ReaderMutexLock lock(&mutex_);
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i + kAhead < names.size()) ids_.prefetch(names[i + kAhead]);
    const auto it = ids_.find(names[i]);
    (*refs)[i] = it == ids_.end() ? 0 : it->second;
  }
  return version_;
}

uint64_t SeriesNames::version() const {
  ReaderMutexLock lock(&mutex_);
  return version_;
}

void SeriesNames::Add(std::span<const std::pair<uint64_t, SeriesId>> names, size_t limit) {
  MutexLock lock(&mutex_);
  if (ids_.size() + names.size() > limit) ids_ = {};
  for (const auto& [name, id] : names) ids_[name] = id;
}

void SeriesNames::Forget(const std::vector<SeriesId>& ids) {
  const absl::flat_hash_set<SeriesId> gone(ids.begin(), ids.end());
  MutexLock lock(&mutex_);
  ++version_;
  absl::erase_if(ids_, [&](const auto& name) { return gone.contains(name.second); });
}

size_t SeriesNames::NextStep() const {
  ReaderMutexLock lock(&mutex_);
  return ids_.size() + 16 > ids_.capacity() - ids_.capacity() / 8 ? TableBytes(ids_) : 0;
}

size_t SeriesNames::MemoryBytes() const {
  ReaderMutexLock lock(&mutex_);
  return TableBytes(ids_);
}

}  // namespace narthex::tsdb
