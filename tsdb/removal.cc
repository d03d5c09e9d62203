// Removal of what has no samples any more: slots, groups, series. Without it a host whose pods have new names
// every day would fill its memory with the names of the old ones.
#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
#include "tsdb/manifest.h"

namespace narthex::tsdb {

namespace {
constexpr int64_t kRemovalMs = 600'000;
}

absl::Status DbImpl::RemoveDead(bool force) {
  const int64_t mono_ms = options_.clock->MonotonicNs() / 1'000'000;
  if (!force && removal_mono_ms_ != INT64_MIN && mono_ms < removal_mono_ms_ + kRemovalMs)
    return absl::OkStatus();
  removal_mono_ms_ = mono_ms;
  for (const auto& group : AllGroups()) RETURN_IF_ERROR(FreeSlots(group.get()));
  RETURN_IF_ERROR(RemoveGroups());
  RETURN_IF_ERROR(RemoveSeries());
  return JoinRows();
}

// A slot is free again when its owner has let go of it and the rounds that had it are sealed.
absl::Status DbImpl::FreeSlots(Group* group) {
  const auto freeable = [&] {
    std::vector<Slot> out;
    const bool gone = !group->in_use && group->last_t < HeadMax() - DayMs();
    const uint64_t first = group->FirstSequence();
    for (const auto& [slot, sequence] : group->idle) {
      // A slot that is still tracked is owed a stale marker, unless its target does not come back.
      if (sequence < first && (gone || !group->tracked.Get(slot))) out.push_back(slot);
    }
    return out;
  };
  {
    MutexLock lock(&group->mutex);
    if (freeable().empty()) return absl::OkStatus();
  }
  MutexLock layout(&layout_mutex_);
  ++layout_version_;
  MutexLock create(&create_mutex_);  // no slot is handed out meanwhile
  WriteIndexLocked();                // what is deleted must not come after
  MutexLock lock(&group->mutex);
  if (has_unsaved_) return absl::OkStatus();
  const std::vector<Slot> slots = freeable();
  Manifest manifest;
  manifest.sealed_sequence = group->sealed_sequence;
  manifest.last_t = group->last_t;
  manifest.tracked = group->tracked;
  IndexBatch batch;
  std::vector<SeriesId> left = group->slots;
  for (Slot slot : slots) {
    left[slot] = 0;
    // Queries still have to look for the series in the group's stripes.
    batch.puts.emplace_back(MemberKey(group->slots[slot], group->id), "");
    if (slot < manifest.tracked.size()) manifest.tracked.Set(slot, false);
  }
  batch.puts.emplace_back(ManifestKey(group->id), manifest.Encode());
  RETURN_IF_ERROR(RewriteSlots(group, left, &batch));
  // For good before the slot gets another series: rounds in the journal name it by its number.
  RETURN_IF_ERROR(store_->Write(batch, /*sync=*/true));
  RETURN_IF_ERROR(store_->Flush());
  for (Slot slot : slots) {
    group->slot_of.Erase(slot);
    group->slots[slot] = 0;
    if (slot < group->tracked.size()) group->tracked.Set(slot, false);
    group->idle.erase(slot);
    group->free_slots.push_back(slot);
  }
  return absl::OkStatus();
}

// A group without slots, rounds or records in the journal is only a name.
absl::Status DbImpl::RemoveGroups() {
  const uint64_t journal_begin = journal_->first_sequence();
  MutexLock lock(&groups_mutex_);
  IndexBatch batch;
  std::vector<std::shared_ptr<Group>> gone;
  for (const auto& [id, group] : groups_) {
    MutexLock group_lock(&group->mutex);
    const bool empty = group->slot_of.empty() && !group->HasHead() && group->sealed_sequence < journal_begin;
    if (group->in_use || !empty) continue;
    batch.deletes.push_back(GroupKey(id));
    batch.deletes.push_back(ManifestKey(id));
    gone.push_back(group);
  }
  if (gone.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(store_->Write(batch, true));
  for (const auto& group : gone) {
    groups_by_key_.erase(group->key.encoded());
    groups_.erase(group->id);
  }
  return absl::OkStatus();
}

Roaring DbImpl::LiveSeries() const {
  Roaring live;
  const auto add_loose = [&](const LooseStore& store) {
    store.ForEach([&](const LooseColumn& column) {
      if (column.count > 0) live.add(column.id);
    });
  };
  for (const auto& group : AllGroups()) {
    ReaderMutexLock lock(&group->mutex);
    for (const SeriesId id : group->slots)
      if (id != 0) live.add(id);
  }
  {
    ReaderMutexLock lock(&loose_mutex_);
    for (const auto& store : frozen_) add_loose(*store);
    add_loose(*loose_);
  }
  for (const SeriesExemplar& e : exemplars_.Unsaved()) live.add(e.series);
  ReaderMutexLock lock(&windows_mutex_);
  for (const auto& [window, series] : windows_) live |= *series;
  return live;
}

absl::Status DbImpl::RemoveSeries() {
  // Series are created under this lock: none gets the labels of one whose row is not deleted yet.
  MutexLock create(&create_mutex_);
  WriteIndexLocked();
  if (has_unsaved_) return absl::OkStatus();  // rows that are not there yet may name them
  Roaring dead;
  const std::vector<SeriesId> all = index_.All();
  dead.addMany(all.size(), all.data());
  dead -= LiveSeries();
  std::vector<SeriesId> removed;
  series_use_.NextPass(dead, [&](const std::vector<SeriesId>& ids) {
    index_.Remove(ids);
    names_.Forget(ids);
    removed = ids;
  });
  if (removed.empty()) return absl::OkStatus();
  IndexBatch batch;
  {
    MutexLock lock(&groups_mutex_);
    for (SeriesId id : removed) {
      batch.deletes.push_back(TombstoneKey(id));
      ForEachGroup(id, [&](uint32_t group) { batch.deletes.push_back(MemberKey(id, group)); });
      if (id < group_of_.size()) group_of_[id] = 0;
      more_groups_.erase(id);
    }
  }
  {
    MutexLock lock(&windows_mutex_);
    auto tombstones = std::make_shared<Tombstones>(*tombstones_);
    for (SeriesId id : removed) tombstones->erase(id);
    tombstones_ = std::move(tombstones);
  }
  {
    MutexLock lock(&loose_mutex_);
    for (SeriesId id : removed) loose_->Forget(id);
  }
  exemplars_.Forget(removed);
  metrics_.series_removed->Add(static_cast<double>(removed.size()));
  absl::Status s = RewriteSeries(/*join=*/false, &batch);
  if (s.ok()) s = store_->Write(batch, /*sync=*/true);
  if (s.ok()) s = store_->Flush();
  if (!s.ok()) {
    // Their ids are used again after the next open only.
    std::move(batch.puts.begin(), batch.puts.end(), std::back_inserter(unsaved_.puts));
    unsaved_.deletes.insert(unsaved_.deletes.end(), batch.deletes.begin(), batch.deletes.end());
    has_unsaved_ = true;
    return s;
  }
  series_use_.AddFree(removed);
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
