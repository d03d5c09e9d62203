// The index in memory: series ids, label pairs, postings. Filled from the store at open.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

using SeriesId = uint32_t;  // from 1; never used again while the directory lives

// Thread-safe. A series is a list of label pair ids (about 3 bytes a label); a pair's text is kept once.
class SeriesIndex {
 public:
  SeriesId Find(const Labels& labels) const;  // 0 if unknown
  SeriesId next_id() const;
  void Add(SeriesId id, const Labels& labels);
  void Remove(const std::vector<SeriesId>& ids);
  Labels LabelsOf(SeriesId id) const;  // empty if unknown
  bool Has(SeriesId id) const;
  size_t series_count() const;

  // Ids of the series that match, ascending.
  std::vector<SeriesId> Select(const Matchers& matchers) const;
  std::vector<SeriesId> All() const;
  using Filter = std::function<bool(SeriesId)>;
  // Names and values of series that pass the filter, sorted, at most `limit` + 1 (0 = all).
  std::vector<std::string> Names(const Filter& filter, size_t limit) const;
  std::vector<std::string> Values(std::string_view name, const Filter& filter, size_t limit) const;
  void FillStatus(size_t limit, Status* status) const;
  uint64_t text_bytes() const;

 private:
  struct Pair {
    std::string encoded;  // as a piece of Labels' form
    std::string_view value;
    std::vector<SeriesId> postings;  // ascending
  };
  using PairId = uint32_t;
  std::vector<PairId> PairsOf(SeriesId id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Labels LabelsLocked(SeriesId id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::vector<SeriesId> AllLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The series with a value of the matcher's label that the matcher accepts (accept) or refuses (!accept).
  std::vector<SeriesId> WithValue(const Matcher& matcher, bool accept) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::deque<Pair> pairs_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string_view, PairId> pair_ids_ ABSL_GUARDED_BY(mutex_);  // keys point into pairs_
  // name -> value -> pair, in the order that the API lists them
  absl::btree_map<std::string, absl::btree_map<std::string_view, PairId>> names_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint32_t> offsets_ ABSL_GUARDED_BY(mutex_);  // by series id, into arena_
  std::string arena_ ABSL_GUARDED_BY(mutex_);              // count and pair ids as varints
  absl::flat_hash_map<uint64_t, SeriesId> by_hash_ ABSL_GUARDED_BY(mutex_);
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t text_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex::tsdb
