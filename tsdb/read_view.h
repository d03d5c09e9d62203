// What a query reads: the head, the stripes and the deletions as they were at one moment.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tsdb/group.h"
#include "tsdb/loose_store.h"
#include "tsdb/rocks_store.h"
#include "tsdb/run_cache.h"

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
  int64_t mint = 0, maxt = 0, window_ms = 0;
  RunCache* cache = nullptr;  // may be null
  uint64_t layout = 0;        // of the store, for the cache
  std::shared_ptr<const Tombstones> dead;
  std::unique_ptr<Cursor> hours, days;
  std::vector<int64_t> windows;                      // with stripes as sealed, in range, ascending
  std::vector<std::pair<int64_t, uint32_t>> merged;  // days in range and the generation of their merge
  absl::flat_hash_map<uint32_t, HeadView> heads;     // by group
  // The groups of each selected series, and its slot where it has one.
  struct Place {
    uint32_t group = 0;
    Slot slot = kNoSlot;
  };
  static constexpr Slot kNoSlot = UINT32_MAX;
  absl::flat_hash_map<SeriesId, std::vector<Place>> places;
  // Loose samples in memory, in order of arrival: the stores, and how many samples of a series count in the
  // last one.
  std::vector<std::shared_ptr<const LooseStore>> loose;
  const LooseStore* written = nullptr;  // the last one, if it was still written to
  absl::flat_hash_map<SeriesId, uint32_t> loose_counts;
};

}  // namespace narthex::tsdb
