#include "promql/plan_calls.h"

#include <algorithm>
#include <array>
#include <numbers>
#include <span>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/call.h"
#include "promql/functions/label.h"
#include "promql/operators/device_operators.h"
#include "promql/operators/histograms.h"
#include "promql/operators/maps.h"
#include "promql/operators/scalars.h"
#include "promql/operators/selectors.h"
#include "promql/operators/shared_selector.h"
#include "promql/operators/whole.h"
#include "promql/plan.h"
#include "promql/plan_node.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

using PlanFn = absl::StatusOr<OperatorPtr> (*)(const Expr& call, QueryState* state, Steps steps);

absl::StatusOr<OperatorPtr> Argument(const Expr& call, size_t i, QueryState* state, Steps steps) {
  return PlanNode(*call.children[i], state, steps);
}
const std::string& Text(const Expr& call, size_t i) { return Unwrapped(*call.children[i]).text; }

double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }

OperatorPtr Time(Steps steps) {
  return NewScalar(steps, "time()", [](int64_t t) { return Seconds(t); });
}
OperatorPtr Constant(const Expr& call, Steps steps, double value) {
  return NewScalar(steps, StrCat(call.function->name, "()"), [value](int64_t) { return value; });
}

// The first `wanted` type's argument, and the scalars around it.
absl::StatusOr<std::vector<OperatorPtr>> ScalarArguments(const Expr& call, QueryState* state, Steps steps) {
  std::vector<OperatorPtr> out;
  for (const ExprPtr& argument : call.children) {
    if (TypeOf(*argument) != ValueType::kScalar) continue;
    ASSIGN_OR_RETURN(OperatorPtr scalar, PlanNode(*argument, state, steps));
    out.push_back(std::move(scalar));
  }
  return out;
}

absl::StatusOr<OperatorPtr> PlanTime(const Expr&, QueryState*, Steps steps) { return Time(steps); }
absl::StatusOr<OperatorPtr> PlanPi(const Expr& call, QueryState*, Steps steps) {
  return Constant(call, steps, std::numbers::pi);
}
absl::StatusOr<OperatorPtr> PlanStart(const Expr& call, QueryState* state, Steps steps) {
  return Constant(call, steps, Seconds(state->steps.start_ms));
}
absl::StatusOr<OperatorPtr> PlanEnd(const Expr& call, QueryState* state, Steps steps) {
  return Constant(call, steps, Seconds(state->steps.end_ms));
}
absl::StatusOr<OperatorPtr> PlanRangeWidth(const Expr& call, QueryState* state, Steps steps) {
  return Constant(call, steps, Seconds(state->steps.end_ms - state->steps.start_ms));
}
absl::StatusOr<OperatorPtr> PlanStep(const Expr& call, QueryState* state, Steps steps) {
  return Constant(call, steps, Seconds(state->steps.step_ms));
}

absl::StatusOr<OperatorPtr> PlanExtreme(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr left, Argument(call, 0, state, steps));
  ASSIGN_OR_RETURN(OperatorPtr right, Argument(call, 1, state, steps));
  Op op = call.function->name == "min_of" ? Op::kMinOf : Op::kMaxOf;
  return NewScalarBinary(op, std::move(left), std::move(right), steps);
}

absl::StatusOr<OperatorPtr> PlanScalar(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
  return NewScalarOfVector(std::move(child), state, steps);
}

// A scalar has the shape of a vector of one element already.
absl::StatusOr<OperatorPtr> PlanVector(const Expr& call, QueryState* state, Steps steps) {
  return Argument(call, 0, state, steps);
}

bool StepTime(const Value&, CallContext* context, Value* out) {
  out->v = Seconds(context->time_ms);
  return true;
}

// The time of the sample itself where the argument is a selector, else that of the step.
absl::StatusOr<OperatorPtr> PlanTimestamp(const Expr& call, QueryState* state, Steps steps) {
  static constexpr FunctionImpl kStepTime = {.name = "timestamp", .instant = StepTime};
  const Expr& argument = Unwrapped(*call.children[0]);
  if (argument.kind != ExprKind::kVectorSelector) {
    ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
    return MaybeDropNames(NewInstantFunction(call, kStepTime, std::move(child), {}, state, steps), state,
                          steps);
  }
  OperatorPtr times = NewInstantSelector(argument, state, steps, SelectorReading::kTimestamp);
  auto mark = [](const SeriesMeta& meta) { return SeriesMeta{meta.labels, true}; };
  return MaybeDropNames(NewLabelEdit("Timestamp", std::move(times), mark), state, steps);
}

bool NoSample(const Value&, CallContext*, Value*) { return false; }

