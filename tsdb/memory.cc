// The memory limit: what is measured, and what happens when it is reached. First the caches shrink, then
// windows are sealed early (seal.cc), then new series are refused.
#include "tsdb/memory.h"

#include <algorithm>

#include "base/strings.h"
#include "tsdb/db_impl.h"

namespace narthex::tsdb {
namespace {

// What a series will take that is not there when it is made: its slot, and rounds until the next tile is
// sealed.
constexpr size_t kSeriesReserve = 160;
constexpr size_t kMaxRunCache = 4 << 20;
constexpr size_t kMinCache = 256 << 10;

}  // namespace

MemoryUse DbImpl::MeasureMemory() const {
  MemoryUse use;
  use.index = static_cast<int64_t>(index_.MemoryBytes() + names_.MemoryBytes());
  size_t head = 0;
  for (const auto& group : AllGroups()) {
    ReaderMutexLock lock(&group->mutex);
    const Group::Memory memory = group->MemoryBytes();
    head += memory.head;
    use.index += static_cast<int64_t>(memory.slots);
  }
  {
    ReaderMutexLock lock(&groups_mutex_);
    use.index += static_cast<int64_t>(VectorBytes(group_of_) + TableBytes(more_groups_));
  }
  {
    ReaderMutexLock lock(&loose_mutex_);
    head += loose_->MemoryBytes();
    for (const auto& store : frozen_) head += store->MemoryBytes();
  }
  use.head = static_cast<int64_t>(head);
  use.exemplars = static_cast<int64_t>(exemplars_.MemoryBytes());
  {
    ReaderMutexLock lock(&windows_mutex_);
    size_t windows = 0;
    for (const auto& [window, series] : windows_) windows += series->getSizeInBytes(false) + 128;
    for (const auto& [id, intervals] : *tombstones_) windows += VectorBytes(intervals) + 48;
    use.windows = static_cast<int64_t>(windows);
  }
  const RocksStore::Memory rocks = store_->MemoryBytes();
  use.buffers = rocks.buffers;
  use.caches = rocks.caches + static_cast<int64_t>(CacheBytes());
  return use;
}

size_t DbImpl::CacheBytes() const {
  return run_cache_.MemoryBytes() + stripe_cache_.MemoryBytes() + directories_.MemoryBytes();
}

void DbImpl::Measure(bool may_flush) {
  if (measuring_.exchange(true)) return;  // somebody is at it
  MemoryUse use = MeasureMemory();
  if (memory_.limit() > 0) {
    // What the rest leaves is for the caches, a third of it for directories, an eighth for stripes, and as
    // much as there is of an eighth for the directories of stripes that a device has.
    const int64_t room = memory_.High() - (use.total() - use.caches);
    const size_t caches = static_cast<size_t>(std::max<int64_t>(room, kMinCache));
    run_cache_.SetLimit(std::min(kMaxRunCache, caches / 3));
    stripe_cache_.SetLimit(std::min(StripeCache::kMaxBytes, caches / 8));
    const size_t buffers = std::max(static_cast<size_t>(memory_.limit()) / 32, kMinCache);
    directories_.SetLimit(std::min(StripeDirectories::kMaxBytes, caches / 8));
    const size_t directories = directories_.MemoryBytes();
    store_->ShrinkTo(caches - caches / 3 - caches / 8 - directories,
                     room > 0 || !may_flush ? SIZE_MAX : buffers);
    const RocksStore::Memory rocks = store_->MemoryBytes();
    use.buffers = rocks.buffers;
    use.caches = rocks.caches + static_cast<int64_t>(CacheBytes());
  }
  memory_.Measured(use);
  for (const DbMetrics::Part& part : metrics_.memory) part.gauge->Set(static_cast<double>(use.*part.bytes));
  metrics_.memory_limit->Set(static_cast<double>(memory_.limit()));
  measuring_ = false;
}

void DbImpl::NoteGrowth(size_t bytes) {
  if (!memory_.Grow(static_cast<int64_t>(bytes))) return;
  Measure(/*may_flush=*/false);
  if (!memory_.Tight()) return;
  MutexLock lock(&stop_mutex_);
  short_of_memory_ = true;
}

// The tables of the index grow by doubling: the next step has to fit, too.
absl::Status DbImpl::CheckRoomForSeries(const Labels& labels) {
  if (memory_.limit() <= 0) return absl::OkStatus();
  const size_t more = labels.encoded().size() / 4 + kSeriesReserve;
  NoteGrowth(more);
  if (!memory_.WouldExceed(static_cast<int64_t>(more + index_.NextStep() + names_.NextStep()))) {
    if (refusing_.exchange(false)) options_.logger->Info("There is memory for new series again");
    return absl::OkStatus();
  }
  metrics_.series_refused->Add();
  const std::string text =
      StrCat("new series refused: storage holds ", memory_.used(), " bytes of memory, its limit is ",
             memory_.limit(), " (--storage.max-memory)");
  if (!refusing_.exchange(true)) {
    options_.logger->Error("Memory limit of the storage reached, new series are refused",
                           {{"used", std::to_string(memory_.used())},
                            {"limit", std::to_string(memory_.limit())},
                            {"series", labels.ToString()}});
  }
  return absl::ResourceExhaustedError(text);
}

// With a disk that takes nothing, memory would fill up with what is not sealed.
absl::Status DbImpl::CheckRoomForSamples() {
  if (!seal_failing_ || !memory_.WouldExceed(0)) return absl::OkStatus();
  metrics_.rounds_refused->Add();
  return absl::ResourceExhaustedError(StrCat("samples refused: storage holds ", memory_.used(),
                                             " bytes of memory, its limit is ", memory_.limit(),
                                             " (--storage.max-memory), and cannot write to disk"));
}

}  // namespace narthex::tsdb
