// The functions that templates may call.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "template/template.h"
#include "template/value.h"

namespace narthex::tmpl {

// What functions know of the template that calls them.
struct FunctionContext {
  const ExpandOptions* options = nullptr;
  // Runs a defined template (`tmpl`).
  std::function<absl::StatusOr<std::string>(const std::string& name, const Value& dot)> run_template;
};

using FunctionPtr = absl::StatusOr<Value> (*)(std::span<const Value> args, const FunctionContext& context);
struct FunctionEntry {
  std::string_view name;
  int min_args = 0, max_args = 0;  // max -1: any number
  FunctionPtr function = nullptr;
};

// nullptr if there is none. `and` and `or` are evaluated lazily by the executor.
const FunctionEntry* FindFunction(std::string_view name);
inline bool IsFunction(std::string_view name) { return FindFunction(name) != nullptr; }

// The families of the table.
std::span<const FunctionEntry> BuiltinFunctions();     // Go's
std::span<const FunctionEntry> PrometheusFunctions();  // text, links, queries
std::span<const FunctionEntry> HumanizeFunctions();    // numbers and times for people

// Arguments as numbers: strings are parsed. "can't convert X to float" otherwise.
absl::StatusOr<double> ToFloat(const Value& value);
// fmt.Sprintf.
std::string Sprintf(std::span<const Value> args);
// fmt.Sprint: spaces between operands that are not strings.
std::string Sprint(std::span<const Value> args);

}  // namespace narthex::tmpl