// Only selectors know start timestamps, and only if the engine uses them; all else gives nothing.
absl::StatusOr<OperatorPtr> PlanStartTimestamp(const Expr& call, QueryState* state, Steps steps) {
  static constexpr FunctionImpl kNothing = {.name = "start_timestamp", .instant = NoSample};
  const Expr& argument = Unwrapped(*call.children[0]);
  if (argument.kind != ExprKind::kVectorSelector || !state->use_start_timestamps) {
    ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
    return MaybeDropNames(NewInstantFunction(call, kNothing, std::move(child), {}, state, steps), state,
                          steps);
  }
  OperatorPtr times = NewInstantSelector(argument, state, steps, SelectorReading::kStartTimestamp);
  auto mark = [](const SeriesMeta& meta) { return SeriesMeta{meta.labels, true}; };
  return MaybeDropNames(NewLabelEdit("StartTimestamp", std::move(times), mark), state, steps);
}

absl::StatusOr<OperatorPtr> PlanAbsent(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
  return NewAbsent(call, std::move(child), state, steps);
}

absl::StatusOr<OperatorPtr> PlanAbsentOverTime(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(std::unique_ptr<RangeSource> source, PlanRange(*call.children[0], state, steps));
  return NewAbsentOverTime(call, std::move(source), state, steps);
}

void NoteSort(const Expr& call, QueryState* state) {
  if (state->steps.step_ms > 0) state->annotations.Add(SortIneffectiveText(), call.pos);
}

absl::StatusOr<OperatorPtr> PlanSort(const Expr& call, QueryState* state, Steps steps) {
  NoteSort(call, state);
  ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
  return NewSort(std::move(child), call.function->name == "sort_desc", state, steps);
}

absl::StatusOr<OperatorPtr> PlanSortByLabel(const Expr& call, QueryState* state, Steps steps) {
  NoteSort(call, state);
  ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
  std::vector<std::string> labels;
  for (size_t i = 1; i < call.children.size(); ++i) labels.push_back(Text(call, i));
  return NewSortByLabel(std::move(child), std::move(labels), call.function->name == "sort_by_label_desc",
                        state, steps);
}

absl::StatusOr<OperatorPtr> PlanLabelReplace(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
  ASSIGN_OR_RETURN(LabelReplace replace,
                   LabelReplace::Create(Text(call, 1), Text(call, 2), Text(call, 3), Text(call, 4)));
  auto edit = [replace](const SeriesMeta& meta) {
    // A name that was written anew is kept.
    bool keep = replace.ReplacesName() && replace.Matches(meta.labels);
    return SeriesMeta{replace.Apply(meta.labels), meta.drop_name && !keep};
  };
  return NewMergeSeries(NewLabelEdit("LabelReplace", std::move(child), edit), state, steps);
}

absl::StatusOr<OperatorPtr> PlanLabelJoin(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
  std::vector<std::string> sources;
  for (size_t i = 3; i < call.children.size(); ++i) sources.push_back(Text(call, i));
  ASSIGN_OR_RETURN(LabelJoin join, LabelJoin::Create(Text(call, 1), Text(call, 2), std::move(sources)));
  auto edit = [join](const SeriesMeta& meta) {
    return SeriesMeta{join.Apply(meta.labels), meta.drop_name && !join.ReplacesName()};
  };
  return NewMergeSeries(NewLabelEdit("LabelJoin", std::move(child), edit), state, steps);
}

absl::StatusOr<OperatorPtr> PlanHistogramQuantile(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr quantile, Argument(call, 0, state, steps));
  ASSIGN_OR_RETURN(OperatorPtr vector, Argument(call, 1, state, steps));
  OperatorPtr cpu = NewHistogramQuantile(call, std::move(quantile), std::move(vector), state, steps);
  return MaybeDropNames(MaybeHistogramOnDevice(call, std::move(cpu), state, steps), state, steps);
}

absl::StatusOr<OperatorPtr> PlanHistogramFraction(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr lower, Argument(call, 0, state, steps));
  ASSIGN_OR_RETURN(OperatorPtr upper, Argument(call, 1, state, steps));
  ASSIGN_OR_RETURN(OperatorPtr vector, Argument(call, 2, state, steps));
  OperatorPtr cpu =
      NewHistogramFraction(call, std::move(lower), std::move(upper), std::move(vector), state, steps);
  return MaybeDropNames(MaybeHistogramOnDevice(call, std::move(cpu), state, steps), state, steps);
}

absl::StatusOr<OperatorPtr> PlanHistogramQuantiles(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr vector, Argument(call, 0, state, steps));
  ASSIGN_OR_RETURN(std::vector<OperatorPtr> quantiles, ScalarArguments(call, state, steps));
  return MaybeDropNames(
      NewHistogramQuantiles(call, Text(call, 1), std::move(quantiles), std::move(vector), state, steps),
      state, steps);
}

absl::StatusOr<OperatorPtr> PlanInfo(const Expr& call, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
  Matchers selector;
  if (call.children.size() > 1) selector = Unwrapped(*call.children[1]).matchers;
  return NewInfo(*call.children[0], selector, std::move(child), state, steps);
}

