#include "promql/syntax/ast.h"

#include "promql/syntax/signatures.h"

namespace narthex::promql {

const char* ValueTypeName(ValueType type) {
  switch (type) {
    case ValueType::kNone:
      return "none";
    case ValueType::kScalar:
      return "scalar";
    case ValueType::kVector:
      return "instant vector";
    case ValueType::kMatrix:
      return "range vector";
    case ValueType::kString:
      return "string";
  }
  return "";
}

const char* ValueTypeDocName(ValueType type) {
  switch (type) {
    case ValueType::kNone:
      return "none";
    case ValueType::kScalar:
      return "scalar";
    case ValueType::kVector:
      return "vector";
    case ValueType::kMatrix:
      return "matrix";
    case ValueType::kString:
      return "string";
  }
  return "";
}

const char* OpName(Op op) {
  static constexpr const char* kNames[] = {"",    "+",  "-",      "*",    "/",     "%",      "^",     "atan2",
                                           "==",  "!=", "<",      "<=",   ">",     ">=",     "</",    ">/",
                                           "and", "or", "unless", "step", "range", "min_of", "max_of"};
  return kNames[static_cast<int>(op)];
}

const char* AggregationName(Aggregation op) {
  static constexpr const char* kNames[] = {"sum",      "avg",          "count",  "min",        "max",
                                           "group",    "stddev",       "stdvar", "topk",       "bottomk",
                                           "quantile", "count_values", "limitk", "limit_ratio"};
  return kNames[static_cast<int>(op)];
}

ExprPtr Expr::Clone() const {
  auto out = std::make_unique<Expr>();
  out->kind = kind;
  out->pos = pos;
  out->number = number;
  out->is_duration = is_duration;
  out->text = text;
  out->matchers = matchers;
  out->original_offset_ms = original_offset_ms;
  out->offset_ms = offset_ms;
  out->at = at;
  out->at_ms = at_ms;
  out->anchored = anchored;
  out->smoothed = smoothed;
  out->needed_labels = needed_labels;
  out->shared_read = shared_read;
  out->range_ms = range_ms;
  out->step_ms = step_ms;
  out->op = op;
  out->return_bool = return_bool;
  out->matching = matching;
  out->wrapped = wrapped;
  out->function = function;
  out->aggregation = aggregation;
  out->grouping = grouping;
  out->without = without;
  out->operator_pos = operator_pos;
  if (offset_expr) out->offset_expr = offset_expr->Clone();
  if (range_expr) out->range_expr = range_expr->Clone();
  if (step_expr) out->step_expr = step_expr->Clone();
  for (const ExprPtr& child : children) out->children.push_back(child ? child->Clone() : nullptr);
  return out;
}

PositionRange ArgumentPosition(const Expr& argument) {
  const Expr* e = &argument;
  while (e->kind == ExprKind::kParen || e->kind == ExprKind::kStepInvariant) e = e->children[0].get();
  return e->kind == ExprKind::kSubquery ? PositionRange() : e->pos;
}

std::string_view OnlyName(const Expr& selector) {
  for (const Matcher& m : selector.matchers) {
    if (m.op() == MatchOp::kEqual && m.name() == kMetricName) return m.value();
  }
  return {};
}

ValueType TypeOf(const Expr& e) {
  switch (e.kind) {
    case ExprKind::kNumber:
    case ExprKind::kDurationExpr:
      return ValueType::kScalar;
    case ExprKind::kString:
      return ValueType::kString;
    case ExprKind::kVectorSelector:
    case ExprKind::kAggregate:
      return ValueType::kVector;
    case ExprKind::kMatrixSelector:
    case ExprKind::kSubquery:
      return ValueType::kMatrix;
    case ExprKind::kCall:
      return e.function->returns;
    case ExprKind::kBinary:
      return TypeOf(*e.children[0]) == ValueType::kScalar && TypeOf(*e.children[1]) == ValueType::kScalar
                 ? ValueType::kScalar
                 : ValueType::kVector;
    case ExprKind::kUnary:
    case ExprKind::kParen:
    case ExprKind::kStepInvariant:
      return TypeOf(*e.children[0]);
  }
  return ValueType::kNone;
}

}  // namespace narthex::promql
