// Series that have no samples any more and are about to be removed, and who may still be using them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include <roaring/roaring.hh>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "tsdb/series_index.h"

namespace narthex::tsdb {

// Thread-safe. Writers and queries hold a ticket while they know series by id only. A series is removed when
// it was dead in two passes, nobody asked for it between them, and all who held tickets at the first have let
// go. Its id is used again when all who held tickets at the removal have let go, too.
class SeriesUse {
 public:
  class Ticket {
   public:
    explicit Ticket(SeriesUse* use) : use_(use), number_(use->Begin()) {}
    ~Ticket() { use_->End(number_); }
    Ticket(const Ticket&) = delete;

   private:
    SeriesUse* const use_;
    const uint64_t number_;
  };

  // Somebody who holds a ticket needs the series. After this it is either gone or stays.
  void Touch(SeriesId id) {
    if (has_candidates_.load(std::memory_order_acquire)) TouchCandidate(id);
  }
  // Takes the candidates of the last pass that are dead still; `remove` is called with them while nobody can
  // touch them. `dead` are the candidates of the next pass.
  void NextPass(const Roaring& dead, const std::function<void(const std::vector<SeriesId>&)>& remove);
  // An id to use again, 0 if there is none.
  SeriesId TakeFree();
  void AddFree(const std::vector<SeriesId>& ids);

 private:
  uint64_t Begin();
  void End(uint64_t number);
  void TouchCandidate(SeriesId id);
  // Whether all who held tickets when `number` was the next have let go.
  bool AllSince(uint64_t number) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return active_.empty() || *active_.begin() >= number;
  }

  std::atomic<bool> has_candidates_{false};
  Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::set<uint64_t> active_ ABSL_GUARDED_BY(mutex_);
  Roaring candidates_ ABSL_GUARDED_BY(mutex_);
  uint64_t candidates_since_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::pair<uint64_t, SeriesId>> free_
      ABSL_GUARDED_BY(mutex_);  // and the next ticket at that time
};

}  // namespace narthex::tsdb
