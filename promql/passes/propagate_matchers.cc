#include <algorithm>

#include "promql/passes/passes.h"

namespace narthex::promql {
namespace {

Expr* SelectorIn(Expr* e) {
  while (e->kind == ExprKind::kParen) e = e->children[0].get();
  return e->kind == ExprKind::kVectorSelector ? e : nullptr;
}

// Whether partners must have the same value of the label.
bool IsMatchedOn(const VectorMatching& matching, const std::string& label) {
  if (label.starts_with("__")) return false;
  const bool named =
      std::find(matching.labels.begin(), matching.labels.end(), label) != matching.labels.end();
  return named == matching.on;
}

void Add(const Expr& from, const VectorMatching& matching, Expr* to) {
  for (const Matcher& matcher : from.matchers) {
    if (!IsMatchedOn(matching, matcher.name())) continue;
    const std::string text = matcher.ToString();
    const bool has = std::any_of(to->matchers.begin(), to->matchers.end(),
                                 [&](const Matcher& m) { return m.ToString() == text; });
    if (!has) to->matchers.push_back(matcher);
  }
}

}  // namespace

// A side that must be unique in each match group is left as it is: two of its series in a group are an error
// even if the group has no partner.
void PropagateMatchers(ExprPtr* expr) {
  Expr& e = **expr;
  for (ExprPtr& child : e.children) PropagateMatchers(&child);
  if (e.kind != ExprKind::kBinary || !e.matching) return;
  const VectorMatching& matching = *e.matching;
  Expr *left = SelectorIn(e.children[0].get()), *right = SelectorIn(e.children[1].get());
  if (left == nullptr || right == nullptr || matching.fill_left || matching.fill_right) return;
  if (e.op == Op::kOr) return;
  const Expr left_only_matchers = [&] {
    Expr copy;
    copy.matchers = left->matchers;
    return copy;
  }();
  const bool right_is_one = !IsSetOp(e.op) && matching.card != Cardinality::kOneToMany;
  const bool left_is_one = !IsSetOp(e.op) && matching.card == Cardinality::kOneToMany;
  if (!left_is_one && e.op != Op::kUnless) Add(*right, matching, left);
  if (!right_is_one) Add(left_only_matchers, matching, right);
}

}  // namespace narthex::promql
