// Where the chunks of a stripe are, for queries whose caller has the stripe's bytes elsewhere (on a device):
// they then read and parse no stripe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "tsdb/stripe_cache.h"
#include "tsdb/time_columns.h"

namespace narthex::tsdb {

// Of one window. Never changes.
struct StripeDirectory {
  struct Entry {
    static constexpr uint16_t kEveryRow = UINT16_MAX;
    uint32_t series = 0;
    uint32_t offset = 0, bytes = 0;  // of the NX chunk; no bytes: only the stripe itself tells
    uint16_t column = 0;
    uint16_t picked = kEveryRow;  // the column of the rows that have a value, if not all have
  };
  int64_t window = 0;
  uint64_t stripe_bytes = 0;
  uint32_t checksum = 0;
  std::vector<Times> columns;
  std::vector<Entry> entries;
  size_t MemoryBytes() const;
};
using StripeDirectoryPtr = std::shared_ptr<const StripeDirectory>;

// nullptr if it has more columns than can be told. `columns`: where those of the reader come from.
StripeDirectoryPtr ListStripe(int64_t window, const ParsedStripe& parsed, TimeColumns* columns);
uint32_t StripeChecksum(std::string_view stripe);
// The second half of StoredStripe::id.
inline uint64_t StripeName(uint64_t bytes, uint32_t checksum) { return bytes << 32 | checksum; }

// Thread-safe. Owned by the database. What was sealed keeps its key and its bytes, so unlike StripeCache it
// outlives layouts of the store: a view may ask for what was known in its layout or in an earlier one.
class StripeDirectories {
 public:
  static constexpr size_t kMaxBytes = 256 << 20;
  using List = std::vector<StripeDirectoryPtr>;  // windows, ascending

  // Of all windows in [from, to] that the stripe has; nullopt if not all are known.
  std::optional<List> Find(uint64_t layout, std::string_view key, int64_t from, int64_t to);
  // `merged`: the key names a generation of a merged day.
  void Put(uint64_t layout, bool merged, std::string_view key, int64_t from, int64_t to, List windows);
  // A day is gone: a merge may count its generations from 1 again. `layout`: the first without it.
  void ForgetMerged(uint64_t layout);
  // Holds this much at most from now on.
  void SetLimit(size_t bytes);
  size_t MemoryBytes() const;

 private:
  struct Known {
    std::string key;
    bool merged = false;
    uint64_t layout = 0;
    int64_t from = 0, to = 0;
    List windows;
    size_t bytes = 0;
  };
  using Place = std::list<Known>::iterator;
  void Remove(Place place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeRoom(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  size_t limit_ ABSL_GUARDED_BY(mutex_) = kMaxBytes;
  uint64_t merged_since_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<Known> known_ ABSL_GUARDED_BY(mutex_);  // the one used last in front
  absl::flat_hash_map<std::string_view, Place> by_key_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex::tsdb
