// Pinning: copying the pointers to everything that a query may read, at one moment.
#include "tsdb/read_view.h"

#include "tsdb/db_impl.h"

namespace narthex::tsdb {

void DbImpl::PinPlaces(std::span<const SeriesId> ids, ReadView* view) const {
  absl::flat_hash_map<uint32_t, std::shared_ptr<Group>> groups;
  {
    ReaderMutexLock lock(&groups_mutex_);
    for (SeriesId id : ids) {
      ForEachGroup(id, [&](uint32_t group) ABSL_SHARED_LOCKS_REQUIRED(groups_mutex_) {
        view->places[id].push_back({group, ReadView::kNoSlot});
        const auto it = groups_.find(group);
        if (it != groups_.end()) groups.try_emplace(group, it->second);
      });
    }
  }
  for (auto& [id, places] : view->places) {
    for (ReadView::Place& place : places) {
      const auto group = groups.find(place.group);
      if (group == groups.end()) continue;  // it has no rounds in memory any more
      ReaderMutexLock lock(&group->second->mutex);
      const auto slot = group->second->slot_of.find(id);
      if (slot != group->second->slot_of.end()) place.slot = slot->second;
    }
  }
  // No commit is half done meanwhile.
  MutexLock commit(&commit_mutex_);
  for (const auto& [id, group] : groups) {
    HeadView& head = view->heads[id];
    ReaderMutexLock lock(&group->mutex);
    head.tiles.assign(group->tiles.begin(), group->tiles.end());
    OpenTile& open = group->open;
    if (open.readable == nullptr) open.readable = std::make_shared<LazyTile>(open.rounds);
    head.open = open.readable;
  }
  PinLoose(ids, view);
}

void DbImpl::PinLoose(std::span<const SeriesId> ids, ReadView* view) const {
  ReaderMutexLock lock(&loose_mutex_);
  view->loose = frozen_;
  if (loose_->empty()) return;
  view->loose.push_back(loose_);
  view->written = loose_.get();
  for (SeriesId id : ids) {
    const LooseColumn* column = loose_->Find(id);
    if (column != nullptr && column->count > 0) view->loose_counts.emplace(id, column->count);
  }
}

std::unique_ptr<ReadView> DbImpl::Pin(std::span<const SeriesId> ids, int64_t mint, int64_t maxt) const {
  auto view = std::make_unique<ReadView>();
  view->mint = mint;
  view->maxt = maxt;
  view->window_ms = options_.window_ms;
  // Nothing moves from memory to the store, or inside it, meanwhile.
  ReaderMutexLock layout(&layout_mutex_);
  view->cache = &run_cache_;
  view->layout = layout_version_;
  PinPlaces(ids, view.get());
  const bool query = !ids.empty();  // else all is read once
  view->hours = store_->NewCursor(Family::kHours, query);
  view->days = store_->NewCursor(Family::kDays, query);
  ReaderMutexLock lock(&windows_mutex_);
  view->dead = tombstones_;
  for (int64_t window : hourly_) {
    const bool in_range = window <= maxt && window + options_.window_ms > mint;
    // Without a list of its series it is a seal that was cut short: what it has is in memory, too.
    if (in_range && windows_.contains(window)) view->windows.push_back(window);
  }
  for (const auto& [day, generation] : days_) {
    if (day <= maxt && day + DayMs() > mint) view->merged.emplace_back(day, generation);
  }
  return view;
}

bool DbImpl::ReadLooseHead(const ReadView& view, SeriesId id, std::vector<int64_t>* times,
                           std::vector<double>* values, std::vector<Sample>* out) const {
  times->clear();
  values->clear();
  // The newest store may still be written to.
  ReaderMutexLock lock(&loose_mutex_);
  std::vector<std::pair<const LooseStore*, uint32_t>> in_range;  // and how many samples count
  for (const auto& store : view.loose) {
    const LooseColumn* column = store->Find(id);
    if (column == nullptr || column->count == 0 || column->last.t < view.mint) continue;
    uint32_t limit = UINT32_MAX;
    if (store.get() == view.written) {
      const auto counted = view.loose_counts.find(id);
      if (counted == view.loose_counts.end()) continue;
      limit = counted->second;
    }
    in_range.emplace_back(store.get(), limit);
  }
  if (in_range.empty()) return true;
  if (in_range.size() == 1 && in_range[0].first->ReadFloats(id, in_range[0].second, times, values, view.mint))
    return true;
  for (const auto& [store, limit] : in_range) store->Read(id, limit, out);
  return false;
}

}  // namespace narthex::tsdb
