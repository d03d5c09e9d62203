// Which series the names stand for that senders have for them.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "tsdb/series_index.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

// Thread-safe. A name is a hash of 64 bits of all that tells the series from others: names are compared,
// labels are not.
class SeriesNames {
 public:
  // (*refs)[i] = 0: unknown. The answer holds as long as version() stays what is returned.
  uint64_t Find(std::span<const uint64_t> names, std::vector<SeriesRef>* refs) const;
  uint64_t version() const;
  // A series may have several names, but if there are more than `limit` in all, somebody makes up new ones
  // all the time: then all are forgotten.
  void Add(std::span<const std::pair<uint64_t, SeriesId>> names, size_t limit);
  void Forget(const std::vector<SeriesId>& ids);
  size_t MemoryBytes() const;
  size_t NextStep() const;  // how much one more may add at once, because the table is full

 private:
  struct AsItIs {
    size_t operator()(uint64_t name) const { return name; }
  };
  mutable Mutex mutex_;
  absl::flat_hash_map<uint64_t, SeriesId, AsItIs> ids_ ABSL_GUARDED_BY(mutex_);
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 0;  // how often series were forgotten
};

}  // namespace narthex::tsdb
