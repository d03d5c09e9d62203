#include "template/value.h"

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
  out.list = std::make_shared<const List>(std::move(values));
  return out;
}
Value Value::OfMap(Kind kind, Map values) {
  Value out;
  out.kind = kind;
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

std::string PrintText(const Value& value) {
  switch (value.kind) {
    case Value::kNil:
      return "<no value>";
    case Value::kBool:
      return value.boolean ? "true" : "false";
    case Value::kInt:
      return StrCat(value.integer);
    case Value::kUint:
      return StrCat(value.unsigned_integer);
    case Value::kFloat:
      return FormatFloatG(value.number);
    case Value::kString:
      return value.text;
    case Value::kTime:
      return TimeString(value.number);
    case Value::kDuration:
      return DurationString(value.integer);
    case Value::kList: {
      std::string out = "[";
      for (const Value& item : *value.list) StrAppend(&out, out.size() == 1 ? "" : " ", PrintText(item));
      return out + "]";
    }
    default: {
      std::string out = value.kind == Value::kMap || value.kind == Value::kLabels ? "map[" : "{";
      char close = out.back() == '[' ? ']' : '}';
      size_t empty = out.size();
      for (const auto& [key, item] : *value.map) {
        StrAppend(&out, out.size() == empty ? "" : " ");
        if (close == ']') StrAppend(&out, key, ":");
        out += PrintText(item);
      }
      return out + close;
    }
  }
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
      return "uint64";
    case Value::kFloat:
      return "float64";
    case Value::kString:
      return "string";
    case Value::kList:
      return "[]interface {}";
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
