// The series that have a label pair.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "roaring/roaring.hh"

namespace narthex::tsdb {

using SeriesId = uint32_t;  // from 1; used again when nothing names the series any more

// Ascending series ids: few as they are, many as a Roaring bitmap (Lemire et al., "Roaring Bitmaps:
// Implementation of an Optimized Software Library"), where ids in a row take next to nothing. Not
// thread-safe; owner: SeriesIndex.
class Postings {
 public:
  // Whether any of these series (ascending) passes. Takes no locks.
  using Filter = std::function<bool(std::span<const SeriesId>)>;

  void Add(SeriesId id);
  // Ascending ids that are not here yet; not packed until Finish().
  void AddMany(std::span<const SeriesId> ids);
  void Finish();
  void Remove(const Roaring& gone);
  size_t size() const { return many_ == nullptr ? few_.size() : many_->count; }
  bool empty() const { return size() == 0; }
  void AppendTo(std::vector<SeriesId>* out) const;
  // Keeps those of `ids` (ascending) that are here (`in`), or those that are not.
  void Keep(bool in, std::vector<SeriesId>* ids) const;
  // Those that are here and there.
  std::vector<SeriesId> Common(const Postings& other) const;
  // Asks for some series after the other until one passes.
  bool Any(const Filter& filter) const;
  // The same of those that are among others (ascending), one by one.
  bool AnyOf(std::span<const SeriesId> among, const Filter& filter) const;
  // On the heap.
  size_t MemoryBytes() const;

 private:
  static constexpr size_t kFew = 32;
  struct Many {
    Roaring ids;
    size_t count = 0;
    SeriesId last = 0;
    size_t bytes = 0;   // on the heap, about
    size_t packed = 0;  // how many they were at the last Pack()
  };
  void BecomeMany();  // not packed
  void Pack();
  std::vector<SeriesId> few_;
  std::unique_ptr<Many> many_;
};

}  // namespace narthex::tsdb
