// Pinning: copying the pointers to everything that a query may read, at one moment.
#include "tsdb/read_view.h"

#include <algorithm>
#include <optional>

#include "tsdb/db_impl.h"
#include "tsdb/newest.h"

namespace narthex::tsdb {

// Selections that are worth remembering stripes for: what lies in a few of them.
constexpr size_t kFewSeries = 256;

// The selected series of a group that has rounds in memory.
struct DbImpl::PinnedGroup {
  std::shared_ptr<Group> group;
  std::vector<NewestSamples::Member> members;
};

DbImpl::PinnedGroups DbImpl::PinPlaces(std::span<const SeriesId> ids, ReadView* view) const {
  PinnedGroups groups;
  view->places.resize(ids.size());
  {
    ReaderMutexLock lock(&groups_mutex_);
    const auto note = [&](size_t i, uint32_t group) ABSL_SHARED_LOCKS_REQUIRED(groups_mutex_) {
      if (view->places[i].group == 0)
        view->places[i].group = group;
      else
        view->more_places[i].push_back({group, ReadView::kNoSlot});
      const auto [it, fresh] = groups.try_emplace(group);
      if (fresh) {
        const auto known = groups_.find(group);
        if (known != groups_.end()) it->second.group = known->second;
      }
      it->second.members.push_back({i, ReadView::kNoSlot});
    };
    for (size_t i = 0; i < ids.size(); ++i) {
      ForEachGroup(ids[i], [&](uint32_t group) ABSL_SHARED_LOCKS_REQUIRED(groups_mutex_) { note(i, group); });
    }
  }
  // The others have no rounds in memory any more.
  absl::erase_if(groups, [](const auto& entry) { return entry.second.group == nullptr; });
  for (auto& [id, pinned] : groups) {
    ReaderMutexLock lock(&pinned.group->mutex);
    for (NewestSamples::Member& member : pinned.members) {
      const Slot slot = pinned.group->slot_of.Find(ids[member.series]);
      if (slot == SlotIndex::kNone) continue;
      member.slot = slot;
      if (view->places[member.series].group == id) {
        view->places[member.series].slot = slot;
        continue;
      }
      for (ReadView::Place& place : view->more_places.at(member.series)) {
        if (place.group == id) place.slot = slot;
      }
    }
  }
  return groups;
}

void DbImpl::PinHead(std::span<const SeriesId> ids, const SelectHints& hints, ReadView* view) const {
  const PinnedGroups groups = PinPlaces(ids, view);
  std::optional<NewestSamples> newest;
  if (hints.instants.count == 1)
    newest.emplace(view->mint, std::min(view->maxt, hints.instants.first), ids.size());
  // No commit is half done meanwhile.
  MutexLock commit(&commit_mutex_);
  if (newest) {
    PinNewest(ids, groups, &*newest, view);
    view->newest = newest->Take();
  }
  const auto is_known = [&](size_t i) { return newest && newest->known(i); };
  for (const auto& [id, pinned] : groups) {
    if (std::all_of(pinned.members.begin(), pinned.members.end(),
                    [&](const NewestSamples::Member& m) { return is_known(m.series); })) {
      continue;
    }
    HeadView& head = view->heads[id];
    ReaderMutexLock lock(&pinned.group->mutex);
    head.tiles.assign(pinned.group->tiles.begin(), pinned.group->tiles.end());
    OpenTile& open = pinned.group->open;
    if (open.readable == nullptr) open.readable = std::make_shared<LazyTile>(open.rounds);
    head.open = open.readable;
  }
  ReaderMutexLock lock(&loose_mutex_);
  view->loose = frozen_;
  if (loose_->empty()) return;
  view->loose.push_back(loose_);
  view->written = loose_.get();
  view->loose_counts.assign(ids.size(), 0);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (is_known(i)) continue;
    const LooseColumn* column = loose_->Find(ids[i]);
    if (column != nullptr) view->loose_counts[i] = column->count;
  }
}

void DbImpl::PinNewest(std::span<const SeriesId> ids, const PinnedGroups& groups, NewestSamples* newest,
                       const ReadView* view) const {
  for (const auto& [id, pinned] : groups) {
    ReaderMutexLock lock(&pinned.group->mutex);
    newest->AddRounds(*pinned.group, pinned.members);
  }
  ReaderMutexLock lock(&loose_mutex_);
  const auto add_store = [&](const LooseStore& store) {
    for (size_t i = 0; i < ids.size(); ++i) {
      const LooseColumn* column = store.Find(ids[i]);
      if (column != nullptr) newest->AddLoose(i, *column);
    }
  };
  for (const auto& store : frozen_) add_store(*store);
  if (!loose_->empty()) add_store(*loose_);
  ReaderMutexLock windows_lock(&windows_mutex_);
  const auto first = windows_.upper_bound(view->mint - view->window_ms);
  for (auto it = first; it != windows_.end() && it->first <= view->maxt; ++it) {
    for (size_t i = 0; i < ids.size(); ++i)
      newest->AddWindow(i, ids[i], it->first + view->window_ms, *it->second);
  }
  if (tombstones_->empty()) return;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (tombstones_->contains(ids[i])) newest->Forget(i);
  }
}

