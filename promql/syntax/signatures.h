// Names and types of all PromQL functions; what the parser needs to know of them.
#pragma once

#include <string_view>
#include <vector>

#include "promql/syntax/ast.h"

namespace narthex::promql {

struct FunctionSignature {
  std::string_view name;
  std::vector<ValueType> args;
  int variadic = 0;  // 0: exact; n > 0: up to n further optional (the last args are optional); -1: any number
  ValueType returns = ValueType::kVector;
  bool experimental = false;
};

// nullptr if there is none.
const FunctionSignature* FindFunction(std::string_view name);
const std::vector<FunctionSignature>& AllFunctions();

}  // namespace narthex::promql
