// Series and slots in the store: many in a row, read at the start, written before the first journal record
// that may name them.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kMaxUnwritten = 1000;
constexpr size_t kFewRows = 64;  // are read quickly, whatever is in them
constexpr size_t kSmallRow = kRowSeries / 4;
constexpr size_t kJoinDeletes = 4096;  // in one write

}  // namespace

absl::Status DbImpl::LoadIndex() {
  RETURN_IF_ERROR(LoadSeries());
  RETURN_IF_ERROR(LoadGroups());
  return LoadSlots();
}

absl::Status DbImpl::LoadSeries() {
  MutexLock lock(&create_mutex_);
  SeriesRow row;
  RETURN_IF_ERROR(store_->Scan("I", [&](std::string_view key, std::string_view value) {
    if (key.size() != 9) return true;
    const uint64_t number = GetBig64(key.data() + 1);
    next_row_ = number + 1;
    ++series_rows_;
    if (DecodeSeriesRow(value, &row))
      index_.Load(row);
    else
      NoteDamage(StrCat("series of row ", number));
    return true;
  }));
  index_.FinishLoad();
  SeriesId newest = index_.next_id() - 1;
  RETURN_IF_ERROR(store_->Scan("S", [&](std::string_view key, std::string_view value) {
    if (key.size() != 5) return true;
    const SeriesId id = GetBig32(key.data() + 1);
    newest = std::max(newest, id);
    ++series_rows_;
    old_rows_ = true;
    if (Labels::IsWellFormed(value))
      index_.Add(id, Labels::FromEncoded(std::string(value)));
    else
      NoteDamage(StrCat("labels of series ", id));
    return true;
  }));
  next_series_ = newest + 1;
  return absl::OkStatus();
}

absl::Status DbImpl::LoadGroups() {
  MutexLock lock(&groups_mutex_);
  RETURN_IF_ERROR(store_->Scan("G", [&](std::string_view key, std::string_view value) {
    if (key.size() == 5 && Labels::IsWellFormed(value)) {
      FindOrAddGroup(GetBig32(key.data() + 1), Labels::FromEncoded(std::string(value)));
    } else {
      NoteDamage("key of a group");
    }
    return true;
  }));
  return store_->Scan("B", [&](std::string_view key, std::string_view) {
    if (key.size() != 9) return true;
    const uint32_t group = GetBig32(key.data() + 5);
    NoteMembership(GetBig32(key.data() + 1), group);
    next_group_ = std::max(next_group_, group + 1);
    return true;
  });
}

absl::Status DbImpl::LoadSlots() {
  MutexLock create(&create_mutex_);
  MutexLock lock(&groups_mutex_);
  const auto load = [&](Group* group, Slot slot, SeriesId id) {
    group->LoadSlot(slot, id);
    NoteMembership(id, group->id);
  };
  std::vector<SlotRun> runs;
  RETURN_IF_ERROR(store_->Scan("K", [&](std::string_view key, std::string_view value) {
    if (key.size() != 9 || !DecodeSlotRow(value, &runs)) {
      NoteDamage("slots of a group");
      return true;
    }
    const uint32_t id = GetBig32(key.data() + 1);
    next_group_ = std::max(next_group_, id + 1);  // whatever became of the group's own row
    const auto it = groups_.find(id);
    if (it == groups_.end()) return true;
    Group* const group = it->second.get();
    MutexLock group_lock(&group->mutex);
    group->next_row = GetBig32(key.data() + 5) + 1;
    ++group->rows;
    for (const SlotRun& run : runs)
      for (uint32_t i = 0; i < run.length; ++i) load(group, run.slot + i, run.series + i);
    return true;
  }));
  return store_->Scan("L", [&](std::string_view key, std::string_view value) {
    if (key.size() != 9 || value.size() != 4) {
      NoteDamage("slot of a group");
      return true;
    }
    old_rows_ = true;
    const auto it = groups_.find(GetBig32(key.data() + 1));
    const Slot slot = GetBig32(key.data() + 5);
    if (it == groups_.end() || slot >= kMaxSlots) return true;
    Group* const group = it->second.get();
    MutexLock group_lock(&group->mutex);
    ++group->rows;
    if (slot >= group->slots.size() || group->slots[slot] == 0) load(group, slot, GetBig32(value.data()));
    return true;
  });
}

// One by one these writes would cost more than all else that is done for a new series.
void DbImpl::WriteSoon() {
  has_unwritten_ = true;
  if (new_series_.size() + new_slots_.size() >= kMaxUnwritten) WriteIndexLocked();
}

// Failed writes are kept and tried again; until then rounds stay in memory (the journal must not name an
// unknown id).
void DbImpl::WriteIndexLocked() {
  if (new_series_.empty() && new_slots_.empty()) return;
  IndexBatch batch;
  std::sort(new_series_.begin(), new_series_.end());
  for (size_t i = 0; i < new_series_.size(); i += kRowSeries) {
    const auto begin = new_series_.begin() + static_cast<ptrdiff_t>(i);
    PutSeriesRow({begin, begin + static_cast<ptrdiff_t>(std::min(kRowSeries, new_series_.size() - i))},
                 &batch);
  }
  std::sort(new_slots_.begin(), new_slots_.end(), [](const NewSlot& a, const NewSlot& b) {
    return std::pair(a.group->id, a.slot) < std::pair(b.group->id, b.slot);
  });
  std::vector<SlotRun> runs;
  for (size_t i = 0; i < new_slots_.size(); ++i) {
    Group* const group = new_slots_[i].group;
    AddSlotTo(&runs, new_slots_[i].slot, new_slots_[i].series);
    if (i + 1 < new_slots_.size() && new_slots_[i + 1].group == group) continue;
    MutexLock lock(&group->mutex);
    PutSlotRows(group, runs, &batch);
    runs.clear();
  }
  new_series_ = {};
  new_slots_ = {};
  if (has_unsaved_ || !store_->Write(batch, false).ok()) {
    std::move(batch.puts.begin(), batch.puts.end(), std::back_inserter(unsaved_.puts));
    has_unsaved_ = true;
  }
  index_dirty_ = true;
  has_unwritten_ = false;
}

