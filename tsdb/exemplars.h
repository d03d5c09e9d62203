// The newest exemplars. The journal has them first, the index from the next seal on.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "tsdb/format/records.h"
#include "tsdb/series_index.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

// Thread-safe. Keeps the last `capacity` exemplars of all series together.
class ExemplarRing {
 public:
  explicit ExemplarRing(size_t capacity) : capacity_(capacity) {}
  // False if it is the series' newest exemplar again or older than it.
  bool Accepts(SeriesId series, const Exemplar& exemplar) const;
  // As Accepts. `sequence`: of the journal record that has it; 0 = the index has it.
  bool Add(SeriesId series, const Exemplar& exemplar, uint64_t sequence);
  // Exemplars in [mint, maxt] of the given series, in that order, oldest first.
  std::vector<std::pair<SeriesId, std::vector<Exemplar>>> Select(const std::vector<SeriesId>& series,
                                                                 int64_t mint, int64_t maxt) const;
  // What only the journal has, and where it begins there (UINT64_MAX: nothing).
  std::vector<SeriesExemplar> Unsaved() const;
  uint64_t FirstUnsaved() const;
  void MarkSaved(size_t count);  // of Unsaved, from the front
  // How many exemplars have left the ring since it was made.
  uint64_t dropped() const;
  size_t size() const;
  size_t MemoryBytes() const;
  void Forget(const std::vector<SeriesId>& series);

 private:
  struct Entry {
    SeriesId series = 0;
    Exemplar exemplar;
    uint64_t sequence = 0;
  };
  bool AcceptsLocked(SeriesId series, const Exemplar& exemplar) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const size_t capacity_;
  mutable Mutex mutex_;
  std::deque<Entry> ring_ ABSL_GUARDED_BY(mutex_);
  size_t saved_ ABSL_GUARDED_BY(mutex_) = 0;  // of the ring, from the front
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t label_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // heap of the ring's labels
  absl::flat_hash_map<SeriesId, std::pair<size_t, Exemplar>> newest_
      ABSL_GUARDED_BY(mutex_);  // count in ring, last
};

}  // namespace narthex::tsdb
