#include "promql/plan.h"

#include <algorithm>

#include "base/status_macros.h"
#include "promql/operators/aggregates.h"
#include "promql/operators/device_operators.h"
#include "promql/operators/maps.h"
#include "promql/operators/observed.h"
#include "promql/operators/scalars.h"
#include "promql/operators/shared_selector.h"
#include "promql/operators/vector_binary.h"
#include "promql/plan_calls.h"
#include "promql/plan_node.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {

OperatorPtr MaybeDropNames(OperatorPtr op, QueryState* state, Steps steps) {
  // With delayed name removal the names go at the root, in one sweep.
  if (state->delayed_name_removal) return op;
  return NewDropNames(std::move(op), state, steps);
}

const Expr& Unwrapped(const Expr& expr) {
  const Expr* e = &expr;
  while (e->kind == ExprKind::kParen || e->kind == ExprKind::kStepInvariant) e = e->children[0].get();
  return *e;
}

namespace {

absl::StatusOr<OperatorPtr> PlanStepInvariant(const Expr& e, QueryState* state, Steps steps) {
  if (steps.count == 1) return PlanNode(*e.children[0], state, steps);
  Steps once = steps;
  once.end_ms = steps.start_ms;
  once.count = 1;
  // What it looks at is looked at for every step.
  SampleCounts* const outer = state->counts;
  SampleCounts* const inner = state->NewCounts();
  absl::StatusOr<OperatorPtr> child = PlanNode(*e.children[0], state, once);
  state->counts = outer;
  RETURN_IF_ERROR(child.status());
  return NewStepInvariant(*std::move(child), steps, inner, outer);
}

absl::StatusOr<OperatorPtr> PlanUnary(const Expr& e, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr child, PlanNode(*e.children[0], state, steps));
  if (e.op != Op::kSub) return child;
  if (TypeOf(e) == ValueType::kScalar) return NewNegatedScalar(std::move(child), steps);
  return MaybeDropNames(NewNegate(std::move(child), steps), state, steps);
}

absl::StatusOr<OperatorPtr> PlanBinary(const Expr& e, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr left, PlanNode(*e.children[0], state, steps));
  ASSIGN_OR_RETURN(OperatorPtr right, PlanNode(*e.children[1], state, steps));
  bool left_scalar = TypeOf(*e.children[0]) == ValueType::kScalar;
  bool right_scalar = TypeOf(*e.children[1]) == ValueType::kScalar;
  if (left_scalar && right_scalar) return NewScalarBinary(e.op, std::move(left), std::move(right), steps);
  if (IsSetOp(e.op)) return NewVectorSet(e, std::move(left), std::move(right), state, steps);
  OperatorPtr out;
  if (left_scalar) {
    out = NewVectorScalar(e, std::move(right), std::move(left), /*swapped=*/true, state, steps);
  } else if (right_scalar) {
    out = NewVectorScalar(e, std::move(left), std::move(right), /*swapped=*/false, state, steps);
  } else {
    out = NewVectorBinary(e, std::move(left), std::move(right), state, steps);
  }
  return MaybeDropNames(std::move(out), state, steps);
}

// sum by (a)(x) is the same whether x has a name or not.
bool IgnoresNames(const Expr& e) {
  return !e.without && std::none_of(e.grouping.begin(), e.grouping.end(),
                                    [](const std::string& name) { return name.starts_with("__"); });
}

absl::StatusOr<OperatorPtr> PlanAggregateOnCpu(const Expr& e, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr child, PlanNode(*e.children.back(), state, steps));
  switch (e.aggregation) {
    case Aggregation::kTopk:
    case Aggregation::kBottomk:
    case Aggregation::kLimitk:
    case Aggregation::kLimitRatio: {
      ASSIGN_OR_RETURN(OperatorPtr parameter, PlanNode(*e.children[0], state, steps));
      return NewRanked(e, std::move(parameter), std::move(child), state, steps);
    }
    case Aggregation::kQuantile: {
      ASSIGN_OR_RETURN(OperatorPtr parameter, PlanNode(*e.children[0], state, steps));
      return NewQuantileAggregate(e, std::move(parameter), std::move(child), state, steps);
    }
    case Aggregation::kCountValues:
      return NewCountValues(e, Unwrapped(*e.children[0]).text, std::move(child), state, steps);
    default:
      if (IgnoresNames(e)) child->LetNamesStay();
      return NewAggregate(e, std::move(child), state, steps);
  }
}

