#include "promql/passes/passes.h"

#include <algorithm>

namespace narthex::promql {

std::span<const Pass> OptionalPasses() {
  static constexpr Pass kPasses[] = {
      {"fold-constants", FoldConstants},   {"propagate-matchers", PropagateMatchers},
      {"project-labels", ProjectLabels},   {"step-invariant", MarkStepInvariant},
      {"share-selectors", ShareSelectors},
  };
  return kPasses;
}

namespace {

// There is nothing to rewrite in a selector alone, and many queries are that.
bool IsBareSelector(const Expr& e) {
  return e.kind == ExprKind::kVectorSelector && e.at == AtModifier::kNone;
}

}  // namespace

void RunPasses(const std::vector<std::string>& disabled, ExprPtr* expr) {
  if (IsBareSelector(**expr)) return;
  for (const Pass& pass : OptionalPasses()) {
    if (std::find(disabled.begin(), disabled.end(), pass.name) == disabled.end()) pass.run(expr);
  }
}

}  // namespace narthex::promql
