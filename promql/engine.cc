#include <algorithm>
#include <atomic>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/collect.h"
#include "promql/parse_cache.h"
#include "promql/passes/passes.h"
#include "promql/plan.h"
#include "promql/plan_node.h"
#include "promql/promql.h"
#include "promql/query_gate.h"
#include "promql/query_threads.h"

namespace narthex::promql {
namespace {

constexpr int64_t kHeavySamples = 250'000;    // held at once, 16 bytes each
constexpr int64_t kManySamples = 20'000'000;  // looked at
constexpr int64_t kLongNs = 2'000'000;

struct EngineMetrics {
  explicit EngineMetrics(MetricsRegistry* r, int max_concurrency)
      : running(r->GetGauge("prometheus_engine_queries",
                            "The current number of queries being executed or waiting.")),
        samples(r->GetCounter("prometheus_engine_query_samples_total",
                              "The total number of samples loaded by all queries.")) {
    r->GetGauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.")
        ->Set(max_concurrency);
    r->GetGauge("prometheus_engine_query_log_enabled", "State of the query log.")->Set(0);
    r->GetCounter("prometheus_engine_query_log_failures_total", "The number of query log failures.");
    const std::vector<double> bounds = {.01, .1, 1, 10};
    for (auto [slice, histogram] : {std::pair{"queue_time", &queue},
                                    {"prepare_time", &prepare},
                                    {"inner_eval", &eval},
                                    {"result_sort", &sort}}) {
      *histogram = r->GetHistogram("prometheus_engine_query_duration_histogram_seconds",
                                   "The duration of various parts of PromQL query execution.", bounds,
                                   {{"slice", slice}});
    }
  }
  Gauge* running;
  Counter* samples;
  HistogramMetric *queue = nullptr, *prepare = nullptr, *eval = nullptr, *sort = nullptr;
};

Steps StepsOf(const QueryParams& params) {
  Steps steps;
  steps.start_ms = params.start_ms;
  steps.step_ms = params.step_ms;
  if (params.step_ms <= 0) {
    steps.end_ms = params.start_ms;
    return steps;
  }
  steps.end_ms = params.end_ms;
  steps.count = static_cast<int>((params.end_ms - params.start_ms) / params.step_ms) + 1;
  return steps;
}

absl::Status CheckParams(const Expr& expr, const QueryParams& params) {
  if (params.step_ms <= 0) return absl::OkStatus();
  ValueType type = TypeOf(expr);
  if (type != ValueType::kScalar && type != ValueType::kVector) {
    return absl::InvalidArgumentError(StrCat("invalid expression type \"", ValueTypeName(type),
                                             "\" for range query, must be Scalar or instant Vector"));
  }
  if (params.end_ms < params.start_ms) {
    return absl::InvalidArgumentError("end timestamp must not be before start time");
  }
  // Steps are counted in an int; no client can use so many.
  if ((params.end_ms - params.start_ms) / params.step_ms > 100'000'000) {
    return absl::InvalidArgumentError("too many steps in the range query");
  }
  return absl::OkStatus();
}

void StartCounting(bool per_step, QueryState* state) {
  SampleCounts* const counts = state->NewCounts();
  if (per_step) counts->per_step.assign(static_cast<size_t>(state->steps.count), 0);
}

bool WasHeavy(const absl::StatusOr<Result>& result) {
  if (!result.ok()) return absl::IsResourceExhausted(result.status());
  return result->stats.peak_samples >= kHeavySamples || result->stats.samples >= kManySamples;
}

// The bytes of one query; all of them go back when it ends, however it ends.
class QueryAccount {
 public:
  QueryAccount(const EngineOptions& options, MemoryBudget* all) : budget_(options.max_query_bytes, all) {}
  ~QueryAccount() { budget_.Release(budget_.used()); }
  QueryAccount(const QueryAccount&) = delete;
  MemoryBudget* budget() { return &budget_; }

 private:
  MemoryBudget budget_;
};

}  // namespace

struct Engine::Impl {
  explicit Impl(EngineOptions o)
      : options(std::move(o)),
        parsed(options.parser),
        metrics(options.metrics, options.max_concurrency),
        gate(options.max_concurrency, metrics.running),
        subquery_step_ms(options.default_subquery_step_ms),
        memory(options.max_total_query_bytes) {
    if (options.threads > 1) threads = std::make_unique<QueryThreads>(options.threads - 1);
  }

