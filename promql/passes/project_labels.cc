#include "promql/functions/call.h"
#include "promql/passes/passes.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

// The aggregations that tell series apart by their groups only.
bool LooksAtGroupsOnly(const Expr& e) {
  switch (e.aggregation) {
    case Aggregation::kSum:
    case Aggregation::kAvg:
    case Aggregation::kCount:
    case Aggregation::kMin:
    case Aggregation::kMax:
    case Aggregation::kGroup:
    case Aggregation::kStddev:
    case Aggregation::kStdvar:
      return !e.without;
    default:
      return false;
  }
}

Expr* Inner(Expr* e) {
  while (e->kind == ExprKind::kParen || e->kind == ExprKind::kStepInvariant) e = e->children[0].get();
  return e;
}

bool HasOneName(const Expr& selector) { return !OnlyName(selector).empty(); }

// The selector of a function over a range vector; nullptr if it is something else.
Expr* RangeSelector(Expr* call) {
  const FunctionImpl* function = FindFunctionImpl(call->function->name);
  if (function == nullptr || function->range == nullptr) return nullptr;
  for (ExprPtr& argument : call->children) {
    Expr* matrix = Inner(argument.get());
    if (matrix->kind == ExprKind::kMatrixSelector) return matrix->children[0].get();
  }
  return nullptr;
}

// Of histograms that do not go together it says which metric they are of.
bool TellsNames(const Expr& aggregate) {
  return aggregate.aggregation == Aggregation::kSum || aggregate.aggregation == Aggregation::kAvg;
}

void Project(const Expr& aggregate, Expr* vector) {
  if (vector->kind == ExprKind::kVectorSelector && !vector->smoothed && !vector->anchored) {
    if (TellsNames(aggregate) && !HasOneName(*vector)) return;
    vector->needed_labels = aggregate.grouping;
  } else if (vector->kind == ExprKind::kCall) {
    Expr* selector = RangeSelector(vector);
    // Where names go, series of different names may become one, which all their labels decide.
    if (selector == nullptr || !HasOneName(*selector)) return;
    selector->needed_labels = aggregate.grouping;
    for (std::string_view name : {kMetricName, kTypeLabel, kUnitLabel})
      selector->needed_labels->emplace_back(name);
  }
}

}  // namespace

void ProjectLabels(ExprPtr* expr) {
  Expr& e = **expr;
  for (ExprPtr& child : e.children) ProjectLabels(&child);
  if (e.kind == ExprKind::kAggregate && LooksAtGroupsOnly(e)) Project(e, Inner(e.children.back().get()));
}

}  // namespace narthex::promql
