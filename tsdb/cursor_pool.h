// Cursors that queries are done with: making one costs more than the rest of a small query.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "tsdb/rocks_store.h"

namespace narthex::tsdb {

// Thread-safe. Owned by the database, which empties it every now and then: a cursor keeps the files that it
// was made over, dropped ones too. A cursor is good for the layout of the store that it was made in.
class CursorPool {
 public:
  // nullptr if there is none.
  std::unique_ptr<Cursor> Take(Family family, uint64_t layout);
  // Forgets it if there are enough, or if it ran into an error. Null is allowed.
  void Give(Family family, uint64_t layout, std::unique_ptr<Cursor> cursor);
  void Clear();

 private:
  static constexpr size_t kMost = 4;
  struct Idle {
    Family family = Family::kHours;
    uint64_t layout = 0;
    std::unique_ptr<Cursor> cursor;
  };
  Mutex mutex_;
  std::vector<Idle> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace narthex::tsdb
