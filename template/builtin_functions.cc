// The functions that Go's templates have of themselves.
#include <array>
#include <compare>
#include <limits>
#include <optional>

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
  return Error(v.kind == Value::kNil ? "len of nil pointer" : StrCat("len of type ", TypeName(v)));
}

absl::StatusOr<size_t> IndexOf(const Value& index, size_t size) {
  if (index.kind != Value::kInt && index.kind != Value::kUint) {
    return Error(StrCat("cannot index slice/array with type ", TypeName(index)));
  }
  int64_t i = index.kind == Value::kInt ? index.integer : static_cast<int64_t>(index.unsigned_integer);
  if (i < 0 || static_cast<size_t>(i) >= size) return Error(StrCat("index out of range: ", i));
  return static_cast<size_t>(i);
}

Answer Index(Args args, const FunctionContext&) {
  Value v = args[0];
  if (v.kind == Value::kNil) return Error("index of untyped nil");
  for (const Value& index : args.subspan(1)) {
    if (v.list) {
      ASSIGN_OR_RETURN(size_t i, IndexOf(index, v.list->size()));
      Value item = (*v.list)[i];
      v = item;
    } else if (v.kind == Value::kString) {
      ASSIGN_OR_RETURN(size_t i, IndexOf(index, v.text.size()));
      v = Value::Uint(static_cast<unsigned char>(v.text[i]));
    } else if (v.kind == Value::kMap || v.kind == Value::kLabels) {
      if (index.kind != Value::kString)
        return Error(StrCat("value has type ", TypeName(index), "; should be string"));
      auto it = v.map->find(index.text);
      Value item = it != v.map->end() ? it->second : v.kind == Value::kLabels ? Value::String("") : Value();
      v = item;
    } else {
      return Error(StrCat("can't index item of type ", TypeName(v)));
    }
  }
  return v;
}

Answer Slice(Args args, const FunctionContext&) {
  const Value& v = args[0];
  if (v.kind != Value::kString && !v.list) return Error(StrCat("can't slice item of type ", TypeName(v)));
  size_t size = v.list ? v.list->size() : v.text.size(), begin = 0, end = size;
  if (args.size() > 1) {
    ASSIGN_OR_RETURN(begin, IndexOf(args[1], size + 1));
  }
  if (args.size() > 2) {
    ASSIGN_OR_RETURN(end, IndexOf(args[2], size + 1));
  }
  if (begin > end) return Error(StrCat("invalid slice index: ", begin, " > ", end));
  if (!v.list) return Value::String(v.text.substr(begin, end - begin));
  auto first = v.list->begin();
  return Value::OfList(
      List(first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end)));
}

bool IsNumber(const Value& v) {
  return v.kind == Value::kInt || v.kind == Value::kUint || v.kind == Value::kFloat ||
         v.kind == Value::kDuration;
}
bool IsInteger(const Value& v) { return IsNumber(v) && v.kind != Value::kFloat; }

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
  if (a.kind != b.kind) return Error("incompatible types for comparison");
  if (a.kind == Value::kFloat) return a.number <=> b.number;
  if (a.kind == Value::kString) return a.text <=> b.text;
  return Error(StrCat("invalid type for comparison"));
}

absl::StatusOr<bool> Equal(const Value& a, const Value& b) {
  if (a.kind == Value::kNil || b.kind == Value::kNil) return a.kind == b.kind;
  if (a.kind == Value::kBool && b.kind == Value::kBool) return a.boolean == b.boolean;
  if (a.list || a.map || b.list || b.map)
    return Error("non-comparable type " + PrintText(a) + ": " + TypeName(a));
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

// No value of an alert is a function, so there is nothing that could be called.
Answer Call(Args args, const FunctionContext&) {
  if (args[0].kind == Value::kNil) return Error("call of nil");
  return Error(StrCat("non-function of type ", TypeName(args[0])));
}

std::string Joined(Args args) {
  return args.size() == 1 && args[0].kind == Value::kString ? args[0].text : Sprint(args);
}

Answer Printf(Args args, const FunctionContext&) { return Value::String(Sprintf(args)); }
Answer Print(Args args, const FunctionContext&) { return Value::String(Sprint(args)); }
Answer Println(Args args, const FunctionContext&) {
  std::string out;
  for (const Value& arg : args) StrAppend(&out, out.empty() ? "" : " ", PrintText(arg));
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
    {"and", 1, -1, And},
    {"call", 1, -1, Call},
    {"eq", 1, -1, Eq},
    {"ge", 2, 2, Ge},
    {"gt", 2, 2, Gt},
    {"html", 0, -1, Html},
    {"index", 1, -1, Index},
    {"js", 0, -1, Js},
    {"le", 2, 2, Le},
    {"len", 1, 1, Len},
    {"lt", 2, 2, Lt},
    {"ne", 2, 2, Ne},
    {"not", 1, 1, Not},
    {"or", 1, -1, Or},
    {"print", 0, -1, Print},
    {"printf", 1, -1, Printf},
    {"println", 0, -1, Println},
    {"slice", 1, 3, Slice},
    {"urlquery", 0, -1, UrlQuery},
});

}  // namespace

std::span<const FunctionEntry> BuiltinFunctions() { return kBuiltins; }

}  // namespace narthex::tmpl
