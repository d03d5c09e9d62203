// What the files of the planner share.
#pragma once

#include "absl/status/statusor.h"
#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// Plans any scalar or instant vector node.
absl::StatusOr<OperatorPtr> PlanNode(const Expr& e, QueryState* state, Steps steps);
// Takes marked names away here, unless that is delayed to the root.
OperatorPtr MaybeDropNames(OperatorPtr op, QueryState* state, Steps steps);
// `expr` without parentheses and step-invariant wrappers.
const Expr& Unwrapped(const Expr& expr);

}  // namespace narthex::promql
