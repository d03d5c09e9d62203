// Samples in memory that belong to no round, one compact column a series.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tsdb/format/records.h"
#include "tsdb/memory.h"
#include "tsdb/series_index.h"

namespace narthex::tsdb {

// Samples in order of arrival, each coded against the one before: about 3 bytes a sample.
struct LooseColumn {
  std::string bytes;
  uint32_t count = 0;
  Sample last{INT64_MIN, 0, nullptr, 0};  // the newest; survives a seal, for the order checks
  int64_t coder_t = 0, coder_delta = 0;   // state of the coder
  double coder_v = 0;
  bool plain = true;  // floats without start timestamps, in the order of time
  // The coder's state before every 32nd sample, the newest two: who wants the last minutes begins there.
  struct Mark {
    uint32_t offset = 0, count = 0;
    int64_t t = INT64_MIN, delta = 0;
    double v = 0;
  };
  Mark marks[2];
};

// Not thread-safe: the owner locks it, or it is frozen (no longer written).
class LooseStore {
 public:
  void Add(const LooseSample& s) { Add(s.sample, ColumnOf(s.series)); }
  // The same for who adds several samples of a series: its column, made if new, valid until the next call.
  LooseColumn* ColumnOf(SeriesId id) { return &columns_[id]; }
  void Add(const Sample& sample, LooseColumn* column);
  // Appends the first `limit` samples of a series to *out in order of arrival.
  void Read(SeriesId id, uint32_t limit, std::vector<Sample>* out) const;
  // The same for a series that has floats without start timestamps only, in the order of time; samples before
  // `mint` may be left out. False (and nothing read) if it has others.
  bool ReadFloats(SeriesId id, uint32_t limit, std::vector<int64_t>* times, std::vector<double>* values,
                  int64_t mint = INT64_MIN) const;
  // The same of a column that was found before.
  static bool ReadFloats(const LooseColumn& column, uint32_t limit, std::vector<int64_t>* times,
                         std::vector<double>* values, int64_t mint);
  const LooseColumn* Find(SeriesId id) const;
  const absl::flat_hash_map<SeriesId, LooseColumn>& columns() const { return columns_; }
  size_t bytes() const { return bytes_; }
  size_t MemoryBytes() const { return heap_ + TableBytes(columns_); }
  bool empty() const { return samples_ == 0; }
  uint64_t samples() const { return samples_; }
  int64_t min_t() const { return min_t_; }
  int64_t max_t() const { return max_t_; }
  uint64_t first_sequence = 0, last_sequence = 0;
  // What the order checks need, for the store that takes over; series without samples since `since` are
  // forgotten.
  void Forget(SeriesId id);  // a series without samples here
  void NoteLast(SeriesId id, const Sample& sample);
  void InheritLast(const LooseStore& other, int64_t since);

 private:
  absl::flat_hash_map<SeriesId, LooseColumn> columns_;
  void SetLast(LooseColumn* column, const Sample& sample);

  size_t bytes_ = 0;
  size_t heap_ = 0;  // what the columns own
  uint64_t samples_ = 0;
  int64_t min_t_ = INT64_MAX, max_t_ = INT64_MIN;
};

}  // namespace narthex::tsdb