std::unique_ptr<ReadView> DbImpl::Pin(std::span<const SeriesId> ids, int64_t mint, int64_t maxt,
                                      const SelectHints& hints) const {
  auto view = std::make_unique<ReadView>();
  view->mint = mint;
  view->maxt = maxt;
  view->window_ms = options_.window_ms;
  // Nothing moves from memory to the store, or inside it, meanwhile.
  ReaderMutexLock layout(&layout_mutex_);
  view->cache = &run_cache_;
  view->directories = &directories_;
  if (!ids.empty() && ids.size() <= kFewSeries) view->stripes = &stripe_cache_;
  view->layout = layout_version_;
  PinHead(ids, hints, view.get());
  {
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
  }
  PinCursors(ids.size(), hints, view.get());
  return view;
}

// Cursors cost more than the rest of a small query: only those that will be used are made.
void DbImpl::PinCursors(size_t series, const SelectHints& hints, ReadView* view) const {
  const bool query = series > 0;  // else all is read once
  const bool from_memory =
      query && !view->newest.empty() &&
      std::all_of(view->newest.begin(), view->newest.end(), [](const auto& n) { return n.known(); });
  const bool hours = !query || (!from_memory && !view->windows.empty());
  const bool days = !query || (!from_memory && !view->merged.empty());
  const auto cursor = [&](Family family) {
    std::unique_ptr<Cursor> idle = query ? cursors_.Take(family, view->layout) : nullptr;
    return idle != nullptr ? std::move(idle) : store_->NewCursor(family, query);
  };
  const auto make = [&] {
    return ReadView::Cursors{hours ? cursor(Family::kHours) : nullptr,
                             days ? cursor(Family::kDays) : nullptr};
  };
  if (query) view->pool = &cursors_;
  ReadView::Cursors first = make();
  view->hours = std::move(first.hours);
  view->days = std::move(first.days);
  constexpr size_t kManySeries = 128;
  for (int i = 1; i < hints.readers && series > kManySeries && !from_memory; ++i) {
    view->spare.push_back(make());
  }
}

ReadView::~ReadView() {
  if (pool == nullptr) return;
  spare.push_back({std::move(hours), std::move(days)});
  for (Cursors& both : spare) {
    pool->Give(Family::kHours, layout, std::move(both.hours));
    pool->Give(Family::kDays, layout, std::move(both.days));
  }
}

std::unique_ptr<ReadView> ReadView::NewReader() {
  if (spare.empty()) return nullptr;
  auto view = std::make_unique<ReadView>();
  view->mint = mint;
  view->maxt = maxt;
  view->window_ms = window_ms;
  view->cache = cache;
  view->stripes = stripes;
  view->directories = directories;
  view->pool = pool;
  view->layout = layout;
  view->dead = dead;
  view->hours = std::move(spare.back().hours);
  view->days = std::move(spare.back().days);
  spare.pop_back();
  view->windows = windows;
  view->merged = merged;
  view->heads = heads;
  view->places = places;
  view->more_places = more_places;
  view->loose = loose;
  view->written = written;
  view->loose_counts = loose_counts;
  view->newest = newest;
  return view;
}

bool DbImpl::ReadLooseHead(const ReadView& view, size_t i, SeriesId id, std::vector<int64_t>* times,
                           std::vector<double>* values, std::vector<Sample>* out) const {
  times->clear();
  values->clear();
  if (view.loose.empty()) return true;
  // The newest store may still be written to.
  ReaderMutexLock lock(&loose_mutex_);
  const LooseColumn* only = nullptr;
  std::vector<std::pair<const LooseStore*, uint32_t>> in_range;  // and how many samples count
  for (const auto& store : view.loose) {
    const LooseColumn* column = store->Find(id);
    if (column == nullptr || column->count == 0 || column->last_t() < view.mint) continue;
    uint32_t limit = UINT32_MAX;
    if (store.get() == view.written) {
      limit = view.loose_counts[i];
      if (limit == 0) continue;
    }
    in_range.emplace_back(store.get(), limit);
    only = column;
  }
  if (in_range.empty()) return true;
  if (in_range.size() == 1 &&
      in_range[0].first->ReadFloats(*only, in_range[0].second, times, values, view.mint))
    return true;
  for (const auto& [store, limit] : in_range) store->Read(id, limit, out);
  return false;
}

}  // namespace narthex::tsdb
