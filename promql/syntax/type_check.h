// Types of arguments and operands, and the rules that go beyond grammar.
#pragma once

#include <vector>

#include "promql/syntax/ast.h"
#include "promql/syntax/parser.h"

namespace narthex::promql {

// Adds what is wrong, in upstream's order and words. Also completes the tree: the matching of vector
// operators.
void CheckTypes(Expr* expr, const ParserOptions& options, std::vector<ParseError>* errors);

}  // namespace narthex::promql
