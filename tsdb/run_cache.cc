#include "tsdb/run_cache.h"

#include <utility>

namespace narthex::tsdb {
namespace {

size_t BytesOf(const CachedRuns& runs) {
  size_t bytes = 160;
  for (const CachedRun& run : runs) bytes += sizeof(run) + run.leaders.size() * sizeof(SeriesId) + 32;
  return bytes;
}

}  // namespace

// False for a layout that is gone.
bool RunCache::Enter(uint64_t layout) {
  if (layout > layout_) {
    entries_.clear();
    bytes_ = 0;
    layout_ = layout;
  }
  return layout == layout_;
}

std::shared_ptr<const CachedRuns> RunCache::Find(uint64_t layout, const Key& key) {
  MutexLock lock(&mutex_);
  if (!Enter(layout)) return nullptr;
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : it->second.runs;
}

void RunCache::Put(uint64_t layout, const Key& key, std::shared_ptr<const CachedRuns> runs) {
  const size_t bytes = BytesOf(*runs);
  MutexLock lock(&mutex_);
  if (!Enter(layout) || entries_.contains(key)) return;
  MakeRoom(bytes);
  if (bytes > limit_) return;
  entries_[key] = {std::move(runs), bytes};
  bytes_ += bytes;
}

// The oldest times are asked for least.
void RunCache::MakeRoom(size_t bytes) {
  while (!entries_.empty() && bytes_ + bytes > limit_) {
    bytes_ -= entries_.begin()->second.bytes;
    entries_.erase(entries_.begin());
  }
}

void RunCache::SetLimit(size_t bytes) {
  MutexLock lock(&mutex_);
  limit_ = bytes;
  MakeRoom(0);
}

size_t RunCache::MemoryBytes() const {
  MutexLock lock(&mutex_);
  return bytes_;
}

}  // namespace narthex::tsdb
