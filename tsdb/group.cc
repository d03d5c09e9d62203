#include "tsdb/group.h"

#include <algorithm>

#include "tsdb/memory.h"

namespace narthex::tsdb {

int64_t WindowOf(int64_t t, int64_t window_ms) {
  int64_t q = t / window_ms;
  if (t % window_ms < 0) --q;
  return q * window_ms;
}

namespace {

// The rounds of a tile, decoded: row after row, each as wide as its round.
struct DecodedRounds {
  explicit DecodedRounds(const std::vector<RoundBytes>& rounds) {
    Round round;
    for (size_t i = 0; i < rounds.size(); ++i) {
      ByteReader in(*rounds[i]);
      if (!ReadRound(&in, i == 0, &round)) break;
      times.push_back(round.t);
      begins.push_back(values.size());
      width = round.values.size();  // rounds only grow
      values.insert(values.end(), round.values.begin(), round.values.end());
      present.push_back(round.present);
      for (uint32_t slot : round.stale) stale.emplace_back(slot, static_cast<uint32_t>(i));
    }
    begins.push_back(values.size());
    std::sort(stale.begin(), stale.end());
  }

  // Slots with a value in every row and no stale marker.
  Bits Dense() const {
    Bits dense;
    dense.SetAll(width);
    for (const Bits& row : present) dense.And(row);
    for (const auto& [slot, row] : stale) dense.Set(slot, false);
    return dense;
  }

  // The values of a slot, 0 where there is none.
  void Column(size_t slot, double* column) const {
    for (size_t i = 0; i < times.size(); ++i) {
      column[i] = slot < begins[i + 1] - begins[i] ? values[begins[i] + slot] : 0;
    }
  }

  size_t width = 0;
  std::vector<int64_t> times;
  std::vector<size_t> begins;  // of rows in `values`, and the end
  std::vector<double> values;
  std::vector<Bits> present;
  std::vector<std::pair<uint32_t, uint32_t>> stale;  // slot, row
};

}  // namespace

TilePtr BuildTile(const std::vector<RoundBytes>& rounds, uint64_t first_sequence, uint64_t last_sequence) {
  if (rounds.empty()) return nullptr;
  auto tile = std::make_shared<Tile>();
  tile->first_sequence = first_sequence;
  tile->last_sequence = last_sequence;
  const DecodedRounds decoded(rounds);
  const size_t n = decoded.times.size();
  tile->times = decoded.times;
  tile->offsets.reserve(decoded.width + 1);
  tile->offsets.push_back(0);
  const Bits dense = decoded.Dense();
  std::vector<double> column(n);
  SeriesRows series;
  size_t next_stale = 0;
  std::string bytes;
  bytes.reserve(decoded.values.size());
  for (size_t s = 0; s < decoded.width; ++s) {
    decoded.Column(s, column.data());
    if (dense.Get(s)) {
      PutDenseEntry(&bytes, column.data(), n);
    } else {
      series.present = Bits(n);
      series.stale = Bits(n);
      series.values = column;
      for (size_t i = 0; i < n; ++i) series.present.Set(i, decoded.present[i].Get(s));
      for (; next_stale < decoded.stale.size() && decoded.stale[next_stale].first == s; ++next_stale) {
        series.stale.Set(decoded.stale[next_stale].second);
      }
      if (!series.Empty()) bytes += EncodeEntry(series, n);
    }
    tile->offsets.push_back(static_cast<uint32_t>(bytes.size()));
  }
  tile->bytes = bytes;  // no longer than it has to be
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
