// The functions that templates may call.
#pragma once

#include <algorithm>
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
// Types of parameters, a letter each: s string, a anything, q the result of `query`, p one of its samples.
// "sa*": a string and any number of anything.
struct FunctionEntry {
  std::string_view name, parameters;
  FunctionPtr function = nullptr;
  bool variadic() const { return parameters.ends_with('*'); }
  size_t fixed() const { return variadic() ? parameters.size() - 2 : parameters.size(); }
  char type(size_t i) const { return parameters[variadic() ? std::min(i, fixed()) : i]; }
};

// nullptr if there is none.
const FunctionEntry* FindFunction(std::string_view name);
inline bool IsFunction(std::string_view name) { return FindFunction(name) != nullptr; }

// Methods of times and durations, whose first argument is the value itself. nullptr if there is none.
const FunctionEntry* FindMethod(Value::Kind kind, std::string_view name);

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
