// Which stripes of the store can hold a series: the first series of every stripe, kept beside the stripes.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "tsdb/format/keys.h"
#include "tsdb/rocks_store.h"
#include "tsdb/series_index.h"

namespace narthex::tsdb {

// The stripes that one seal wrote of one group and window. They are sorted by labels, within and among each
// other.
struct StripeRun {
  StripeKey first;                // of stripe 0; the others count up
  std::vector<SeriesId> leaders;  // the first series of each stripe
};
std::string EncodeLeaders(const std::vector<SeriesId>& leaders);

// The runs of one window, by group.
using WindowRuns = std::map<uint32_t, std::vector<StripeRun>>;

// Loads what is asked for and keeps the windows used last. Thread-safe. Owned by the database.
class StripeDirectory {
 public:
  explicit StripeDirectory(RocksStore* store) : store_(store) {}
  absl::StatusOr<std::shared_ptr<const WindowRuns>> Window(int64_t window);
  // The stripes changed: everything is loaded again.
  void Forget();

 private:
  absl::StatusOr<std::shared_ptr<const WindowRuns>> Load(int64_t window, size_t* size) const;

  struct Loaded {
    std::shared_ptr<const WindowRuns> runs;
    size_t size = 0;
    uint64_t used = 0;
  };
  RocksStore* const store_;
  Mutex mutex_;
  std::map<int64_t, Loaded> windows_ ABSL_GUARDED_BY(mutex_);
  size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex::tsdb
