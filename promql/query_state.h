// What the operators of one query share: storage, limits, annotations.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/memory_budget.h"
#include "base/status_macros.h"
#include "promql/functions/call.h"
#include "promql/operator.h"
#include "tsdb/tsdb.h"

namespace narthex::promql {

class Devices;
class SharedRead;    // promql/operators/shared_selector.cc
class QueryThreads;  // promql/query_threads.h

// What a sample held in memory is charged with: a timestamp and a value.
inline constexpr int64_t kSampleBytes = 16;
// For estimates.
inline constexpr int64_t kTypicalIntervalMs = 15'000;

// Samples that a part of a query looks at, counted as upstream counts them.
struct SampleCounts {
  int64_t total = 0;
  std::vector<int64_t> per_step;  // empty: not wanted
  void Add(size_t step, int64_t samples) {
    total += samples;
    if (!per_step.empty()) per_step[step] += samples;
  }
  // Adds counts[i] to every step.
  void Add(const std::vector<int64_t>& counts, int64_t sum) {
    total += sum;
    for (size_t i = 0; i < per_step.size(); ++i) per_step[i] += counts[i];
  }
};
// What a histogram counts: as many samples as floats of its size.
int64_t SampleCount(const FloatHistogram& h);

// When a query must be done. All its threads look at it; one may put it off.
class Deadline {
 public:
  Deadline() = default;  // never
  explicit Deadline(int64_t ns) : ns_(ns) {}
  Deadline(Deadline&& other) noexcept : ns_(other.ns_.load(std::memory_order_relaxed)) {}
  Deadline& operator=(Deadline&& other) noexcept {
    ns_.store(other.ns_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    return *this;
  }
  void PutOff(int64_t ns) { ns_.fetch_add(ns, std::memory_order_relaxed); }
  bool PassedAt(int64_t now_ns) const {
    const int64_t ns = ns_.load(std::memory_order_relaxed);
    return ns > 0 && now_ns > ns;
  }

 private:
  std::atomic<int64_t> ns_ = 0;  // of the monotonic clock
};

// Owned by the engine for the length of one query; used by one thread.
struct QueryState {
  tsdb::Querier* querier = nullptr;
  const Clock* clock = nullptr;
  int64_t lookback_ms = 300'000;
  int64_t default_subquery_step_ms = 60'000;
  Deadline deadline;
  int64_t max_samples = 0;
  bool delayed_name_removal = false;
  bool use_start_timestamps = false;
  bool type_and_unit_labels = false;
  Steps steps;  // of the whole query: what start() and end() mean
  std::shared_ptr<std::atomic<bool>> cancelled;
  Annotations annotations;
  MemoryBudget* budget = nullptr;  // may be null
  Devices* devices = nullptr;      // may be null
  // Selections that were made before their selector's operator asks for them.
  absl::flat_hash_map<const Expr*, std::unique_ptr<tsdb::SeriesSet>> selected;
  // By Expr::shared_read.
  absl::flat_hash_map<int, std::weak_ptr<SharedRead>> shared_reads;
  bool profile = false;  // whether operators count what they do
  int64_t current_samples = 0, peak_samples = 0;
  // Of the query (the first), and of parts that upstream counts apart.
  std::list<SampleCounts> all_counts;
  SampleCounts* counts = nullptr;   // those of the part that is being planned; not null
  QueryThreads* threads = nullptr;  // null: one core does it all
  int64_t min_shared_samples = 0;   // selections of so many samples, about, are worth sharing out
  // Called once, on the query's thread, before the query waits or does a lot, or when it has taken a while.
  // Threads that help find it empty.
  mutable std::function<void()> on_long;
  int64_t long_at_ns = 0;  // a while

  // Counts for a part that is planned next.
  SampleCounts* NewCounts() { return counts = &all_counts.emplace_back(); }
  void ExpectLong() const {
    if (on_long) std::exchange(on_long, nullptr)();
  }
  // Asks storage for [hints->start, hints->end].
  absl::StatusOr<std::unique_ptr<tsdb::SeriesSet>> Select(const Matchers& matchers,
                                                          tsdb::SelectHints* hints) const;
  // Between batches: deadline and cancellation.
  absl::Status Check() const;
  // Counts samples held in memory against the limits; give them back with Release. An error holds nothing.
  absl::Status Hold(int64_t samples);
  // The same for samples that have gone on to who asked for them: they count, but take no bytes.
  absl::Status HoldNumberOnly(int64_t samples);
  void Release(int64_t samples) {
    current_samples -= samples;
    if (budget != nullptr) budget->Release(samples * kSampleBytes);
  }
};

// Charges a materialised matrix while it lives.
class HeldSamples {
 public:
  explicit HeldSamples(QueryState* state) : state_(state) {}
  ~HeldSamples() { Release(); }
  HeldSamples(const HeldSamples&) = delete;
  absl::Status Add(int64_t samples) {
    RETURN_IF_ERROR(state_->Hold(samples));
    held_ += samples;
    return absl::OkStatus();
  }
  void Release() { Release(held_); }
  void Release(int64_t samples) {
    state_->Release(samples);
    held_ -= samples;
  }

 private:
  QueryState* state_;
  int64_t held_ = 0;
};

// All rows of a child, for operators that must see everything first.
struct Matrix {
  std::vector<SeriesMeta> series;
  Batch rows;
};
absl::StatusOr<Matrix> Materialize(Operator* child, QueryState* state, int steps, HeldSamples* held);
// One row: a scalar child's values, one a step.
absl::StatusOr<std::vector<double>> ReadScalar(Operator* child, int steps);
// What there is among the values of a parameter. Without NaN; all NaN if one is.
struct ParameterRange {
  double min = 0, max = 0;
};
ParameterRange RangeOf(const std::vector<double>& parameter);

std::string ExplainIndent(int depth);

}  // namespace narthex::promql
