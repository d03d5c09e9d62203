#include "tsdb/group.h"

#include <algorithm>

#include "tsdb/format/tile_rows.h"
#include "tsdb/memory.h"

namespace narthex::tsdb {

int64_t WindowOf(int64_t t, int64_t window_ms) {
  int64_t q = t / window_ms;
  if (t % window_ms < 0) --q;
  return q * window_ms;
}

TilePtr BuildTile(const std::vector<RoundBytes>& rounds, uint64_t first_sequence, uint64_t last_sequence) {
  auto tile = std::make_shared<Tile>();
  tile->first_sequence = first_sequence;
  tile->last_sequence = last_sequence;
  std::string bytes;
  // Rounds behind a malformed one are of no use.
  for (size_t usable = rounds.size(); usable > 0;) {
    TileRows rows;
    size_t read = 0;
    while (read < usable && rows.Add(*rounds[read])) ++read;
    if (read == 0) return nullptr;
    bytes.clear();
    bytes.reserve(rows.width() * rows.times().size());
    tile->offsets.assign(1, 0);
    tile->offsets.reserve(rows.width() + 1);
    if (rows.Encode(&bytes, &tile->offsets, &usable)) {
      tile->times = rows.times();
      tile->bytes = bytes;  // no longer than it has to be
      return tile;
    }
  }
  return nullptr;
}

size_t Tile::MemoryBytes() const {
  return HeapBytes(sizeof(Tile) + 16) + VectorBytes(times) + VectorBytes(offsets) + HeapBytes(bytes);
}

TilePtr LazyTile::Get() {
  MutexLock lock(&mutex_);
  if (!decoded_) {
    tile_ = BuildTile(rounds_, 0, 0);
    if (tile_ != nullptr) bytes_ = tile_->MemoryBytes();
    rounds_.clear();
    decoded_ = true;
  }
  return tile_;
}

Slot Group::AddSlot(SeriesId series) {
  Slot slot = slot_of.Find(series);
  if (slot == SlotIndex::kNone) {
    if (free_slots.empty()) {
      slot = static_cast<Slot>(slots.size());
      slots.push_back(series);
    } else {
      slot = free_slots.back();
      free_slots.pop_back();
      slots[slot] = series;
    }
    slot_of.Insert(slot);
  }
  if (held.Get(slot))
    ++held_more[slot];
  else
    held.Set(slot);
  idle.erase(slot);
  return slot;
}

void Group::LoadSlot(Slot slot, SeriesId series) {
  if (slot >= slots.size()) slots.resize(slot + 1, 0);
  if (slots[slot] == series) return;
  if (slots[slot] != 0) slot_of.Erase(slot);
  slots[slot] = series;
  slot_of.Insert(slot);
}

void Group::Release(Slot slot) {
  if (!held.Get(slot)) return;
  if (const auto more = held_more.find(slot); more != held_more.end()) {
    if (--more->second == 0) held_more.erase(more);
    return;
  }
  held.Set(slot, false);
  idle[slot] = UINT64_MAX;
  released.push_back(slot);
}

void Group::ReleaseAll(uint64_t sequence) {
  for (Slot slot = 0; slot < held.size(); ++slot)
    if (held.Get(slot)) idle[slot] = sequence;
  held = Bits();
  held_more.clear();
  SetIdle(sequence);
}

void Group::SetIdle(uint64_t sequence) {
  for (Slot slot : released) {
    const auto it = idle.find(slot);
    if (it != idle.end() && it->second == UINT64_MAX) it->second = sequence;
  }
  released.clear();
}

bool Group::NeedsNewTile(int64_t t, int64_t window_ms) const {
  if (open.rounds.empty()) return true;
  return broken_chain || open.rounds.size() >= kTileRows || t <= open.times.back() ||
         WindowOf(t, window_ms) != WindowOf(open.times.front(), window_ms);
}

void Group::CloseTile() {
  TilePtr tile = BuildTile(open.rounds, open.first_sequence, open.last_sequence);
  if (tile != nullptr && !tile->times.empty()) tiles.push_back(std::move(tile));
  open.rounds.clear();
  open.times.clear();
  open.readable.reset();
}

void Group::AddRound(uint64_t sequence, std::string_view bytes, Round round) {
  if (open.rounds.empty()) open.first_sequence = sequence;
  open.last_sequence = sequence;
  open.rounds.push_back(std::make_shared<const std::string>(bytes));
  open.times.push_back(round.t);
  open.readable.reset();
  SetIdle(sequence);
  // The round that ends a series nobody holds is the last to have its slot.
  for (uint32_t s : round.stale) {
    const auto it = idle.find(s);
    if (it != idle.end()) it->second = sequence;
  }
  tracked = round.present;
  for (uint32_t s : round.tracked_only) tracked.Set(s);
  last_t = round.t;
  open.last = std::move(round);
}

void Group::AddUnread(uint64_t sequence, int64_t t, std::string_view bytes) {
  if (open.rounds.empty()) open.first_sequence = sequence;
  open.last_sequence = sequence;
  open.rounds.push_back(std::make_shared<const std::string>(bytes));
  open.times.push_back(t);
  last_t = t;
}

size_t Group::ReadOpenTile() {
  Round round;
  for (size_t i = 0; i < open.rounds.size(); ++i) {
    ByteReader in(*open.rounds[i]);
    if (ReadRound(&in, i == 0, &round)) continue;
    const size_t lost = open.rounds.size() - i;
    open.rounds.resize(i);
    open.times.resize(i);
    return lost + ReadOpenTile();
  }
  if (open.rounds.empty()) return 0;
  tracked = round.present;
  for (uint32_t s : round.tracked_only) tracked.Set(s);
  open.last = std::move(round);
  return 0;
}

Group::Memory Group::MemoryBytes() const {
  Memory out;
  for (const TilePtr& tile : tiles) out.head += tile->MemoryBytes();
  for (const RoundBytes& round : open.rounds)
    out.head += HeapBytes(sizeof(std::string) + 16) + HeapBytes(*round);
  if (open.readable != nullptr) out.head += open.readable->MemoryBytes();
  out.slots = VectorBytes(slots) + slot_of.MemoryBytes() + TableBytes(held_more) +
              VectorBytes(open.last.values) + slots.size() / 2 + TableBytes(idle) + VectorBytes(released) +
              VectorBytes(free_slots) + 1024;
  return out;
}

uint64_t Group::FirstSequence() const {
  if (!tiles.empty()) return tiles.front()->first_sequence;
  return open.rounds.empty() ? UINT64_MAX : open.first_sequence;
}

}  // namespace narthex::tsdb
