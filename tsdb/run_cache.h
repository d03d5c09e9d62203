// What the directories of the stripes say, in short: the first series of every stripe. Saves queries the
// reading of directories.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "tsdb/series_index.h"

namespace narthex::tsdb {

// The stripes of one seal, or of a group of a merged day.
struct CachedRun {
  std::string prefix;             // of their keys
  std::vector<SeriesId> leaders;  // by stripe: the first series that lives; 0 = none does
};
using CachedRuns = std::vector<CachedRun>;

// Thread-safe. Owned by the database. Holds what was true of one layout of the store and drops all of it when
// it is told of a newer one.
class RunCache {
 public:
  struct Key {
    bool merged = false;
    int64_t start = 0;  // window or day
    uint32_t group = 0;
    auto operator<=>(const Key&) const = default;
  };
  // nullptr if it is not known.
  std::shared_ptr<const CachedRuns> Find(uint64_t layout, const Key& key);
  void Put(uint64_t layout, const Key& key, std::shared_ptr<const CachedRuns> runs);
  // Holds this much at most from now on.
  void SetLimit(size_t bytes);
  size_t MemoryBytes() const;

 private:
  struct Entry {
    std::shared_ptr<const CachedRuns> runs;
    size_t bytes = 0;
  };
  bool Enter(uint64_t layout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeRoom(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  size_t limit_ ABSL_GUARDED_BY(mutex_) = 4 << 20;
  uint64_t layout_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Key, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex::tsdb
