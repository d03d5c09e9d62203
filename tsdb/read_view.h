// What a query reads: the head, the stripes and the deletions as they were at one moment.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tsdb/cursor_pool.h"
#include "tsdb/group.h"
#include "tsdb/loose_store.h"
#include "tsdb/rocks_store.h"
#include "tsdb/run_cache.h"
#include "tsdb/stripe_cache.h"
#include "tsdb/stripe_directory.h"

namespace narthex::tsdb {

using Interval = std::pair<int64_t, int64_t>;  // both ends included
using Tombstones = absl::flat_hash_map<SeriesId, std::vector<Interval>>;

// The rounds of one group that were in memory. Not thread-safe.
struct HeadView {
  std::vector<TilePtr> tiles;
  std::shared_ptr<LazyTile> open;  // null: none, or among the tiles already
  const std::vector<TilePtr>& Tiles() {
    if (open != nullptr) {
      if (TilePtr tile = open->Get()) tiles.push_back(std::move(tile));
      open.reset();
    }
    return tiles;
  }
};

// Stays as it is whatever is sealed, merged, dropped or removed meanwhile. Owner: one series set; not
// thread-safe.
struct ReadView {
  ReadView() = default;
  ~ReadView();
  ReadView(const ReadView&) = delete;

  int64_t mint = 0, maxt = 0, window_ms = 0;
  RunCache* cache = nullptr;  // may be null
  uint64_t layout = 0;        // of the store, for what is remembered
  std::shared_ptr<const Tombstones> dead;
  std::unique_ptr<Cursor> hours, days;  // null: there is nothing to read there
  struct Cursors {
    std::unique_ptr<Cursor> hours, days;
  };
  std::vector<Cursors> spare;                        // for other readers
  std::vector<int64_t> windows;                      // with stripes as sealed, in range, ascending
  std::vector<std::pair<int64_t, uint32_t>> merged;  // days in range and the generation of their merge
  absl::flat_hash_map<uint32_t, HeadView> heads;     // by group
  // The group of each selected series (0: none), and its slot where it has one. What is said "of each series"
  // has the order of the selection.
  static constexpr Slot kNoSlot = UINT32_MAX;
  struct Place {
    uint32_t group = 0;
    Slot slot = kNoSlot;
  };
  std::vector<Place> places;
  absl::flat_hash_map<size_t, std::vector<Place>> more_places;  // of series in several groups: the others
  // Calls f(place) for each group of a series.
  template <typename F>
  void ForEachPlace(size_t i, F f) const {
    if (places[i].group == 0) return;
    f(places[i]);
    const auto more = more_places.find(i);
    if (more == more_places.end()) return;
    for (const Place& place : more->second) f(place);
  }
  // Loose samples in memory, in order of arrival: the stores, and how many samples of a series count in the
  // last one.
  std::vector<std::shared_ptr<const LooseStore>> loose;
  const LooseStore* written = nullptr;  // the last one, if it was still written to
  std::vector<uint32_t> loose_counts;   // of each series; empty if `written` is null

  // Of each series, if only one sample was asked for: the newest in range, where memory alone tells which it
  // is. A stale marker is a sample. Empty if more was asked for.
  struct Newest {
    int64_t t = INT64_MIN;  // INT64_MIN: not known
    double v = 0;
    bool known() const { return t != INT64_MIN; }
  };
  std::vector<Newest> newest;

  StripeCache* stripes = nullptr;            // null: this is not for small selections
  StripeDirectories* directories = nullptr;  // may be null
  CursorPool* pool = nullptr;                // where the cursors go; may be null

  // The same view for another thread; nullptr: there are no cursors left for it.
  std::unique_ptr<ReadView> NewReader();
};

}  // namespace narthex::tsdb
