// Pieces of printed PromQL, shared by the one-line and the pretty printer. Not a contract.
#pragma once

#include <string>

#include "promql/syntax/ast.h"

namespace narthex::promql {

std::string DurationText(const Expr& e);
std::string ModifierText(const Expr& e,
                         bool of_range = false);  // " @ 1.000 offset 5m" of a selector or subquery
std::string RangeText(const Expr& e);             // "[5m]" or "[5m:1m]"
std::string AggregateHead(const Expr& e);         // "sum by (a) "
std::string BinaryOperatorText(const Expr& e);    // "== bool on (a) group_left ()"

}  // namespace narthex::promql
