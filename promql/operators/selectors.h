// The operators that read storage.
#pragma once

#include "promql/functions/call.h"
#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"
#include "tsdb/tsdb.h"

namespace narthex::promql {

// When a selector (or subquery) looks at step `t`: @ and offset applied.
struct TimeShift {
  bool fixed = false;
  int64_t at_ms = 0, offset_ms = 0;
  int64_t Reference(int64_t t) const { return (fixed ? at_ms : t) - offset_ms; }
};
// offset_ms of `e` must be resolved (passes/resolve_durations.h).
TimeShift ShiftOf(const Expr& e, const Steps& query_steps);

// What a selector takes of a sample: its value, or one of its times in seconds.
enum class SelectorReading { kValue, kTimestamp, kStartTimestamp };
// The newest sample of each series in (t - lookback, t].
OperatorPtr NewInstantSelector(const Expr& selector, QueryState* state, Steps steps, SelectorReading reading);

// A range vector in memory-bounded pieces: the series of a matrix selector or subquery and, block by block,
// their points without stale markers.
class RangeSource {
 public:
  struct Points {
    std::vector<FloatPoint> floats;
    std::vector<HistogramPoint> histograms;
    std::vector<int64_t> float_starts, histogram_starts;  // parallel to the points, or empty
  };
  virtual ~RangeSource() = default;
  virtual absl::StatusOr<const std::vector<SeriesMeta>*> Series() = 0;
  // The same for who keeps them. Call one of the two, once.
  virtual absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() = 0;
  // Points of series [first, first + count), first ascending from call to call.
  virtual absl::Status Read(size_t first, size_t count, std::vector<Points>* out) = 0;
  // The same as rows of storage, stale markers included; nullptr if the points do not come from there. Valid
  // until the next call.
  virtual absl::StatusOr<const std::vector<tsdb::Row>*> ReadRows(size_t first, size_t count) {
    return nullptr;
  }
  // Another one for the same series and another thread; nullptr: there is none. After Series().
  virtual std::unique_ptr<RangeSource> NewReader() { return nullptr; }
  virtual void Close() = 0;
  virtual bool SeriesDiffer() const = 0;  // as Operator's
  virtual void Explain(int depth, std::string* out) const = 0;

  TimeShift shift;
  int64_t range_ms = 0;
  bool anchored = false, smoothed = false;
  const SampleCounts* inner_counts = nullptr;  // of a subquery: what its expression looked at
};
std::unique_ptr<RangeSource> NewMatrixSource(const Expr& matrix, QueryState* state, Steps steps);
// `inner` evaluates the subquery's expression over `inner_steps`; `counts` are those of the inner part.
std::unique_ptr<RangeSource> NewSubquerySource(const Expr& subquery, OperatorPtr inner, QueryState* state,
                                               Steps inner_steps, const SampleCounts* counts);

// A function of a range vector; `scalars` are its scalar arguments in order.
OperatorPtr NewRangeFunction(const Expr& call, const FunctionImpl& function,
                             std::unique_ptr<RangeSource> source, std::vector<OperatorPtr> scalars,
                             QueryState* state, Steps steps);
// absent_over_time(): 1 where no series has a point in the range.
OperatorPtr NewAbsentOverTime(const Expr& call, std::unique_ptr<RangeSource> source, QueryState* state,
                              Steps steps);

// What a row of storage holds besides stale markers.
RangeSource::Points PointsOf(const tsdb::Row& row, bool use_start_timestamps);

// The points of one window (start, end] out of ascending points.
std::span<const FloatPoint> FloatWindow(const std::vector<FloatPoint>& points, int64_t start_ms,
                                        int64_t end_ms);
std::span<const HistogramPoint> HistogramWindow(const std::vector<HistogramPoint>& points, int64_t start_ms,
                                                int64_t end_ms);

}  // namespace narthex::promql