absl::StatusOr<OperatorPtr> PlanAggregate(const Expr& e, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr cpu, PlanAggregateOnCpu(e, state, steps));
  return MaybeAggregateOnDevice(e, std::move(cpu), state, steps);
}

absl::StatusOr<OperatorPtr> PlanBare(const Expr& e, QueryState* state, Steps steps) {
  switch (e.kind) {
    case ExprKind::kNumber: {
      double value = e.number;
      return NewScalar(steps, ToString(e), [value](int64_t) { return value; });
    }
    case ExprKind::kVectorSelector:
      // Devices look for selectors of their own.
      if (e.shared_read > 0 && state->devices == nullptr) {
        return NewShared(e, state, steps, [&e, state, steps] {
          return NewInstantSelector(e, state, steps, SelectorReading::kValue);
        });
      }
      return NewInstantSelector(e, state, steps, SelectorReading::kValue);
    case ExprKind::kParen:
      return PlanNode(*e.children[0], state, steps);
    case ExprKind::kStepInvariant:
      return PlanStepInvariant(e, state, steps);
    case ExprKind::kUnary:
      return PlanUnary(e, state, steps);
    case ExprKind::kBinary:
      return PlanBinary(e, state, steps);
    case ExprKind::kAggregate:
      return PlanAggregate(e, state, steps);
    case ExprKind::kCall:
      return PlanCall(e, state, steps);
    default:
      return absl::InternalError("this kind of expression has no operator of its own");
  }
}

}  // namespace

absl::StatusOr<OperatorPtr> PlanNode(const Expr& e, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr bare, PlanBare(e, state, steps));
  return NewObserved(std::move(bare), state, steps.count);
}

Steps SubquerySteps(const Expr& subquery, const TimeShift& shift, const Steps& outer,
                    int64_t default_step_ms) {
  Steps inner;
  inner.step_ms = subquery.step_ms > 0 ? subquery.step_ms : default_step_ms;
  int64_t after = shift.Reference(outer.Time(0)) - subquery.range_ms;  // exclusive
  inner.start_ms = after / inner.step_ms * inner.step_ms;
  if (inner.start_ms <= after) inner.start_ms += inner.step_ms;
  inner.end_ms = shift.Reference(outer.Time(outer.count - 1));
  inner.count = inner.end_ms < inner.start_ms
                    ? 0
                    : static_cast<int>((inner.end_ms - inner.start_ms) / inner.step_ms) + 1;
  return inner;
}

absl::StatusOr<std::unique_ptr<RangeSource>> PlanRange(const Expr& expr, QueryState* state, Steps steps) {
  const Expr& e = Unwrapped(expr);
  if (e.kind == ExprKind::kMatrixSelector) return NewMatrixSource(e, state, steps);
  Steps inner = SubquerySteps(e, ShiftOf(e, state->steps), steps, state->default_subquery_step_ms);
  SampleCounts* const outer = state->counts;
  const SampleCounts* const counts = state->NewCounts();
  absl::StatusOr<OperatorPtr> child = PlanNode(*e.children[0], state, inner);
  state->counts = outer;
  RETURN_IF_ERROR(child.status());
  return NewSubquerySource(e, *std::move(child), state, inner, counts);
}

absl::StatusOr<OperatorPtr> PlanQuery(const Expr& expr, QueryState* state, Steps steps) {
  ASSIGN_OR_RETURN(OperatorPtr root, PlanNode(expr, state, steps));
  if (TypeOf(expr) != ValueType::kVector) return root;
  // A selector keeps the names, by which its series differ.
  if (Unwrapped(expr).kind == ExprKind::kVectorSelector) return root;
  return NewDropNames(std::move(root), state, steps);
}

}  // namespace narthex::promql
