// CONTRACT of promql: parse, check, plan, run.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/memory_budget.h"
#include "base/metrics.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "promql/syntax/ast.h"
#include "promql/syntax/parser.h"
#include "tsdb/tsdb.h"

namespace narthex::promql {

class Devices;  // promql/devices.h

struct EngineOptions {
  int64_t lookback_delta_ms = 300'000;
  int64_t timeout_ms = 120'000;
  int64_t max_samples = 50'000'000;
  int64_t max_query_bytes = 0;        // of one query; 0 = unlimited
  int64_t max_total_query_bytes = 0;  // of all queries together; 0 = unlimited
  int max_concurrency = 20;
  int threads = 1;                       // that may work on one query at once
  int64_t min_shared_samples = 250'000;  // a selection of so many samples, about, is worth more than one
  bool per_step_stats = false;
  int64_t default_subquery_step_ms = 60'000;  // the global evaluation_interval; see SetDefaultSubqueryStep
  bool delayed_name_removal = false;
  bool use_start_timestamps = false;
  bool type_and_unit_labels = false;         // __type__ tells what is a counter
  std::vector<std::string> disabled_passes;  // of promql/passes, by name
  ParserOptions parser;
  Devices* devices = nullptr;  // may be null; outlives the engine
  // Called behind queries that took much memory, or too much, when they have freed it. May be empty.
  std::function<void()> after_heavy_query;
  const Clock* clock = nullptr;        // required
  MetricsRegistry* metrics = nullptr;  // required
};

// The names that EngineOptions::disabled_passes may have.
std::vector<std::string> PassNames();

// One series of a result. Range results: points at the steps. Instant vector: one point each.
struct ResultSeries {
  Labels labels;
  std::vector<FloatPoint> floats;
  std::vector<HistogramPoint> histograms;
};

// What a query cost, counted as upstream counts it.
struct QueryStats {
  int64_t samples = 0;                    // looked at: of a range selector, those in the window of every step
  int64_t peak_samples = 0;               // in memory at once
  std::vector<int64_t> samples_per_step;  // if QueryParams::per_step_stats
  int64_t queue_ns = 0, prepare_ns = 0, eval_ns = 0, sort_ns = 0;
  int64_t sink_ns = 0;  // in a ResultSink; in none of the others
};

struct Result {
  ValueType type = ValueType::kNone;
  std::vector<ResultSeries> series;  // kVector (in result order), kMatrix (range queries: sorted by labels)
  FloatPoint scalar;                 // kScalar, kString's time
  std::string string;                // kString
  std::vector<std::string> warnings, infos;  // "PromQL warning: ... (1:5)"
  QueryStats stats;
};

// Takes the series of a range query while the query still runs: who writes them out need not hold them all.
// Called on the thread of the query, which stands still (and its timeout with it) for as long as a call
// takes.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  // The next series in the order of labels; it is only lent. What is not OK ends the query with this status.
  virtual absl::Status Take(const ResultSeries& series) = 0;
};

// Errors of a query, as absl codes: kInvalidArgument = bad_data (parse), kDeadlineExceeded = timeout,
// kCancelled = canceled, kInternal = internal, kUnavailable, and kFailedPrecondition / kResourceExhausted =
// execution. Status texts are upstream's ("query timed out in expression evaluation", ...).
struct QueryParams {
  std::string query;
  int64_t start_ms = 0, end_ms = 0;
  int64_t step_ms = 0;                           // 0 = instant query at start_ms
  int64_t timeout_ms = 0;                        // 0 = the engine's
  int64_t lookback_delta_ms = 0;                 // 0 = the engine's
  bool per_step_stats = false;                   // if the engine has them, too
  std::shared_ptr<std::atomic<bool>> cancelled;  // may be null
  // May be null. Given to a range query, it gets all series that are known to come in the order of their
  // labels; Result::series holds them otherwise. Errors may come after it has taken some.
  ResultSink* sink = nullptr;
  // May be empty. Called at most once, on the query's thread, before the query waits for something or does a
  // lot, or when it has taken a few milliseconds: whoever runs light queries at once may make arrangements.
  std::function<void()> on_long;
};

// Thread-safe; one for the process. Does not own its arguments.
class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();
  absl::StatusOr<Result> Run(const tsdb::Queryable& storage, const QueryParams& params);
  // The same for a tree already parsed (rules); the tree is not changed.
  absl::StatusOr<Result> Run(const tsdb::Queryable& storage, const Expr& expr, const QueryParams& params);
  // The plan, one operator a line; with `run`, after a run, with series, samples, bytes and time of each.
  absl::StatusOr<std::string> Explain(const tsdb::Queryable& storage, const QueryParams& params, bool run);
  // Bytes charged by the queries that run now.
  int64_t memory_used() const;
  void SetDefaultSubqueryStep(int64_t ms);
  const EngineOptions& options() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex::promql