  QueryState NewState(const QueryParams& params, QueryAccount* account) const {
    QueryState state;
    state.budget = account->budget();
    state.clock = options.clock;
    state.lookback_ms = params.lookback_delta_ms > 0 ? params.lookback_delta_ms : options.lookback_delta_ms;
    state.default_subquery_step_ms = subquery_step_ms.load();
    state.deadline = Deadline(options.clock->MonotonicNs() + Timeout(params) * 1'000'000);
    state.max_samples = options.max_samples;
    state.delayed_name_removal = options.delayed_name_removal;
    state.use_start_timestamps = options.use_start_timestamps;
    state.type_and_unit_labels = options.type_and_unit_labels;
    state.steps = StepsOf(params);
    state.cancelled = params.cancelled;
    state.devices = options.devices;
    state.threads = threads.get();
    state.min_shared_samples = options.min_shared_samples;
    state.on_long = params.on_long;
    state.long_at_ns = options.clock->MonotonicNs() + kLongNs;
    return state;
  }
  int64_t Timeout(const QueryParams& params) const {
    return params.timeout_ms > 0 ? std::min(params.timeout_ms, options.timeout_ms) : options.timeout_ms;
  }

  // Makes the tree ready to be planned.
  absl::StatusOr<ExprPtr> Prepare(ExprPtr tree, const QueryParams& params, const QueryState& state) const {
    RETURN_IF_ERROR(CheckParams(*tree, params));
    RETURN_IF_ERROR(ResolveDurations(tree.get(), state.steps));
    RunPasses(options.disabled_passes, &tree);
    return tree;
  }

  absl::Status Evaluate(const Expr& tree, const QueryParams& params, QueryState* state, Result* result) {
    if (result->type == ValueType::kString) {
      result->string = Unwrapped(tree).text;
      result->scalar.t = state->steps.start_ms;
      return absl::OkStatus();
    }
    if (result->type == ValueType::kMatrix && params.step_ms <= 0) {
      ASSIGN_OR_RETURN(std::unique_ptr<RangeSource> source, PlanRange(tree, state, state->steps));
      absl::Status status = CollectMatrix(source.get(), state, result);
      source->Close();
      return status;
    }
    ASSIGN_OR_RETURN(OperatorPtr root, PlanQuery(tree, state, state->steps));
    absl::Status status = params.step_ms > 0 && params.sink != nullptr
                              ? CollectRange(root.get(), params.sink, state, result)
                              : CollectSeries(root.get(), params.step_ms > 0, state, result);
    root->Close();
    return status;
  }

  absl::StatusOr<Result> Run(const tsdb::Queryable& storage, ExprPtr expr, const QueryParams& params) {
    const int64_t begin = options.clock->MonotonicNs();
    QueryAccount account(options, &memory);
    QueryState state = NewState(params, &account);
    RETURN_IF_ERROR(gate.Enter(Timeout(params), [&state] { state.ExpectLong(); }));
    const int64_t entered = options.clock->MonotonicNs();
    int64_t prepared = entered;
    metrics.queue->Observe(static_cast<double>(entered - begin) / 1e9);
    absl::StatusOr<Result> result = [&]() -> absl::StatusOr<Result> {
      ASSIGN_OR_RETURN(ExprPtr tree, Prepare(std::move(expr), params, state));
      prepared = options.clock->MonotonicNs();
      metrics.prepare->Observe(static_cast<double>(prepared - entered) / 1e9);
      return RunPrepared(storage, *tree, params, std::move(state));
    }();
    gate.Leave();
    if (options.after_heavy_query && WasHeavy(result)) options.after_heavy_query();
    const int64_t done = options.clock->MonotonicNs();
    metrics.eval->Observe(static_cast<double>(done - prepared) / 1e9);
    if (result.ok()) {
      QueryStats& stats = result->stats;
      stats.queue_ns = entered - begin;
      stats.prepare_ns = prepared - entered;
      stats.eval_ns = done - prepared - stats.sort_ns - stats.sink_ns;
      metrics.sort->Observe(static_cast<double>(stats.sort_ns) / 1e9);
    }
    return result;
  }

