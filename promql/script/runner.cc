#include <algorithm>

#include "base/metrics.h"
#include "base/strings.h"
#include "promql/promql.h"
#include "promql/script/commands.h"
#include "promql/script/compare.h"
#include "promql/script/sample_store.h"
#include "promql/script/script.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace script {
namespace {

EngineOptions ScriptEngine(const ScriptOptions& script, MetricsRegistry* metrics) {
  EngineOptions options;
  options.disabled_passes = script.disabled_passes;
  options.timeout_ms = 100'000;
  options.max_samples = 10'000;
  options.delayed_name_removal = true;
  options.use_start_timestamps = true;
  options.parser.experimental_functions = true;
  options.parser.extended_range_selectors = true;
  options.parser.fill_modifiers = true;
  options.clock = script.clock;
  options.devices = script.devices;
  options.metrics = metrics;
  return options;
}

bool CallsAny(const Expr& e, const std::vector<std::string_view>& names) {
  if (e.kind == ExprKind::kCall && std::find(names.begin(), names.end(), e.function->name) != names.end()) {
    return true;
  }
  return std::any_of(e.children.begin(), e.children.end(),
                     [&](const ExprPtr& child) { return CallsAny(*child, names); });
}

// Fixes every selector and subquery that no @ fixes yet.
void FixAt(Expr* e, int64_t at_ms) {
  bool has_time = e->kind == ExprKind::kVectorSelector || e->kind == ExprKind::kSubquery;
  bool fixed = has_time && e->at != AtModifier::kNone;
  if (has_time && !fixed) {
    e->at = AtModifier::kTimestamp;
    e->at_ms = at_ms;
  }
  if (e->kind == ExprKind::kSubquery) return;
  for (ExprPtr& child : e->children) FixAt(child.get(), at_ms);
}

class Runner {
 public:
  explicit Runner(const ScriptOptions& options)
      : options_(options), engine_(ScriptEngine(options, &metrics_)) {}

  // "" or what is wrong.
  std::string Eval(const EvalCommand& eval) {
    absl::StatusOr<ExprPtr> expr = ParseExpr(eval.query, engine_.options().parser);
    if (!expr.ok()) {
      return eval.Expects(Expectation::kFail) ? CompareError(eval, expr.status())
                                              : std::string(expr.status().message());
    }
    std::string wrong = EvalOne(eval, **expr, eval.start_ms);
    if (!wrong.empty() || eval.range_query || !options_.variants) return wrong;
    wrong = MiddleOfRange(eval, **expr, eval.start_ms);
    if (!wrong.empty()) return StrCat("as a range query: ", wrong);
    return Shifted(eval, **expr);
  }

  SampleStore store_;

 private:
  QueryParams ParamsOf(const EvalCommand& eval, int64_t t_ms) const {
    QueryParams params;
    params.query = eval.query;
    params.start_ms = t_ms;
    params.end_ms = eval.range_query ? eval.end_ms : t_ms;
    params.step_ms = eval.step_ms;
    return params;
  }

  std::string EvalOne(const EvalCommand& eval, const Expr& expr, int64_t t_ms) {
    absl::StatusOr<Result> result = engine_.Run(store_, expr, ParamsOf(eval, t_ms));
    if (eval.Expects(Expectation::kFail)) return CompareError(eval, result.status());
    if (!result.ok()) return StrCat("query failed: ", std::string(result.status().message()));
    std::string wrong = CompareAnnotations(eval, *result);
    if (!wrong.empty()) return wrong;
    if (t_ms == eval.start_ms || eval.range_vector || result->type != ValueType::kVector) {
      return CompareResult(eval, *result);
    }
    for (ResultSeries& series : result->series) {
      for (FloatPoint& p : series.floats) p.t = eval.start_ms;
      for (HistogramPoint& p : series.histograms) p.t = eval.start_ms;
    }
    return CompareResult(eval, *result);
  }

  std::string MiddleOfRange(const EvalCommand& eval, const Expr& expr, int64_t t_ms) {
    if (eval.ordered || eval.string || eval.range_vector || eval.Expects(Expectation::kFail)) return "";
    for (std::string_view moving : {"start()", "end()", "range()", "step()"}) {
      if (eval.query.find(moving) != std::string::npos) return "";
    }
    QueryParams params = ParamsOf(eval, t_ms - 60'000);
    params.end_ms = t_ms + 60'000;
    params.step_ms = 60'000;
    absl::StatusOr<Result> result = engine_.Run(store_, expr, params);
    if (!result.ok()) return std::string(result.status().message());
    return CompareAt(eval, *result, t_ms);
  }

  // The same samples seen from other times, through @.
  std::string Shifted(const EvalCommand& eval, const Expr& expr) {
    static const std::vector<std::string_view> kMoving = {
        "day_of_month", "day_of_week",    "day_of_year", "days_in_month", "end",  "hour", "minute",   "month",
        "year",         "predict_linear", "range",       "start",         "step", "time", "timestamp"};
    if (CallsAny(expr, kMoving)) return "";
    ExprPtr fixed = expr.Clone();
    FixAt(fixed.get(), eval.start_ms);
    int64_t t = eval.start_ms;
    std::vector<int64_t> times = {-10 * t, 0, t / 5, t, 10 * t};
    if (t == 0) times = {-1000, 0, 1000};
    for (int64_t at : times) {
      std::string wrong = EvalOne(eval, *fixed, at);
      if (wrong.empty()) wrong = MiddleOfRange(eval, *fixed, at);
      if (!wrong.empty()) return StrCat("as ", ToString(*fixed), " at ", at, " ms: ", wrong);
    }
    return "";
  }

  const ScriptOptions& options_;
  MetricsRegistry metrics_;
  Engine engine_;
};

}  // namespace
}  // namespace script

ScriptReport RunScript(std::string_view text, const ScriptOptions& options) {
  script::Runner runner(options);
  script::CommandReader reader(text);
  ScriptReport report;
  auto fail = [&report](int line, std::string message) {
    ++report.failed;
    report.failures.push_back({line, std::move(message)});
  };
  while (true) {
    absl::StatusOr<std::optional<script::Command>> command = reader.Next();
    if (!command.ok()) {
      fail(reader.line(), std::string(command.status().message()));
      return report;
    }
    if (!*command) return report;
    if (std::holds_alternative<script::ClearCommand>(**command)) runner.store_.Clear();
    if (const auto* load = std::get_if<script::LoadCommand>(&**command)) {
      absl::Status status = runner.store_.Load(*load);
      if (!status.ok()) {
        fail(reader.line(), std::string(status.message()));
        return report;
      }
    }
    if (const auto* eval = std::get_if<script::EvalCommand>(&**command)) {
      std::string wrong = runner.Eval(*eval);
      if (wrong.empty()) {
        ++report.passed;
      } else {
        fail(eval->line, StrCat(eval->query, ": ", wrong));
      }
    }
  }
}

}  // namespace narthex::promql