// Series with very many labels get rows of their own.
void DbImpl::PutSeriesRow(std::vector<SeriesId> ids, IndexBatch* batch) {
  const SeriesRow row = index_.RowOf(ids);
  if (row.ids.empty()) return;
  if (row.labels.size() > kRowLabels && row.ids.size() > 1) {
    const auto middle = row.ids.begin() + static_cast<ptrdiff_t>(row.ids.size() / 2);
    PutSeriesRow({row.ids.begin(), middle}, batch);
    return PutSeriesRow({middle, row.ids.end()}, batch);
  }
  batch->puts.emplace_back(SeriesRowKey(next_row_++), EncodeSeriesRow(row));
  ++series_rows_;
}

void DbImpl::PutSlotRows(Group* group, const std::vector<SlotRun>& runs, IndexBatch* batch) {
  for (size_t i = 0; i < runs.size(); i += kRowRuns) {
    batch->puts.emplace_back(SlotRowKey(group->id, group->next_row++),
                             EncodeSlotRow(runs.data() + i, std::min(kRowRuns, runs.size() - i)));
    ++group->rows;
  }
}

// All rows of a group's slots, anew. Nothing of it is unwritten or unsaved.
absl::Status DbImpl::RewriteSlots(Group* group, const std::vector<SeriesId>& slots, IndexBatch* batch) {
  const auto drop = [&](std::string_view key, std::string_view) {
    batch->deletes.emplace_back(key);
    return true;
  };
  RETURN_IF_ERROR(store_->Scan(SlotRowPrefix(group->id), drop));
  if (old_rows_) RETURN_IF_ERROR(store_->Scan(SlotKeyPrefix(group->id), drop));
  std::vector<SlotRun> runs;
  for (Slot slot = 0; slot < slots.size(); ++slot)
    if (slots[slot] != 0) AddSlotTo(&runs, slot, slots[slot]);
  group->rows = 0;
  PutSlotRows(group, runs, batch);
  return absl::OkStatus();
}

// Rows with series that are gone, anew without them. `join`: small rows and old ones, too, in several writes;
// what is left in the batch is the last of them. Nothing is unwritten or unsaved.
absl::Status DbImpl::RewriteSeries(bool join, IndexBatch* batch) {
  std::vector<SeriesId> ids;  // of rows that are deleted
  SeriesRow row;
  size_t gone = 0;
  absl::Status written;
  const auto put = [&]() {
    std::sort(ids.begin(), ids.end());
    PutSeriesRow(std::exchange(ids, {}), batch);
    if (!join || batch->deletes.size() < kJoinDeletes) return true;
    written = store_->Write(std::exchange(*batch, {}), /*sync=*/false);
    return written.ok();
  };
  const auto take = [&](std::string_view key) {
    batch->deletes.emplace_back(key);
    ++gone;
    return ids.size() < kRowSeries || put();
  };
  RETURN_IF_ERROR(store_->Scan("I", [&](std::string_view key, std::string_view value) {
    if (!DecodeSeriesRow(value, &row)) return true;
    const size_t before = row.ids.size();
    std::erase_if(row.ids, [&](SeriesId id) { return !index_.Has(id); });
    if (row.ids.size() == before && !(join && before < kSmallRow)) return true;
    // Those who came together stay together: they will go together.
    if (ids.size() + row.ids.size() > kRowSeries && !put()) return false;
    ids.insert(ids.end(), row.ids.begin(), row.ids.end());
    return take(key);
  }));
  RETURN_IF_ERROR(written);
  if (old_rows_) {
    RETURN_IF_ERROR(store_->Scan("S", [&](std::string_view key, std::string_view value) {
      if (key.size() != 5 || !Labels::IsWellFormed(value)) return true;
      const SeriesId id = GetBig32(key.data() + 1);
      const bool known = index_.Has(id);
      if (known && !join) return true;
      if (known) ids.push_back(id);
      return take(key);
    }));
    RETURN_IF_ERROR(written);
  }
  if (!ids.empty() && !put()) return written;
  series_rows_ -= std::min(series_rows_, gone);
  return absl::OkStatus();
}

// Series that come one by one leave a row each, which the next start would have to read.
absl::Status DbImpl::JoinRows() {
  MutexLock create(&create_mutex_);
  WriteIndexLocked();
  if (has_unsaved_) return absl::OkStatus();
  IndexBatch batch;
  const bool old = old_rows_;
  for (const auto& group : AllGroups()) {
    MutexLock lock(&group->mutex);
    if (!old && group->rows <= kFewRows) continue;
    RETURN_IF_ERROR(RewriteSlots(group.get(), group->slots, &batch));
    RETURN_IF_ERROR(store_->Write(std::exchange(batch, {}), /*sync=*/false));
  }
  const size_t before = series_rows_;
  if (old || series_rows_ > kFewRows + index_.series_count() / kSmallRow) {
    RETURN_IF_ERROR(RewriteSeries(/*join=*/true, &batch));
    if (!batch.empty()) RETURN_IF_ERROR(store_->Write(batch, /*sync=*/false));
  }
  index_dirty_ = true;
  if (!old) return absl::OkStatus();
  old_rows_ = false;
  return series_rows_ == before ? absl::OkStatus() : store_->Compact();
}

}  // namespace narthex::tsdb
