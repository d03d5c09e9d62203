// The tree as the JSON of /api/v1/parse_query.
#include "base/go_format.h"
#include "base/json_writer.h"
#include "promql/syntax/ast.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

const char* CardinalityName(Cardinality card) {
  switch (card) {
    case Cardinality::kOneToOne:
      return "one-to-one";
    case Cardinality::kManyToOne:
      return "many-to-one";
    case Cardinality::kOneToMany:
      return "one-to-many";
    case Cardinality::kManyToMany:
      return "many-to-many";
  }
  return "";
}

void WriteStrings(const char* key, const std::vector<std::string>& values, JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const std::string& value : values) json->String(value);
  json->EndArray();
}

void WriteMatchers(const Expr& selector, JsonWriter* json) {
  static constexpr const char* kOps[] = {"=", "!=", "=~", "!~"};
  json->Key("matchers").BeginArray();
  for (const Matcher& matcher : selector.matchers) {
    json->BeginObject().Key("name").String(matcher.name()).Key("value").String(matcher.value());
    json->Key("type").String(kOps[static_cast<int>(matcher.op())]).EndObject();
  }
  json->EndArray();
}

void WriteAt(const Expr& e, JsonWriter* json) {
  json->Key("startOrEnd");
  if (e.at == AtModifier::kStart || e.at == AtModifier::kEnd) {
    json->String(e.at == AtModifier::kStart ? "start" : "end");
  } else {
    json->Null();
  }
  json->Key("timestamp");
  if (e.at == AtModifier::kTimestamp) {
    json->Int(e.at_ms);
  } else {
    json->Null();
  }
}

void Write(const Expr& e, JsonWriter* json);

void WriteSelector(const Expr& e, const Expr& selector, JsonWriter* json) {
  json->Key("type").String(e.kind == ExprKind::kMatrixSelector ? "matrixSelector" : "vectorSelector");
  json->Key("name").String(selector.text);
  if (e.kind == ExprKind::kMatrixSelector) json->Key("range").Int(e.range_ms);
  json->Key("offset").Int(selector.original_offset_ms);
  WriteMatchers(selector, json);
  WriteAt(selector, json);
  if (selector.anchored) json->Key("anchored").Bool(true);
  if (selector.smoothed) json->Key("smoothed").Bool(true);
}

void WriteMatching(const Expr& e, JsonWriter* json) {
  json->Key("matching");
  if (!e.matching) {
    json->Null();
    return;
  }
  const VectorMatching& m = *e.matching;
  json->BeginObject().Key("card").String(CardinalityName(m.card));
  WriteStrings("labels", m.labels, json);
  json->Key("on").Bool(m.on);
  WriteStrings("include", m.include, json);
  json->Key("fillValues").BeginObject().Key("lhs");
  m.fill_left ? json->Number(*m.fill_left) : json->Null();
  json->Key("rhs");
  m.fill_right ? json->Number(*m.fill_right) : json->Null();
  json->EndObject().EndObject();
}

void WriteAggregate(const Expr& e, JsonWriter* json) {
  json->Key("type").String("aggregation").Key("op").String(AggregationName(e.aggregation));
  json->Key("expr");
  Write(*e.children.back(), json);
  json->Key("param");
  if (e.children.size() > 1) {
    Write(*e.children[0], json);
  } else {
    json->Null();
  }
  WriteStrings("grouping", e.grouping, json);
  json->Key("without").Bool(e.without);
}

void WriteCall(const Expr& e, JsonWriter* json) {
  json->Key("type").String("call").Key("func").BeginObject();
  json->Key("name").String(e.function->name).Key("argTypes").BeginArray();
  for (ValueType type : e.function->args) json->String(ValueTypeDocName(type));
  json->EndArray().Key("variadic").Int(e.function->variadic);
  json->Key("returnType").String(ValueTypeDocName(e.function->returns)).EndObject();
  json->Key("args").BeginArray();
  for (const ExprPtr& child : e.children) Write(*child, json);
  json->EndArray();
}

void WriteInner(const char* type, const Expr& e, JsonWriter* json) {
  json->Key("type").String(type);
  if (e.kind == ExprKind::kUnary) json->Key("op").String(OpName(e.op));
  json->Key("expr");
  Write(*e.children[0], json);
}

void Write(const Expr& e, JsonWriter* json) {
  if (e.kind == ExprKind::kStepInvariant) return Write(*e.children[0], json);
  json->BeginObject();
  switch (e.kind) {
    case ExprKind::kNumber:
    case ExprKind::kDurationExpr:
      json->Key("type").String("numberLiteral").Key("val").String(FormatFloatF(e.number));
      break;
    case ExprKind::kString:
      json->Key("type").String("stringLiteral").Key("val").String(e.text);
      break;
    case ExprKind::kVectorSelector:
      WriteSelector(e, e, json);
      break;
    case ExprKind::kMatrixSelector:
      WriteSelector(e, *e.children[0], json);
      break;
    case ExprKind::kSubquery:
      WriteInner("subquery", e, json);
      json->Key("range").Int(e.range_ms).Key("offset").Int(e.original_offset_ms).Key("step").Int(e.step_ms);
      WriteAt(e, json);
      break;
    case ExprKind::kCall:
      WriteCall(e, json);
      break;
    case ExprKind::kAggregate:
      WriteAggregate(e, json);
      break;
    case ExprKind::kUnary:
      WriteInner("unaryExpr", e, json);
      break;
    case ExprKind::kParen:
      WriteInner("parenExpr", e, json);
      break;
    case ExprKind::kBinary:
      json->Key("type").String("binaryExpr").Key("op").String(OpName(e.op)).Key("lhs");
      Write(*e.children[0], json);
      json->Key("rhs");
      Write(*e.children[1], json);
      WriteMatching(e, json);
      json->Key("bool").Bool(e.return_bool);
      break;
    case ExprKind::kStepInvariant:
      break;
  }
  json->EndObject();
}

}  // namespace

std::string ToJson(const Expr& e) {
  JsonWriter json;
  Write(e, &json);
  return json.Take();
}

}  // namespace narthex::promql
