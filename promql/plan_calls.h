// Planning of function calls: which operator does which function.
#pragma once

#include "absl/status/statusor.h"
#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

absl::StatusOr<OperatorPtr> PlanCall(const Expr& call, QueryState* state, Steps steps);

}  // namespace narthex::promql
