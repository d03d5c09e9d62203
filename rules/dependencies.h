// Which rules of a group may be evaluated at the same time.
#pragma once

#include <vector>

#include "rules/rules.h"

namespace narthex::rules {

// For each rule, in order: whether it reads nothing that another rule of the group writes, and no other reads
// what it writes. A selector without a plain metric name may read anything: then no rule is independent.
std::vector<bool> IndependentRules(const std::vector<const RuleSpec*>& rules);

}  // namespace narthex::rules
