// Stripes that were read, checked and parsed, for the small queries that come again and again.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "tsdb/format/stripe.h"
#include "tsdb/time_columns.h"

namespace narthex::tsdb {

// What stands in a stripe. Never changes; entries point into `bytes`.
struct ParsedStripe {
  std::string bytes;
  std::vector<Times> columns;
  std::vector<uint64_t> column_hashes;  // TimeColumns::HashOf
  std::vector<StripeView::Entry> entries;
  size_t MemoryBytes() const;
};

// Thread-safe. Owned by the database. Holds what was true of one layout of the store, as RunCache does; of
// that the stripes that were asked for last.
class StripeCache {
 public:
  static constexpr size_t kMaxBytes = 2 << 20;

  // nullptr if it is not known.
  std::shared_ptr<const ParsedStripe> Find(uint64_t layout, std::string_view key);
  void Put(uint64_t layout, std::string_view key, std::shared_ptr<const ParsedStripe> stripe);
  // Holds this much at most from now on.
  void SetLimit(size_t bytes);
  size_t MemoryBytes() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const ParsedStripe> stripe;
    size_t bytes = 0;
  };
  bool Enter(uint64_t layout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeRoom(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  size_t limit_ ABSL_GUARDED_BY(mutex_) = kMaxBytes;
  uint64_t layout_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // the one used last in front
  absl::flat_hash_map<std::string_view, std::list<Entry>::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex::tsdb