struct Planned {
  std::string_view name;
  PlanFn plan;
};

// The functions with an operator of their own; all others come from the function table.
constexpr auto kPlanned = std::to_array<Planned>({
    {"absent", PlanAbsent},
    {"absent_over_time", PlanAbsentOverTime},
    {"end", PlanEnd},
    {"histogram_fraction", PlanHistogramFraction},
    {"histogram_quantile", PlanHistogramQuantile},
    {"histogram_quantiles", PlanHistogramQuantiles},
    {"info", PlanInfo},
    {"label_join", PlanLabelJoin},
    {"label_replace", PlanLabelReplace},
    {"max_of", PlanExtreme},
    {"min_of", PlanExtreme},
    {"pi", PlanPi},
    {"range", PlanRangeWidth},
    {"scalar", PlanScalar},
    {"sort", PlanSort},
    {"sort_by_label", PlanSortByLabel},
    {"sort_by_label_desc", PlanSortByLabel},
    {"sort_desc", PlanSort},
    {"start", PlanStart},
    {"start_timestamp", PlanStartTimestamp},
    {"step", PlanStep},
    {"time", PlanTime},
    {"timestamp", PlanTimestamp},
    {"vector", PlanVector},
});

absl::StatusOr<OperatorPtr> PlanRangeFunction(const Expr& call, const FunctionImpl& function,
                                              QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(std::vector<OperatorPtr> scalars, ScalarArguments(call, state, steps));
  auto matrix = std::find_if(call.children.begin(), call.children.end(),
                             [](const ExprPtr& e) { return TypeOf(*e) == ValueType::kMatrix; });
  OperatorPtr out;
  if (call.shared_read > 0 && state->devices == nullptr) {
    out = NewShared(call, state, steps, [&call, &function, state, steps] {
      return NewRangeFunction(call, function, NewMatrixSource(*call.children[0], state, steps), {}, state,
                              steps);
    });
  } else {
    ASSIGN_OR_RETURN(std::unique_ptr<RangeSource> source, PlanRange(**matrix, state, steps));
    out = NewRangeFunction(call, function, std::move(source), std::move(scalars), state, steps);
  }
  return function.keeps_name ? std::move(out) : MaybeDropNames(std::move(out), state, steps);
}

// Not every function knows what to do with samples beyond its range.
absl::Status CheckModifiers(const Expr& call) {
  static constexpr std::string_view kAnchored[] = {"changes", "delta", "increase", "rate", "resets"};
  static constexpr std::string_view kSmoothed[] = {"delta", "increase", "rate"};
  auto check = [&call](std::string_view modifier, std::span<const std::string_view> safe) {
    std::string names;
    for (std::string_view name : safe) {
      if (name == call.function->name) return absl::OkStatus();
      StrAppend(&names, names.empty() ? "" : ", ", name);
    }
    return absl::FailedPreconditionError(
        StrCat(modifier, " modifier can only be used with: ", names, " - not with ", call.function->name));
  };
  for (const ExprPtr& child : call.children) {
    const Expr& argument = Unwrapped(*child);
    if (argument.kind != ExprKind::kMatrixSelector) continue;
    if (argument.children[0]->anchored) RETURN_IF_ERROR(check("anchored", kAnchored));
    if (argument.children[0]->smoothed) RETURN_IF_ERROR(check("smoothed", kSmoothed));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OperatorPtr> PlanCall(const Expr& call, QueryState* state, Steps steps) {
  RETURN_IF_ERROR(CheckModifiers(call));
  auto planned = std::lower_bound(kPlanned.begin(), kPlanned.end(), call.function->name,
                                  [](const Planned& p, std::string_view name) { return p.name < name; });
  if (planned != kPlanned.end() && planned->name == call.function->name)
    return planned->plan(call, state, steps);
  const FunctionImpl* function = FindFunctionImpl(call.function->name);
  if (function == nullptr)
    return absl::InternalError(StrCat("function ", call.function->name, " has no operator"));
  if (function->range != nullptr) return PlanRangeFunction(call, *function, state, steps);
  if (call.children.empty()) {  // the calendar functions: of the step's own time
    return NewInstantFunction(call, *function, Time(steps), {}, state, steps);
  }
  ASSIGN_OR_RETURN(OperatorPtr child, Argument(call, 0, state, steps));
  ASSIGN_OR_RETURN(std::vector<OperatorPtr> scalars, ScalarArguments(call, state, steps));
  OperatorPtr out = NewInstantFunction(call, *function, std::move(child), std::move(scalars), state, steps);
  if (!function->keeps_types || state->delayed_name_removal)
    return MaybeDropNames(std::move(out), state, steps);
  return NewDropNames(std::move(out), state, steps, /*keep_types=*/true);
}

}  // namespace narthex::promql