  absl::StatusOr<Result> RunPrepared(const tsdb::Queryable& storage, const Expr& tree,
                                     const QueryParams& params, QueryState state) {
    ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier,
                     storage.NewQuerier(INT64_MIN / 2, INT64_MAX / 2));
    state.querier = querier.get();
    StartCounting(options.per_step_stats && params.per_step_stats, &state);
    Result result;
    result.type = TypeOf(tree);
    RETURN_IF_ERROR(Evaluate(tree, params, &state, &result));
    if (params.step_ms > 0) result.type = ValueType::kMatrix;
    CollectAnnotations(state.annotations, params.query, &result);
    SampleCounts& counts = state.all_counts.front();
    result.stats.samples = counts.total;
    result.stats.samples_per_step = std::move(counts.per_step);
    result.stats.peak_samples = state.peak_samples;
    metrics.samples->Add(static_cast<double>(counts.total));
    return result;
  }

  absl::StatusOr<std::string> Explain(const tsdb::Queryable& storage, const QueryParams& params, bool run) {
    ASSIGN_OR_RETURN(ExprPtr expr, ParseExpr(params.query, options.parser));
    QueryAccount account(options, &memory);
    QueryState state = NewState(params, &account);
    state.profile = run;
    ASSIGN_OR_RETURN(ExprPtr tree, Prepare(std::move(expr), params, state));
    if (TypeOf(*tree) == ValueType::kString) return StrCat("String ", ToString(*tree), "\n");
    ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier,
                     storage.NewQuerier(INT64_MIN / 2, INT64_MAX / 2));
    state.querier = querier.get();
    StartCounting(/*per_step=*/false, &state);
    Result result;
    result.type = TypeOf(*tree);
    std::string out;
    if (result.type == ValueType::kMatrix) {
      ASSIGN_OR_RETURN(std::unique_ptr<RangeSource> source, PlanRange(*tree, &state, state.steps));
      if (run) RETURN_IF_ERROR(CollectMatrix(source.get(), &state, &result));
      source->Explain(0, &out);
      return out;
    }
    ASSIGN_OR_RETURN(OperatorPtr root, PlanQuery(*tree, &state, state.steps));
    if (run) RETURN_IF_ERROR(CollectSeries(root.get(), params.step_ms > 0, &state, &result));
    root->Explain(0, &out);
    return out;
  }

  const EngineOptions options;
  ParseCache parsed;
  EngineMetrics metrics;
  QueryGate gate;
  std::atomic<int64_t> subquery_step_ms;
  MemoryBudget memory;                    // of all queries
  std::unique_ptr<QueryThreads> threads;  // null: each query has its own thread only
};

std::vector<std::string> PassNames() {
  std::vector<std::string> names;
  for (const Pass& pass : OptionalPasses()) names.emplace_back(pass.name);
  return names;
}

Engine::Engine(EngineOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Engine::~Engine() = default;

absl::StatusOr<Result> Engine::Run(const tsdb::Queryable& storage, const QueryParams& params) {
  ASSIGN_OR_RETURN(ExprPtr expr, impl_->parsed.Parse(params.query));
  return impl_->Run(storage, std::move(expr), params);
}

absl::StatusOr<Result> Engine::Run(const tsdb::Queryable& storage, const Expr& expr,
                                   const QueryParams& params) {
  return impl_->Run(storage, expr.Clone(), params);
}

absl::StatusOr<std::string> Engine::Explain(const tsdb::Queryable& storage, const QueryParams& params,
                                            bool run) {
  if (!run) return impl_->Explain(storage, params, false);
  RETURN_IF_ERROR(impl_->gate.Enter(impl_->Timeout(params), [] {}));
  absl::StatusOr<std::string> plan = impl_->Explain(storage, params, true);
  impl_->gate.Leave();
  return plan;
}

int64_t Engine::memory_used() const { return impl_->memory.used(); }
void Engine::SetDefaultSubqueryStep(int64_t ms) { impl_->subquery_step_ms = ms; }
const EngineOptions& Engine::options() const { return impl_->options; }

}  // namespace narthex::promql
