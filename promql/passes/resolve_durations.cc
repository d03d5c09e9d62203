#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/passes/passes.h"

namespace narthex::promql {
namespace {

// Prometheus gives the offsets of the expression's first byte and of the one behind its last.
absl::Status Bad(const Expr& e, std::string_view what) {
  return absl::InvalidArgumentError(StrCat(e.pos.start, ":", e.pos.end, ": ", what));
}

// The value of a duration expression in seconds.
absl::StatusOr<double> Evaluate(const Expr& e, const Steps& steps) {
  if (e.kind == ExprKind::kNumber) return e.number;
  if (e.op == Op::kStep) return static_cast<double>(steps.step_ms) / 1000;
  if (e.op == Op::kRange) return static_cast<double>(steps.end_ms - steps.start_ms) / 1000;
  ASSIGN_OR_RETURN(double left, Evaluate(*e.children[0], steps));
  if (e.children.size() == 1) return e.op == Op::kSub ? -left : left;
  ASSIGN_OR_RETURN(double right, Evaluate(*e.children[1], steps));
  switch (e.op) {
    case Op::kAdd:
      return left + right;
    case Op::kSub:
      return left - right;
    case Op::kMul:
      return left * right;
    case Op::kDiv:
      if (right == 0) return Bad(e, "division by zero");
      return left / right;
    case Op::kMod:
      if (right == 0) return Bad(e, "modulo by zero");
      return std::fmod(left, right);
    case Op::kPow:
      return std::pow(left, right);
    case Op::kMinOf:
      return std::min(left, right);
    case Op::kMaxOf:
      return std::max(left, right);
    default:
      return absl::InternalError("unknown duration operator");
  }
}

absl::Status Resolve(const Expr& e, const Steps& steps, bool positive, int64_t* out_ms) {
  ASSIGN_OR_RETURN(double seconds, Evaluate(e, steps));
  if (positive && !(seconds > 0)) return Bad(e, "duration must be greater than 0");
  if (!(std::fabs(seconds) <= 9223372036.0)) return Bad(e, "duration is out of range");
  *out_ms = static_cast<int64_t>(seconds * 1000);
  return absl::OkStatus();
}

}  // namespace

absl::Status ResolveDurations(Expr* expr, const Steps& steps) {
  if (expr->range_expr) RETURN_IF_ERROR(Resolve(*expr->range_expr, steps, true, &expr->range_ms));
  if (expr->step_expr) RETURN_IF_ERROR(Resolve(*expr->step_expr, steps, true, &expr->step_ms));
  expr->offset_ms = expr->original_offset_ms;
  if (expr->offset_expr) RETURN_IF_ERROR(Resolve(*expr->offset_expr, steps, false, &expr->offset_ms));
  for (ExprPtr& child : expr->children) RETURN_IF_ERROR(ResolveDurations(child.get(), steps));
  return absl::OkStatus();
}

}  // namespace narthex::promql
