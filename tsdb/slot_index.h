// Which slot a series has in its scrape group.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "tsdb/format/records.h"
#include "tsdb/memory.h"
#include "tsdb/series_index.h"

namespace narthex::tsdb {

// The series of a target get their ids one behind the other, and so do their slots: those of which this is
// true take no memory here. Owner: one Group, whose lock guards it. `slots`: the series of each slot, 0 if
// it has none; stays where it is as long as this.
class SlotIndex {
 public:
  static constexpr Slot kNone = 0xffffffff;
  explicit SlotIndex(const std::vector<SeriesId>* slots) : slots_(*slots) {}

  // kNone if the series has none.
  Slot Find(SeriesId series) const {
    const Slot guess = series - shift_;
    if (guess < slots_.size() && slots_[guess] == series) return guess;
    const auto it = elsewhere_.find(Series{series});
    return it == elsewhere_.end() ? kNone : *it;
  }
  // The slot has its series already.
  void Insert(Slot slot) {
    if (count_++ == 0) shift_ = slots_[slot] - slot;
    if (slots_[slot] - slot != shift_) elsewhere_.insert(slot);
  }
  // The slot has its series still.
  void Erase(Slot slot) {
    --count_;
    if (slots_[slot] - slot != shift_) elsewhere_.erase(slot);
  }
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  size_t MemoryBytes() const { return TableBytes(elsewhere_); }

 private:
  struct Series {
    SeriesId id;
  };
  struct Hash {
    using is_transparent = void;
    const std::vector<SeriesId>* slots;
    size_t operator()(Series series) const { return absl::Hash<SeriesId>()(series.id); }
    size_t operator()(Slot slot) const { return operator()(Series{(*slots)[slot]}); }
  };
  struct Equal {
    using is_transparent = void;
    const std::vector<SeriesId>* slots;
    bool operator()(Slot a, Slot b) const { return (*slots)[a] == (*slots)[b]; }
    bool operator()(Slot a, Series b) const { return (*slots)[a] == b.id; }
    bool operator()(Series a, Slot b) const { return a.id == (*slots)[b]; }
  };

  const std::vector<SeriesId>& slots_;
  SeriesId shift_ = 0;  // series less slot, of most
  size_t count_ = 0;
  absl::flat_hash_set<Slot, Hash, Equal> elsewhere_{0, Hash{&slots_}, Equal{&slots_}};
};

}  // namespace narthex::tsdb
