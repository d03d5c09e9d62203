// Rewrites of the syntax tree before planning. One file each; each can be left out without changing results.
#pragma once

#include "absl/status/status.h"
#include "promql/operator.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// Puts numbers in the place of duration expressions ([...], offset, subquery steps). Must run.
absl::Status ResolveDurations(Expr* expr, const Steps& steps);
// Wraps parts that are the same at every step (everything in them is fixed by @).
void MarkStepInvariant(ExprPtr* expr);

}  // namespace narthex::promql
