#include "rules/dependencies.h"

#include <algorithm>
#include <set>
#include <string>

namespace narthex::rules {
namespace {

// The metric names that an expression reads. False: they cannot be known.
bool Inputs(const promql::Expr& expr, std::set<std::string>* names) {
  if (expr.kind == promql::ExprKind::kVectorSelector) {
    bool found = false;
    for (const Matcher& matcher : expr.matchers) {
      if (matcher.name() != kMetricName || matcher.op() != MatchOp::kEqual) continue;
      names->insert(std::string(matcher.value()));
      found = true;
    }
    if (!found) return false;
  }
  return std::all_of(expr.children.begin(), expr.children.end(),
                     [&](const promql::ExprPtr& child) { return child == nullptr || Inputs(*child, names); });
}

std::vector<std::string> Outputs(const RuleSpec& rule) {
  if (!rule.alerting) return {rule.name};
  return {"ALERTS", "ALERTS_FOR_STATE"};
}

}  // namespace

std::vector<bool> IndependentRules(const std::vector<const RuleSpec*>& rules) {
  std::vector<bool> independent(rules.size(), true);
  std::vector<std::set<std::string>> inputs(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    // info() reads metrics that it does not name.
    const bool known = rules[i]->tree != nullptr && rules[i]->expr.find("info") == std::string::npos &&
                       Inputs(*rules[i]->tree, &inputs[i]);
    if (!known) return std::vector<bool>(rules.size(), false);
  }
  for (size_t reader = 0; reader < rules.size(); ++reader) {
    if (inputs[reader].empty()) continue;
    for (size_t writer = 0; writer < rules.size(); ++writer) {
      for (const std::string& name : Outputs(*rules[writer])) {
        if (inputs[reader].contains(name)) independent[reader] = independent[writer] = false;
      }
    }
  }
  return independent;
}

}  // namespace narthex::rules
