// The tree as one line of PromQL, as upstream prints it.
#include <algorithm>
#include <cmath>

#include "base/duration.h"
#include "base/go_format.h"
#include "base/strings.h"
#include "promql/syntax/ast.h"
#include "promql/syntax/print_parts.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

std::string LabelList(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels) {
    StrAppend(&out, out.empty() ? "" : ", ", IsLegacyLabelName(label) ? label : GoQuote(label));
  }
  return out;
}

std::string Signed(int64_t ms) { return ms < 0 ? StrCat("-", FormatDurationMs(-ms)) : FormatDurationMs(ms); }

std::string NumberText(const Expr& e) {
  std::string text;
  if (e.is_duration) {
    constexpr double kMaxNs = 9223372036854774784.0;  // the largest double below 2^63
    const double ns = std::clamp(e.number * 1e9, -kMaxNs, kMaxNs);
    text = Signed(static_cast<int64_t>(ns) / 1'000'000);  // 1s1ms is 1s, as upstream counts
  } else {
    text = FormatFloatF(e.number);
  }
  return e.wrapped ? StrCat("(", text, ")") : text;
}

std::string SelectorText(const Expr& e) {
  std::vector<std::string> matchers;
  for (const Matcher& matcher : e.matchers) {
    bool is_name = matcher.name() == kMetricName && matcher.op() == MatchOp::kEqual;
    if (is_name && !e.text.empty() && matcher.value() == e.text) continue;
    matchers.push_back(matcher.ToString());
  }
  std::sort(matchers.begin(), matchers.end());
  std::string inner;
  for (const std::string& matcher : matchers) StrAppend(&inner, inner.empty() ? "" : ",", matcher);
  return inner.empty() ? e.text : StrCat(e.text, "{", inner, "}");
}

std::string CallArguments(const Expr& e) {
  std::string out;
  for (const ExprPtr& child : e.children) StrAppend(&out, out.empty() ? "" : ", ", ToString(*child));
  return out;
}

}  // namespace

std::string DurationText(const Expr& e) {
  if (e.kind == ExprKind::kNumber) return NumberText(e);
  std::string out;
  switch (e.op) {
    case Op::kStep:
    case Op::kRange:
      out = StrCat(OpName(e.op), "()");
      break;
    case Op::kMinOf:
    case Op::kMaxOf:
      out = StrCat(OpName(e.op), "(", DurationText(*e.children[0]), ", ", DurationText(*e.children[1]), ")");
      break;
    default:
      out = e.children.size() == 1
                ? StrCat(e.op == Op::kAdd ? "" : OpName(e.op), DurationText(*e.children[0]))
                : StrCat(DurationText(*e.children[0]), " ", OpName(e.op), " ", DurationText(*e.children[1]));
  }
  return e.wrapped ? StrCat("(", out, ")") : out;
}

std::string ModifierText(const Expr& e, bool of_range) {
  std::string extended = e.anchored ? " anchored" : e.smoothed ? " smoothed" : "", out;
  if (of_range) out = extended;
  if (e.at == AtModifier::kTimestamp) {
    StrAppend(&out, " @ ", FormatFloat(static_cast<double>(e.at_ms) / 1000, 'f', 3));
  } else if (e.at != AtModifier::kNone) {
    StrAppend(&out, e.at == AtModifier::kStart ? " @ start()" : " @ end()");
  }
  if (!of_range) out += extended;
  if (e.offset_expr) {
    StrAppend(&out, " offset ", DurationText(*e.offset_expr));
  } else if (e.original_offset_ms != 0) {
    StrAppend(&out, " offset ", Signed(e.original_offset_ms));
  }
  return out;
}

std::string RangeText(const Expr& e) {
  std::string range = e.range_expr ? DurationText(*e.range_expr) : FormatDurationMs(e.range_ms);
  if (e.kind == ExprKind::kMatrixSelector) return StrCat("[", range, "]");
  std::string step = e.step_expr      ? DurationText(*e.step_expr)
                     : e.step_ms != 0 ? FormatDurationMs(e.step_ms)
                                      : "";
  return StrCat("[", range, ":", step, "]");
}

std::string AggregateHead(const Expr& e) {
  std::string out = AggregationName(e.aggregation);
  if (e.without) return StrCat(out, " without (", LabelList(e.grouping), ") ");
  if (!e.grouping.empty()) return StrCat(out, " by (", LabelList(e.grouping), ") ");
  return out;
}

std::string BinaryOperatorText(const Expr& e) {
  std::string out = StrCat(OpName(e.op), e.return_bool ? " bool" : "");
  if (!e.matching) return out;
  const VectorMatching& m = *e.matching;
  bool grouped = m.card == Cardinality::kManyToOne || m.card == Cardinality::kOneToMany;
  if (m.on || !m.labels.empty() || grouped) {
    StrAppend(&out, m.on ? " on (" : " ignoring (", LabelList(m.labels), ")");
  }
  if (grouped) {
    StrAppend(&out, m.card == Cardinality::kManyToOne ? " group_left (" : " group_right (",
              LabelList(m.include), ")");
  }
  if (m.fill_left && m.fill_right && *m.fill_left == *m.fill_right) {  // which NaN is not
    return StrCat(out, " fill (", FormatFloatG(*m.fill_left), ")");
  }
  if (m.fill_left) StrAppend(&out, " fill_left (", FormatFloatG(*m.fill_left), ")");
  if (m.fill_right) StrAppend(&out, " fill_right (", FormatFloatG(*m.fill_right), ")");
  return out;
}

std::string ToString(const Expr& e) {
  switch (e.kind) {
    case ExprKind::kNumber:
      return NumberText(e);
    case ExprKind::kString:
      return GoQuote(e.text);
    case ExprKind::kDurationExpr:
      return DurationText(e);
    case ExprKind::kVectorSelector:
      return StrCat(SelectorText(e), ModifierText(e));
    case ExprKind::kMatrixSelector:
      return StrCat(SelectorText(*e.children[0]), RangeText(e),
                    ModifierText(*e.children[0], /*of_range=*/true));
    case ExprKind::kSubquery:
      return StrCat(ToString(*e.children[0]), RangeText(e), ModifierText(e));
    case ExprKind::kCall:
      return StrCat(e.function->name, "(", CallArguments(e), ")");
    case ExprKind::kAggregate:
      return StrCat(AggregateHead(e), "(", CallArguments(e), ")");
    case ExprKind::kUnary:
      return StrCat(OpName(e.op), ToString(*e.children[0]));
    case ExprKind::kParen:
      return StrCat("(", ToString(*e.children[0]), ")");
    case ExprKind::kStepInvariant:
      return ToString(*e.children[0]);
    case ExprKind::kBinary:
      return StrCat(ToString(*e.children[0]), " ", BinaryOperatorText(e), " ", ToString(*e.children[1]));
  }
  return "";
}

}  // namespace narthex::promql
