#include "promql/operators/scalars.h"
#include "promql/passes/passes.h"

namespace narthex::promql {
namespace {

const Expr* NumberIn(const Expr& e) {
  const Expr* inner = &e;
  while (inner->kind == ExprKind::kParen) inner = inner->children[0].get();
  return inner->kind == ExprKind::kNumber ? inner : nullptr;
}

}  // namespace

void FoldConstants(ExprPtr* expr) {
  Expr& e = **expr;
  for (ExprPtr& child : e.children) FoldConstants(&child);
  double value = 0;
  if (e.kind == ExprKind::kBinary) {
    const Expr *left = NumberIn(*e.children[0]), *right = NumberIn(*e.children[1]);
    if (left == nullptr || right == nullptr) return;
    value = FloatOp(e.op, left->number, right->number);
  } else if (e.kind == ExprKind::kUnary) {
    const Expr* operand = NumberIn(*e.children[0]);
    if (operand == nullptr) return;
    value = e.op == Op::kSub ? -operand->number : operand->number;
  } else {
    return;
  }
  auto number = std::make_unique<Expr>();
  number->kind = ExprKind::kNumber;
  number->pos = e.pos;
  number->number = value;
  *expr = std::move(number);
}

}  // namespace narthex::promql
