// The newest exemplars, in memory only.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "tsdb/series_index.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

// Thread-safe. Keeps the last `capacity` exemplars of all series together.
class ExemplarRing {
 public:
  explicit ExemplarRing(size_t capacity) : capacity_(capacity) {}
  // False if it is the series' newest exemplar again or older than it.
  bool Add(SeriesId series, const Exemplar& exemplar);
  // Exemplars in [mint, maxt] of the given series, in that order, oldest first.
  std::vector<std::pair<SeriesId, std::vector<Exemplar>>> Select(const std::vector<SeriesId>& series,
                                                                 int64_t mint, int64_t maxt) const;

 private:
  const size_t capacity_;
  mutable Mutex mutex_;
  std::deque<std::pair<SeriesId, Exemplar>> ring_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<SeriesId, std::pair<size_t, Exemplar>> newest_
      ABSL_GUARDED_BY(mutex_);  // count in ring, last
};

}  // namespace narthex::tsdb
