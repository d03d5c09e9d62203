#include "tsdb/group.h"

#include <algorithm>

#include "tsdb/memory.h"

namespace narthex::tsdb {

int64_t WindowOf(int64_t t, int64_t window_ms) {
  int64_t q = t / window_ms;
  if (t % window_ms < 0) --q;
  return q * window_ms;
}

TilePtr BuildTile(const std::vector<RoundBytes>& rounds, uint64_t first_sequence, uint64_t last_sequence) {
  if (rounds.empty()) return nullptr;
  auto tile = std::make_shared<Tile>();
  tile->first_sequence = first_sequence;
  tile->last_sequence = last_sequence;
  const size_t n = rounds.size();
  Round round;
  std::vector<double> matrix;  // row after row, each as wide as the last round
  std::vector<Round> rows;
  rows.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    ByteReader in(*rounds[i]);
    if (!ReadRound(&in, i == 0, &round)) break;
    rows.push_back(round);
  }
  const size_t width = rows.empty() ? 0 : rows.back().values.size();
  for (const Round& r : rows) tile->times.push_back(r.t);
  std::vector<std::vector<size_t>> stale(width);
  for (size_t i = 0; i < rows.size(); ++i) {
    for (uint32_t s : rows[i].stale) stale[s].push_back(i);
  }
  tile->offsets.assign(1, 0);
  SeriesRows series;
  for (size_t s = 0; s < width; ++s) {
    series.present = Bits(rows.size());
    series.stale = Bits(rows.size());
    series.values.assign(rows.size(), 0);
    bool any = !stale[s].empty();
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i].present.Get(s)) continue;
      series.present.Set(i);
      series.values[i] = rows[i].values[s];
      any = true;
    }
    for (size_t i : stale[s]) series.stale.Set(i);
    if (any) tile->bytes += EncodeEntry(series, rows.size());
    tile->offsets.push_back(static_cast<uint32_t>(tile->bytes.size()));
  }
  tile->bytes.shrink_to_fit();
  tile->offsets.shrink_to_fit();
  tile->times.shrink_to_fit();
  return tile;
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
  const auto [it, added] = slot_of.emplace(series, 0);
  if (added && !free_slots.empty()) {
    it->second = free_slots.back();
    free_slots.pop_back();
    slots[it->second] = series;
  } else if (added) {
    it->second = static_cast<Slot>(slots.size());
    slots.push_back(series);
  }
  if (it->second >= held.size()) held.resize(it->second + 1, 0);
  ++held[it->second];
  idle.erase(it->second);
  return it->second;
}

void Group::LoadSlot(Slot slot, SeriesId series) {
  if (slot >= slots.size()) slots.resize(slot + 1, 0);
  slots[slot] = series;
  slot_of[series] = slot;
}

void Group::Release(Slot slot) {
  if (slot >= held.size() || held[slot] == 0 || --held[slot] > 0) return;
  idle[slot] = UINT64_MAX;
  released.push_back(slot);
}

void Group::ReleaseAll(uint64_t sequence) {
  for (Slot slot = 0; slot < held.size(); ++slot)
    if (held[slot] > 0) idle[slot] = sequence;
  held.clear();
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

void Group::AddRound(uint64_t sequence, std::string bytes, Round round) {
  if (open.rounds.empty()) open.first_sequence = sequence;
  open.last_sequence = sequence;
  bytes.shrink_to_fit();
  open.rounds.push_back(std::make_shared<const std::string>(std::move(bytes)));
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

Group::Memory Group::MemoryBytes() const {
  Memory out;
  for (const TilePtr& tile : tiles) out.head += tile->MemoryBytes();
  for (const RoundBytes& round : open.rounds)
    out.head += HeapBytes(sizeof(std::string) + 16) + HeapBytes(*round);
  if (open.readable != nullptr) out.head += open.readable->MemoryBytes();
  out.slots = VectorBytes(slots) + TableBytes(slot_of) + VectorBytes(held) + VectorBytes(open.last.values) +
              slots.size() / 4 + TableBytes(idle) + VectorBytes(released) + VectorBytes(free_slots) + 1024;
  return out;
}

uint64_t Group::FirstSequence() const {
  if (!tiles.empty()) return tiles.front()->first_sequence;
  return open.rounds.empty() ? UINT64_MAX : open.first_sequence;
}

}  // namespace narthex::tsdb
