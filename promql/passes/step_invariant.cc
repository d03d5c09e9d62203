#include <algorithm>

#include "promql/passes/passes.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

// Functions whose result moves with the evaluation time even over fixed data.
bool DependsOnTime(const Expr& call) {
  std::string_view name = call.function->name;
  for (std::string_view calendar :
       {"days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year"}) {
    if (name == calendar) return call.children.empty();
  }
  return name == "time" || name == "predict_linear" || name == "timestamp";
}

bool IsInvariant(const Expr& e) {
  if (e.kind == ExprKind::kVectorSelector) return e.at != AtModifier::kNone;
  if (e.kind == ExprKind::kSubquery) return e.at != AtModifier::kNone;
  if (e.kind == ExprKind::kCall && DependsOnTime(e)) return false;
  return std::all_of(e.children.begin(), e.children.end(),
                     [](const ExprPtr& child) { return IsInvariant(*child); });
}

bool IsLiteral(const Expr& e) { return e.kind == ExprKind::kNumber || e.kind == ExprKind::kString; }

}  // namespace

void MarkStepInvariant(ExprPtr* expr) {
  Expr& e = **expr;
  // Literals cost nothing, and range vectors are handled by the function over them.
  if (IsLiteral(e)) return;
  if (IsInvariant(e) && TypeOf(e) != ValueType::kMatrix) {
    auto wrapper = std::make_unique<Expr>();
    wrapper->kind = ExprKind::kStepInvariant;
    wrapper->pos = e.pos;
    wrapper->children.push_back(std::move(*expr));
    *expr = std::move(wrapper);
    return;
  }
  if (e.kind == ExprKind::kMatrixSelector) return;
  for (ExprPtr& child : e.children) MarkStepInvariant(&child);
}

}  // namespace narthex::promql
