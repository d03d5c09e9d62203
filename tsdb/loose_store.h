// Samples in memory that belong to no round, one compact column a series.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/byte_blocks.h"
#include "tsdb/format/records.h"
#include "tsdb/id_map.h"
#include "tsdb/memory.h"
#include "tsdb/series_index.h"

namespace narthex::tsdb {

// Samples in order of arrival, each coded against the one before; every 32nd begins anew, against 0. About 3
// bytes a sample, and a cache line for all else.
struct alignas(64) LooseColumn {
  int64_t coder_t = INT64_MIN, coder_delta = 0;  // state of the coder
  double coder_v = 0;
  std::unique_ptr<Sample> newest;  // null: it is what the coder has
  SeriesId id = 0;
  uint32_t count = 0;
  uint32_t record = 0;  // the journal's that has coder_v, and where a next one may go on; 0: none
  uint32_t first_block = ByteBlocks::kNone, end_block = ByteBlocks::kNone;
  // The newest two places where the coder began anew: who wants the last minutes reads from there.
  uint32_t mark_blocks[2] = {ByteBlocks::kNone, ByteBlocks::kNone};
  uint8_t mark_offsets[2] = {0, 0}, end_offset = 0;
  uint8_t chained : 7 = 0;  // floats in the journal since one that stands for itself
  bool plain : 1 = true;    // floats without start timestamps, in the order of time

  ByteBlocks::Position begin() const { return {first_block, 0}; }
  ByteBlocks::Position end() const { return {end_block, end_offset}; }

  // The newest sample; survives a seal, for the order checks. Time INT64_MIN: none.
  int64_t last_t() const { return newest != nullptr ? newest->t : coder_t; }
  Sample last() const { return newest != nullptr ? *newest : Sample{coder_t, coder_v, nullptr, 0}; }
};

// More is sealed before its window is over.
inline constexpr size_t kMaxLooseBytes = 32 << 20;

// Not thread-safe: the owner locks it, or it is frozen (no longer written).
class LooseStore {
 public:
  void Add(const LooseSample& s) { Add(s.sample, ColumnOf(s.series)); }
  // The same for who adds several samples of a series: its column, made if new. It stays where it is.
  LooseColumn* ColumnOf(SeriesId id);
  void Add(const Sample& sample, LooseColumn* column);
  // Appends the first `limit` samples of a series to *out in order of arrival.
  void Read(SeriesId id, uint32_t limit, std::vector<Sample>* out) const;
  // The same for a series that has floats without start timestamps only, in the order of time; samples before
  // `mint` may be left out. False (and nothing read) if it has others.
  bool ReadFloats(SeriesId id, uint32_t limit, std::vector<int64_t>* times, std::vector<double>* values,
                  int64_t mint = INT64_MIN) const;
  // The same of a column that was found before.
  bool ReadFloats(const LooseColumn& column, uint32_t limit, std::vector<int64_t>* times,
                  std::vector<double>* values, int64_t mint) const;
  const LooseColumn* Find(SeriesId id) const {
    const uint32_t place = places_.Get(id);
    return place == 0 ? nullptr : &At(place - 1);
  }
  // Calls f(column) for each series that is known here; it may have no samples.
  template <typename F>
  void ForEach(F f) const {
    for (uint32_t i = 0; i < size_; ++i)
      if (At(i).id != 0) f(At(i));
  }
  size_t bytes() const { return bytes_; }
  size_t MemoryBytes() const;
  size_t series() const { return series_; }
  bool empty() const { return samples_ == 0; }
  uint64_t samples() const { return samples_; }
  int64_t min_t() const { return min_t_; }
  int64_t max_t() const { return max_t_; }

  // The journal. A float may be coded against its series' last one, if that stands in a record of this store
  // (all of them go together) and not too many have been coded so, one against the other: what a lost record
  // takes with it is bounded.
  RunFloat ForJournal(const LooseSample& s, const LooseColumn& column) const;
  // The same the other way: what the float read was coded against. False: that was lost.
  bool Before(const RunFloat& f, const LooseColumn& column, double* before) const;
  // To be called behind Add(), with what the journal has.
  void NoteRecord(uint64_t sequence, bool linked, LooseColumn* column) const;
  uint64_t first_sequence = 0, last_sequence = 0;

  // What the order checks need, for the store that takes over; series without samples since `since` are
  // forgotten.
  void Forget(SeriesId id);  // a series without samples here
  void NoteLast(SeriesId id, const Sample& sample);
  void InheritLast(const LooseStore& other, int64_t since);

 private:
  static constexpr uint32_t kSlab = 1024;
  LooseColumn& At(uint32_t i) { return slabs_[i / kSlab][i % kSlab]; }
  const LooseColumn& At(uint32_t i) const { return slabs_[i / kSlab][i % kSlab]; }
  void SetLast(LooseColumn* column, const Sample& sample);

  IdMap places_;  // 1 and more
  std::vector<std::unique_ptr<LooseColumn[]>> slabs_;
  uint32_t size_ = 0;
  size_t series_ = 0;
  ByteBlocks blocks_;
  std::string coded_;  // a sample on its way

  size_t bytes_ = 0;
  size_t heap_ = 0;  // of samples that stand beside their columns
  uint64_t samples_ = 0;
  int64_t min_t_ = INT64_MAX, max_t_ = INT64_MIN;
};

}  // namespace narthex::tsdb
