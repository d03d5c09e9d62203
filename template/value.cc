#include "template/value.h"

#include <algorithm>
#include <utility>

#include "base/go_format.h"
#include "base/strings.h"
#include "template/times.h"

namespace narthex::tmpl {

Value Value::Bool(bool b) {
  Value out;
  out.kind = kBool;
  out.boolean = b;
  return out;
}
Value Value::Int(int64_t i) {
  Value out;
  out.kind = kInt;
  out.integer = i;
  return out;
}
Value Value::Uint(uint64_t u) {
  Value out;
  out.kind = kUint;
  out.unsigned_integer = u;
  return out;
}
Value Value::Float(double d) {
  Value out;
  out.kind = kFloat;
  out.number = d;
  return out;
}
Value Value::String(std::string s) {
  Value out;
  out.kind = kString;
  out.text = std::move(s);
  return out;
}
Value Value::OfList(List values) {
  Value out;
  out.kind = kList;
  for (const Value& value : values) out.depth = std::max(out.depth, value.depth + 1);
  out.list = std::make_shared<const List>(std::move(values));
  return out;
}
Value Value::OfMap(Kind kind, Map values) {
  Value out;
  out.kind = kind;
  for (const auto& [key, value] : values) out.depth = std::max(out.depth, value.depth + 1);
  out.map = std::make_shared<const Map>(std::move(values));
  return out;
}

bool IsTrue(const Value& value) {
  switch (value.kind) {
    case Value::kNil:
      return false;
    case Value::kBool:
      return value.boolean;
    case Value::kInt:
    case Value::kDuration:
      return value.integer != 0;
    case Value::kUint:
      return value.unsigned_integer != 0;
    case Value::kFloat:
      return value.number != 0;
    case Value::kString:
      return !value.text.empty();
    case Value::kList:
      return !value.list->empty();
    case Value::kMap:
    case Value::kLabels:
      return !value.map->empty();
    default:
      return true;
  }
}

std::vector<std::pair<std::string_view, const Value*>> Fields(const Value& value) {
  std::vector<std::pair<std::string_view, const Value*>> out;
  if (value.kind != Value::kStruct) {
    for (const auto& [key, item] : *value.map) out.emplace_back(key, &item);
    return out;
  }
  for (const char* name : {"Labels", "ExternalLabels", "ExternalURL", "Value"}) {
    if (auto it = value.map->find(name); it != value.map->end()) out.emplace_back(it->first, &it->second);
  }
  return out;
}

namespace {

// Values may hold one another many times over: what is longer than any output may be is not written out.
constexpr size_t kMaxText = 4 << 20;

void AppendText(const Value& value, std::string* out) {
  if (out->size() > kMaxText) return;
  switch (value.kind) {
    case Value::kNil:
      *out += "<no value>";
      return;
    case Value::kBool:
      *out += value.boolean ? "true" : "false";
      return;
    case Value::kInt:
      StrAppend(out, value.integer);
      return;
    case Value::kUint:
      StrAppend(out, value.unsigned_integer);
      return;
    case Value::kFloat:
      *out += FormatFloatG(value.number);
      return;
    case Value::kString:
      *out += value.text;
      return;
    case Value::kTime:
      *out += TimeString(value.number);
      return;
    case Value::kDuration:
      *out += DurationString(value.integer);
      return;
    case Value::kList:
      *out += "[";
      for (size_t i = 0; i < value.list->size() && out->size() <= kMaxText; ++i) {
        if (i > 0) *out += " ";
        AppendText((*value.list)[i], out);
      }
      *out += "]";
      return;
    default:
      break;
  }
  bool is_map = value.kind == Value::kMap || value.kind == Value::kLabels;
  *out += is_map ? "map[" : "{";
  bool first = true;
  for (const auto& [key, item] : Fields(value)) {
    if (out->size() > kMaxText) break;
    if (!std::exchange(first, false)) *out += " ";
    if (is_map) StrAppend(out, key, ":");
    AppendText(*item, out);
  }
  *out += is_map ? "]" : "}";
}

}  // namespace

std::string PrintText(const Value& value) {
  std::string out;
  AppendText(value, &out);
  return out;
}

std::string TypeName(const Value& value) {
  switch (value.kind) {
    case Value::kNil:
      return "<nil>";
    case Value::kBool:
      return "bool";
    case Value::kInt:
      return "int";
    case Value::kUint:
      return "uint8";  // a byte of a string
    case Value::kFloat:
      return "float64";
    case Value::kString:
      return value.safe_html ? "template.HTML" : "string";
    case Value::kList:
      return value.query_result ? "template.queryResult" : "[]interface {}";
    case Value::kMap:
      return "map[string]interface {}";
    case Value::kLabels:
      return "map[string]string";
    case Value::kStruct:
      return "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value "
             "interface {} }";
    case Value::kSample:
      return "*template.sample";
    case Value::kTime:
      return "*time.Time";
    case Value::kDuration:
      return "*time.Duration";
  }
  return "";
}

}  // namespace narthex::tmpl
