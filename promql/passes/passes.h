// Rewrites of the syntax tree before planning. One file each; each but the first can be left out without
// changing results.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "promql/operator.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// Puts numbers in the place of duration expressions ([...], offset, subquery steps). Must run.
absl::Status ResolveDurations(Expr* expr, const Steps& steps);

// Works out arithmetic between numbers.
void FoldConstants(ExprPtr* expr);
// Lets a selector whose series are of no use without a partner look for those that can have one.
void PropagateMatchers(ExprPtr* expr);
// Tells selectors under an aggregation which labels it looks at.
void ProjectLabels(ExprPtr* expr);
// Wraps parts that are the same at every step (everything in them is fixed by @).
void MarkStepInvariant(ExprPtr* expr);

// Lets selectors, and functions of range selectors, that are equal and looked at with the same steps read
// storage once.
void ShareSelectors(ExprPtr* expr);

struct Pass {
  std::string_view name;  // as --query.disable-pass takes it
  void (*run)(ExprPtr* expr);
};
// Those that may be left out, in the order in which they run.
std::span<const Pass> OptionalPasses();
// Runs all but those named.
void RunPasses(const std::vector<std::string>& disabled, ExprPtr* expr);

}  // namespace narthex::promql
