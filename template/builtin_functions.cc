// The functions that Go's templates have of themselves.
#include <array>
#include <compare>
#include <limits>
#include <optional>
#include <vector>

#include "base/go_format.h"
#include "base/http_client.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "template/escape.h"
#include "template/functions.h"

namespace narthex::tmpl {
namespace {

using Args = std::span<const Value>;
using Answer = absl::StatusOr<Value>;

absl::Status Error(std::string text) { return absl::InvalidArgumentError(text); }

Answer Not(Args args, const FunctionContext&) { return Value::Bool(!IsTrue(args[0])); }

Answer Len(Args args, const FunctionContext&) {
  const Value& v = args[0];
  if (v.kind == Value::kString) return Value::Int(static_cast<int64_t>(v.text.size()));
  if (v.list) return Value::Int(static_cast<int64_t>(v.list->size()));
  if (v.kind == Value::kMap || v.kind == Value::kLabels)
    return Value::Int(static_cast<int64_t>(v.map->size()));
  return Error(v.kind == Value::kNil ? "reflect: call of reflect.Value.Type on zero Value"
                                     : StrCat("len of type ", TypeName(v)));
}

// An index up to `size`.
absl::StatusOr<size_t> IndexOf(const Value& index, size_t size) {
  if (index.kind == Value::kNil) return Error("cannot index slice/array with nil");
  if (index.kind != Value::kInt && index.kind != Value::kUint) {
    return Error(StrCat("cannot index slice/array with type ", TypeName(index)));
  }
  int64_t i = index.kind == Value::kInt ? index.integer : static_cast<int64_t>(index.unsigned_integer);
  if (i < 0 || static_cast<size_t>(i) > size) return Error(StrCat("index out of range: ", i));
  return static_cast<size_t>(i);
}

// The same for one that must be there. What is one too far Go's reflection finds.
absl::StatusOr<size_t> IndexIn(const Value& index, size_t size, std::string_view what) {
  ASSIGN_OR_RETURN(size_t i, IndexOf(index, size));
  if (i == size) return Error(StrCat("reflect: ", what, " index out of range"));
  return i;
}

Answer Index(Args args, const FunctionContext&) {
  Value v = args[0];
  if (v.kind == Value::kNil) return Error("index of untyped nil");
  for (const Value& index : args.subspan(1)) {
    if (v.list) {
      ASSIGN_OR_RETURN(size_t i, IndexIn(index, v.list->size(), "slice"));
      Value item = (*v.list)[i];
      v = item;
    } else if (v.kind == Value::kString) {
      ASSIGN_OR_RETURN(size_t i, IndexIn(index, v.text.size(), "string"));
      v = Value::Uint(static_cast<unsigned char>(v.text[i]));
    } else if (v.kind == Value::kMap || v.kind == Value::kLabels) {
      if (index.kind == Value::kNil) return Error("value is nil; should be of type string");
      if (index.kind != Value::kString)
        return Error(StrCat("value has type ", TypeName(index), "; should be string"));
      auto it = v.map->find(index.text);
      Value item = it != v.map->end() ? it->second : v.kind == Value::kLabels ? Value::String("") : Value();
      v = item;
    } else if (v.kind == Value::kNil) {
      return Error("index of nil pointer");
    } else {
      return Error(StrCat("can't index item of type ", TypeName(v)));
    }
  }
  return v;
}

Answer Slice(Args args, const FunctionContext&) {
  const Value& v = args[0];
  if (v.kind == Value::kNil) return Error("slice of untyped nil");
  const size_t count = args.size() - 1;
  if (count > 3) return Error(StrCat("too many slice indexes: ", count));
  if (v.kind != Value::kString && !v.list) return Error(StrCat("can't slice item of type ", TypeName(v)));
  if (count == 3 && !v.list) return Error("cannot 3-index slice a string");
  const size_t size = v.list ? v.list->size() : v.text.size();
  size_t bounds[3] = {0, size, size};
  for (size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(bounds[i], IndexOf(args[i + 1], size));
  }
  for (size_t i = 0; i < 2; ++i) {
    if (bounds[i] > bounds[i + 1])
      return Error(StrCat("invalid slice index: ", bounds[i], " > ", bounds[i + 1]));
  }
  if (!v.list) {
    Value out = v;
    out.text = v.text.substr(bounds[0], bounds[1] - bounds[0]);
    return out;
  }
  auto first = v.list->begin();
  Value out = Value::OfList(
      List(first + static_cast<std::ptrdiff_t>(bounds[0]), first + static_cast<std::ptrdiff_t>(bounds[1])));
  out.query_result = v.query_result;
  return out;
}

bool IsNumber(const Value& v) {
  return v.kind == Value::kInt || v.kind == Value::kUint || v.kind == Value::kFloat ||
         v.kind == Value::kDuration;
}
bool IsInteger(const Value& v) { return IsNumber(v) && v.kind != Value::kFloat; }

absl::Status Incompatible(const Value& a, const Value& b) {
  return Error(StrCat("incompatible types for comparison: ", TypeName(a), " and ", TypeName(b)));
}

// Go compares kinds strictly; integers of both signs go together.
absl::StatusOr<std::partial_ordering> Compare(const Value& a, const Value& b) {
  if (IsInteger(a) && IsInteger(b)) {
    if (a.kind == Value::kUint && b.kind == Value::kUint) return a.unsigned_integer <=> b.unsigned_integer;
    auto value = [](const Value& v) -> int64_t {
      if (v.kind != Value::kUint) return v.integer;
      return v.unsigned_integer > INT64_MAX ? INT64_MAX : static_cast<int64_t>(v.unsigned_integer);
    };
    return value(a) <=> value(b);
  }
  const auto basic = [](const Value& v) {
    return IsNumber(v) || v.kind == Value::kString || v.kind == Value::kBool;
  };
  if (!basic(a) || !basic(b)) return Error("invalid type for comparison");
  if (a.kind != b.kind) return Incompatible(a, b);
  if (a.kind == Value::kFloat) return a.number <=> b.number;
  if (a.kind == Value::kString) return a.text <=> b.text;
  return Error("invalid type for comparison");
}

absl::StatusOr<bool> Equal(const Value& a, const Value& b) {
  if (a.kind == Value::kNil || b.kind == Value::kNil) return a.kind == b.kind;
  if (a.kind == Value::kBool && b.kind == Value::kBool) return a.boolean == b.boolean;
  const bool a_holds = a.list || a.map, b_holds = b.list || b.map;
  if (a_holds != b_holds) return Incompatible(a, b);
  if (a_holds) return Error(StrCat("non-comparable type ", PrintText(b), ": ", TypeName(b)));
  ASSIGN_OR_RETURN(std::partial_ordering order, Compare(a, b));
  return order == std::partial_ordering::equivalent;
}

Answer Eq(Args args, const FunctionContext&) {
  if (args.size() < 2) return Error("missing argument for comparison");
  for (const Value& other : args.subspan(1)) {
    ASSIGN_OR_RETURN(bool equal, Equal(args[0], other));
    if (equal) return Value::Bool(true);
  }
  return Value::Bool(false);
}
Answer Ne(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(bool equal, Equal(args[0], args[1]));
  return Value::Bool(!equal);
}
Answer Lt(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::partial_ordering order, Compare(args[0], args[1]));
  return Value::Bool(order < 0);
}
Answer Le(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::partial_ordering order, Compare(args[0], args[1]));
  return Value::Bool(order <= 0);
}
// Go defines gt as not le, and ge as not lt: with NaN both are true.
Answer Gt(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::partial_ordering order, Compare(args[0], args[1]));
  return Value::Bool(!(order <= 0));
}
Answer Ge(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(std::partial_ordering order, Compare(args[0], args[1]));
  return Value::Bool(!(order < 0));
}

