// Rows that are worked out batch by batch, on one thread or on several, and come in order.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/query_threads.h"

namespace narthex::promql {

// What filling a batch brings besides its rows.
struct FillNotes {
  Annotations annotations;
  SampleCounts counts;
  int64_t held = 0;  // samples that were in memory meanwhile
};

// Used by one thread at a time. Changes nothing that others see but what it is given: of the query's state it
// only reads limits and asks Check().
class BatchFiller {
 public:
  virtual ~BatchFiller() = default;
  // The rows of series [first, first + count); *batch is reset and empty.
  virtual absl::Status Fill(size_t first, size_t count, Batch* batch, FillNotes* notes) = 0;
};

// Owned by an operator; used by its thread. What each batch brought is added to the query's state when the
// batch is handed out, so that nothing depends on how many threads there are: not the rows, not the counts,
// not the first error.
class BatchStream {
 public:
  // `counts` is where samples are counted.
  BatchStream(QueryState* state, SampleCounts* counts, size_t series, Steps steps,
              std::vector<std::unique_ptr<BatchFiller>> fillers);
  ~BatchStream();
  absl::StatusOr<bool> Next(Batch* batch);

  // How many fillers are worth having for a selection: more than one if there are threads to help and enough
  // to do.
  static int FillersWanted(const QueryState& state, size_t series, int64_t span_ms);
  // The same before it is known how many series there are.
  static int ReadersWanted(const QueryState& state, int64_t span_ms);

 private:
  struct Slot {
    Batch batch;
    FillNotes notes;
    absl::Status status;
    std::atomic<bool> done{false};
  };
  void FillSlot(size_t number, BatchFiller* filler, Slot* slot);
  // The batches of a task; none behind one that failed.
  void FillRun(size_t first, size_t end);
  absl::Status Take(FillNotes* notes);
  size_t BatchCount() const { return (series_ + kBatchSeries - 1) / kBatchSeries; }
  BatchFiller* OnlyFiller() {
    MutexLock lock(&mutex_);
    return fillers_.front().get();
  }
  void StartThreads();
  void SubmitMore();

  QueryState* const state_;
  SampleCounts* const counts_;
  const size_t series_;
  const Steps steps_;
  Mutex mutex_;
  std::vector<std::unique_ptr<BatchFiller>> fillers_ ABSL_GUARDED_BY(mutex_);  // those that are free
  // Batches that follow each other often lie in the same stripes: a task is some of them.
  const size_t run_;
  size_t max_ahead_;                 // batches; 0: one thread
  size_t next_ = 0, submitted_ = 0;  // batches
  int64_t charged_ = 0;
  Slot here_;  // with one thread
  std::vector<std::unique_ptr<Slot>> slots_;
  std::optional<QueryThreads::Lane> lane_;  // the last member: its tasks use the others
};

}  // namespace narthex::promql
