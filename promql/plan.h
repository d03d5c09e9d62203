// From the checked syntax tree to the operator tree.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "promql/operator.h"
#include "promql/operators/selectors.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// Plans a scalar or instant vector expression. `expr` (its durations resolved) and `state` must outlive the
// operators.
absl::StatusOr<OperatorPtr> PlanQuery(const Expr& expr, QueryState* state, Steps steps);

// Plans a range vector: a matrix selector or a subquery, in parentheses or not.
absl::StatusOr<std::unique_ptr<RangeSource>> PlanRange(const Expr& expr, QueryState* state, Steps steps);

// The steps at which a subquery under `outer` evaluates its expression: aligned to multiples of its step.
Steps SubquerySteps(const Expr& subquery, const TimeShift& shift, const Steps& outer,
                    int64_t default_step_ms);

}  // namespace narthex::promql
