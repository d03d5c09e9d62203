// Which series have, or may have, samples in a span of time.
#pragma once

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tsdb/db_impl.h"

namespace narthex::tsdb {

// A snapshot of the sealed windows, and a look at the head at the time of the call. Lives as long as one
// selection; not thread-safe.
class RangeFilter {
 public:
  RangeFilter(const DbImpl* db, int64_t mint, int64_t maxt);
  bool HasWindows() const { return !windows_.empty(); }
  // Sealed samples only. Takes no locks.
  bool InWindows(SeriesId id) const;
  // Keeps those of *ids that are in range, in their order.
  void Keep(std::vector<SeriesId>* ids);

 private:
  void LoadWindows();
  bool Nothing() const { return mint_ > maxt_; }

  const DbImpl* const db_;
  const int64_t mint_, maxt_;
  std::vector<std::shared_ptr<const Roaring>> windows_;  // the newest first
  absl::flat_hash_map<uint32_t, bool> groups_;           // whether the head of a group is in range
};

}  // namespace narthex::tsdb
