// One scrape group in memory: its slots, the open tile (rounds as they went to the journal) and the tiles
// before it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "model/labels.h"
#include "tsdb/format/records.h"
#include "tsdb/format/stripe.h"
#include "tsdb/format/tile_rows.h"
#include "tsdb/series_index.h"
#include "tsdb/slot_index.h"

namespace narthex::tsdb {

inline constexpr size_t kTileRows = TileRows::kMaxRows;

// Up to 32 rounds, series by series. Immutable once made.
struct Tile {
  std::vector<int64_t> times;
  std::vector<uint32_t> offsets;  // slots + 1, into bytes; an empty range = no rows
  std::string bytes;
  uint64_t first_sequence = 0, last_sequence = 0;
  size_t MemoryBytes() const;
  std::string_view Entry(uint32_t slot) const {
    if (slot + 1 >= offsets.size()) return {};
    return std::string_view(bytes).substr(offsets[slot], offsets[slot + 1] - offsets[slot]);
  }
};
using TilePtr = std::shared_ptr<const Tile>;

// The open tile: rounds coded one against the other.
using RoundBytes = std::shared_ptr<const std::string>;

// Rounds as a tile, decoded when somebody first asks, once for all who read the same rounds. Thread-safe.
class LazyTile {
 public:
  explicit LazyTile(std::vector<RoundBytes> rounds) : rounds_(std::move(rounds)) {}
  TilePtr Get();                                 // null if there are no rounds
  size_t MemoryBytes() const { return bytes_; }  // of the tile, once it is decoded

 private:
  Mutex mutex_;
  bool decoded_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<RoundBytes> rounds_ ABSL_GUARDED_BY(mutex_);
  TilePtr tile_ ABSL_GUARDED_BY(mutex_);
  std::atomic<size_t> bytes_{0};
};

struct OpenTile {
  std::vector<RoundBytes> rounds;
  std::vector<int64_t> times;
  Round last;
  uint64_t first_sequence = 0, last_sequence = 0;
  std::shared_ptr<LazyTile> readable;  // of these rounds; made and dropped under the commit mutex
};

// Decodes rounds to a tile. Null if there is none.
TilePtr BuildTile(const std::vector<RoundBytes>& rounds, uint64_t first_sequence, uint64_t last_sequence);

// Guarded by `mutex`, but id and key, which never change.
struct Group {
  Group(uint32_t group_id, Labels group_key) : id(group_id), key(std::move(group_key)) {}
  const uint32_t id;
  const Labels key;
  mutable Mutex mutex;
  std::vector<SeriesId> slots;
  SlotIndex slot_of{&slots};
  Bits tracked;  // slots with a value in the last round
  int64_t last_t = INT64_MIN;
  OpenTile open;
  std::deque<TilePtr> tiles;     // in order of arrival
  uint64_t sealed_sequence = 0;  // rounds up to here are in the store
  bool broken_chain = false;     // the next round must be a keyframe
  bool in_use = false;           // a GroupAppender exists

  Bits held;                                    // slots that the GroupAppender has added
  absl::flat_hash_map<Slot, size_t> held_more;  // how much more often than once
  // Slots that nobody knows, and the record that was the last to have them; UINT64_MAX: the next round's,
  // which has their stale markers.
  absl::flat_hash_map<Slot, uint64_t> idle;
  std::vector<Slot> released;    // since the last round
  std::vector<Slot> free_slots;  // slots without a series

  uint32_t next_row = 0, rows = 0;  // of the index, for its slots

  Slot AddSlot(SeriesId series);              // it is held from here on
  void LoadSlot(Slot slot, SeriesId series);  // the last one counts
  void Release(Slot slot);
  void ReleaseAll(uint64_t sequence);
  void SetIdle(uint64_t sequence);  // of what was released since the last round
  // Whether a round at t starts a new tile.
  bool NeedsNewTile(int64_t t, int64_t window_ms) const;
  void CloseTile();
  // Adds a coded round; `round` is what the bytes say.
  void AddRound(uint64_t sequence, std::string_view bytes, Round round);
  // At the start, when many rounds come and only the last one's values count: one whose values are not read
  // yet; then those of the open tile, all at once. Returns how many rounds are malformed and left out.
  void AddUnread(uint64_t sequence, int64_t t, std::string_view bytes);
  size_t ReadOpenTile();
  bool HasHead() const { return !tiles.empty() || !open.rounds.empty(); }
  struct Memory {
    size_t head = 0;   // rounds and tiles
    size_t slots = 0;  // what knows its series
  };
  Memory MemoryBytes() const;
  uint64_t FirstSequence() const;  // of unsealed rounds, UINT64_MAX if there are none
};

int64_t WindowOf(int64_t t, int64_t window_ms);

}  // namespace narthex::tsdb