// No value of an alert is a function, so there is nothing that could be called. The executor says what.
Answer Call(Args args, const FunctionContext&) {
  return Error(args[0].kind == Value::kNil ? "call of nil" : "non-function");
}

// What html, js and urlquery work on: no value is text there.
std::string Joined(Args args) {
  if (args.size() == 1 && args[0].kind == Value::kString) return args[0].text;
  std::vector<Value> printable(args.begin(), args.end());
  for (Value& value : printable) {
    if (value.kind == Value::kNil) value = Value::String("<no value>");
  }
  return Sprint(printable);
}

Answer Printf(Args args, const FunctionContext&) { return Value::String(Sprintf(args)); }
Answer Print(Args args, const FunctionContext&) { return Value::String(Sprint(args)); }
Answer Println(Args args, const FunctionContext&) {
  std::string out;
  for (size_t i = 0; i < args.size(); ++i) StrAppend(&out, i == 0 ? "" : " ", Sprint(args.subspan(i, 1)));
  return Value::String(out + "\n");
}
Answer Html(Args args, const FunctionContext&) { return Value::String(HtmlEscape(Joined(args))); }
Answer Js(Args args, const FunctionContext&) { return Value::String(JsEscape(Joined(args))); }
Answer UrlQuery(Args args, const FunctionContext&) { return Value::String(UrlEscape(Joined(args))); }

// and, or: the executor does not evaluate what it need not; with all values given this is their meaning.
Answer And(Args args, const FunctionContext&) {
  for (const Value& arg : args) {
    if (!IsTrue(arg)) return arg;
  }
  return args.back();
}
Answer Or(Args args, const FunctionContext&) {
  for (const Value& arg : args) {
    if (IsTrue(arg)) return arg;
  }
  return args.back();
}

constexpr auto kBuiltins = std::to_array<FunctionEntry>({
    {"and", "aa*", And},
    {"call", "aa*", Call},
    {"eq", "aa*", Eq},
    {"ge", "aa", Ge},
    {"gt", "aa", Gt},
    {"html", "a*", Html},
    {"index", "aa*", Index},
    {"js", "a*", Js},
    {"le", "aa", Le},
    {"len", "a", Len},
    {"lt", "aa", Lt},
    {"ne", "aa", Ne},
    {"not", "a", Not},
    {"or", "aa*", Or},
    {"print", "a*", Print},
    {"printf", "sa*", Printf},
    {"println", "a*", Println},
    {"slice", "aa*", Slice},
    {"urlquery", "a*", UrlQuery},
});

}  // namespace

std::span<const FunctionEntry> BuiltinFunctions() { return kBuiltins; }

}  // namespace narthex::tmpl
