// The values that templates work on: what Go's any is there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace narthex::tmpl {

struct Value;
using List = std::vector<Value>;
using Map = std::map<std::string, Value>;

// Cheap to copy: lists and maps are shared and never changed.
struct Value {
  enum Kind {
    kNil,
    kBool,
    kInt,
    kUint,
    kFloat,
    kString,
    kList,
    kMap,       // map[string]any
    kLabels,    // map[string]string: a missing key is ""
    kStruct,    // the dot of an alert: a missing field is an error
    kSample,    // a struct with Labels and Value
    kTime,      // `number` is seconds since the epoch
    kDuration,  // `integer` is nanoseconds
  };
  Kind kind = kNil;
  bool boolean = false;
  bool safe_html = false;     // kString: template.HTML
  bool query_result = false;  // kList: what `query` gives
  int64_t integer = 0;
  int depth = 0;  // of lists and maps in one another
  uint64_t unsigned_integer = 0;
  double number = 0;
  std::string text;
  std::shared_ptr<const List> list;
  std::shared_ptr<const Map> map;  // kMap, kLabels, kStruct, kSample

  static Value Bool(bool b);
  static Value Int(int64_t i);
  static Value Uint(uint64_t u);
  static Value Float(double d);
  static Value String(std::string s);
  static Value OfList(List values);
  static Value OfMap(Kind kind, Map values);
};

// What a map, an alert's dot or a sample holds, in the order in which Go prints it.
std::vector<std::pair<std::string_view, const Value*>> Fields(const Value& value);
bool IsTrue(const Value& value);
// As Go's fmt prints it with %v; nil is "<no value>".
std::string PrintText(const Value& value);
// Go's name of the type: "string", "int", "[]interface {}", ...
std::string TypeName(const Value& value);

}  // namespace narthex::tmpl
