#include "tsdb/run_cache.h"

#include <utility>

namespace narthex::tsdb {
namespace {

constexpr size_t kMaxBytes = 4 << 20;

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
  // The oldest times are asked for least.
  while (!entries_.empty() && bytes_ + bytes > kMaxBytes) {
    bytes_ -= entries_.begin()->second.bytes;
    entries_.erase(entries_.begin());
  }
  entries_[key] = {std::move(runs), bytes};
  bytes_ += bytes;
}

}  // namespace narthex::tsdb
