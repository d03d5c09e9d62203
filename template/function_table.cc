#include <algorithm>

#include "template/functions.h"

namespace narthex::tmpl {

const FunctionEntry* FindFunction(std::string_view name) {
  for (std::span<const FunctionEntry> family :
       {BuiltinFunctions(), PrometheusFunctions(), HumanizeFunctions()}) {
    auto it =
        std::find_if(family.begin(), family.end(), [name](const FunctionEntry& e) { return e.name == name; });
    if (it != family.end()) return &*it;
  }
  return nullptr;
}

}  // namespace narthex::tmpl
