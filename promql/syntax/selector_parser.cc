// Selectors, and what may follow them: ranges, subqueries, offset, @, anchored, smoothed.
#include <algorithm>
#include <cmath>

#include "base/go_format.h"
#include "base/strings.h"
#include "promql/syntax/parser_impl.h"

namespace narthex::promql {
namespace {

constexpr const char* kStepContext = "subquery selector";
constexpr const char* kRangesOnly = "ranges only allowed for vector selectors";
constexpr const char* kRangeContext = "subquery or range selector";

std::unique_ptr<Expr> NewDuration(Op op, int start, int end) {
  auto node = std::make_unique<Expr>();
  node->kind = ExprKind::kDurationExpr;
  node->op = op;
  node->pos = {start, end};
  return node;
}

bool IsLiteral(const Expr& e) { return e.kind == ExprKind::kNumber; }

}  // namespace

ExprPtr Parser::Selector() {
  auto node = std::make_unique<Expr>();
  node->kind = ExprKind::kVectorSelector;
  node->pos.start = Current().pos.start;
  if (!Current().Is("{")) {
    node->text = Current().text;
    Advance();
  }
  node->pos.end = last_end_;
  if (Current().Is("{")) {
    if (!LabelMatchers(node.get())) return nullptr;
    node->pos.end = last_end_;
  } else if (node->text.empty()) {
    Unexpected();
    return nullptr;
  }
  if (!node->text.empty()) node->matchers.push_back(Matcher::Equal(kMetricName, node->text));
  return node;
}

bool Parser::LabelMatchers(Expr* selector) {
  Advance();  // {
  if (Accept("}")) return true;
  while (true) {
    if (!OneMatcher(selector)) return false;
    if (Accept("}")) return true;
    if (!Accept(",")) {
      Unexpected("label matching", "\",\" or \"}\"");
      return false;
    }
    if (Accept("}")) return true;
  }
}

bool Parser::OneMatcher(Expr* selector) {
  Token name = Current();
  if (name.kind != TokenKind::kIdentifier && name.kind != TokenKind::kString) {
    Unexpected("label matching", "identifier or \"}\"");
    return false;
  }
  Advance();
  std::string label = name.kind == TokenKind::kString ? GoUnquote(name.text).value_or("") : name.text;
  if (name.kind == TokenKind::kString && (Current().Is(",") || Current().Is("}"))) {
    selector->matchers.push_back(Matcher::Equal(kMetricName, label));
    return true;
  }
  static constexpr std::pair<std::string_view, MatchOp> kOps[] = {{"=", MatchOp::kEqual},
                                                                  {"!=", MatchOp::kNotEqual},
                                                                  {"=~", MatchOp::kRegex},
                                                                  {"!~", MatchOp::kNotRegex}};
  const MatchOp* op = nullptr;
  for (const auto& [text, value] : kOps) {
    if (Current().Is(text)) op = &value;
  }
  if (op == nullptr) {
    Unexpected("label matching",
               name.kind == TokenKind::kString ? "\",\" or \"}\"" : "label matching operator");
    return false;
  }
  Advance();
  if (Current().kind != TokenKind::kString) {
    Unexpected("label matching", "string");
    return false;
  }
  absl::StatusOr<Matcher> matcher = Matcher::Create(*op, label, GoUnquote(Current().text).value_or(""));
  if (matcher.ok()) {
    selector->matchers.push_back(*std::move(matcher));
  } else {
    Note({name.pos.start, Current().pos.end}, std::string(matcher.status().message()));
  }
  Advance();
  return true;
}

ExprPtr Parser::Brackets(ExprPtr inner) {
  PositionRange bracket = Current().pos;
  Advance();
  ExprPtr range = DurationExpr(kRangeContext, false);
  if (failed()) return nullptr;
  ExprPtr step;
  bool colon = Accept(":");
  if (colon && !Current().Is("]")) {
    step = DurationExpr(kStepContext, false);
    if (failed()) return nullptr;
  }
  if (!Accept("]")) {
    Unexpected(colon ? kStepContext : "subquery or range", colon ? "\"]\"" : "\":\" or \"]\"");
    return nullptr;
  }
  return MatrixOrSubquery(std::move(inner), bracket, std::move(range), colon, std::move(step));
}

ExprPtr Parser::MatrixOrSubquery(ExprPtr inner, PositionRange bracket, ExprPtr range, bool colon,
                                 ExprPtr step) {
  auto node = std::make_unique<Expr>();
  node->kind = colon ? ExprKind::kSubquery : ExprKind::kMatrixSelector;
  node->pos = {inner->pos.start, last_end_};
  auto take = [this](ExprPtr duration, int64_t* ms, ExprPtr* expr) {
    if (!IsLiteral(*duration) || duration->wrapped) {
      *expr = std::move(duration);
      return;
    }
    *ms = LiteralMs(*duration);
    if (duration->number <= 0) Note(duration->pos, "duration must be greater than 0");
  };
  take(std::move(range), &node->range_ms, &node->range_expr);
  if (step) take(std::move(step), &node->step_ms, &node->step_expr);
  if (!colon) {
    PositionRange error{bracket.start, last_end_};
    if (inner->kind != ExprKind::kVectorSelector) {
      Note(error, kRangesOnly);
    } else if (inner->original_offset_ms != 0 || inner->offset_expr) {
      Note(error, "no offset modifiers allowed before range");
    } else if (inner->at != AtModifier::kNone) {
      Note(error, "no @ modifiers allowed before range");
    }
  }
  node->children.push_back(std::move(inner));
  return node;
}

// The node that carries offset and @ of `inner`: a selector or a subquery. Null, and an error, for another.
Expr* Parser::ModifierTarget(Expr* inner, const char* what) {
  if (inner->kind == ExprKind::kVectorSelector || inner->kind == ExprKind::kSubquery) return inner;
  if (inner->kind == ExprKind::kMatrixSelector) {
    if (inner->children[0]->kind == ExprKind::kVectorSelector) return inner->children[0].get();
    Note(inner->pos, kRangesOnly);
    return nullptr;
  }
  Note(inner->pos, StrCat(what,
                          " modifier must be preceded by an instant vector selector or range vector selector "
                          "or a subquery"));
  return nullptr;
}

ExprPtr Parser::Offset(ExprPtr inner) {
  Advance();
  ExprPtr duration = DurationUnary("offset", /*with_power=*/false);
  if (failed()) return nullptr;
  Expr* target = ModifierTarget(inner.get(), "offset");
  if (target == nullptr) return inner;
  if (target->original_offset_ms != 0 || target->offset_expr) {
    Note(inner->pos, "offset may not be set multiple times");
    return inner;
  }
  if (IsLiteral(*duration) && !duration->wrapped) {
    target->original_offset_ms = LiteralMs(*duration);
    target->offset_ms = target->original_offset_ms;
  } else {
    target->offset_expr = std::move(duration);
  }
  target->pos.end = last_end_;
  inner->pos.end = last_end_;
  return inner;
}

ExprPtr Parser::At(ExprPtr inner) {
  Advance();
  AtModifier at = AtModifier::kTimestamp;
  double seconds = 0;
  if (Current().Is("start") || Current().Is("end")) {
    at = Current().Is("start") ? AtModifier::kStart : AtModifier::kEnd;
    Advance();
    if (!Accept("(")) return Unexpected("@", "timestamp"), nullptr;
    if (!Accept(")")) return Unexpected("@", "timestamp"), nullptr;
  } else {
    bool negative = false;
    if (Current().kind == TokenKind::kOperator && (Current().op == Op::kSub || Current().op == Op::kAdd)) {
      negative = Current().op == Op::kSub;
      Advance();
    }
    if (Current().kind != TokenKind::kNumber && Current().kind != TokenKind::kDuration) {
      Unexpected("@", "timestamp");
      return nullptr;
    }
    ExprPtr number = Number();
    if (failed()) return nullptr;
    seconds = negative ? -number->number : number->number;
  }
  Expr* target = ModifierTarget(inner.get(), "@");
  if (target == nullptr) return inner;
  if (target->at != AtModifier::kNone) {
    Note(inner->pos, "@ <timestamp> may not be set multiple times");
    return inner;
  }
  if (at == AtModifier::kTimestamp) {
    bool in_range = std::isfinite(seconds) && std::fabs(seconds) < 9223372036854775807.0 / 1000;
    if (!in_range) {
      Note(inner->pos, StrCat("timestamp out of bounds for @ modifier: ", FormatFloat(seconds, 'f', 6)));
      return inner;
    }
    target->at_ms = static_cast<int64_t>(std::round(seconds * 1000));
  }
  target->at = at;
  target->pos.end = last_end_;
  inner->pos.end = last_end_;
  return inner;
}

ExprPtr Parser::Extended(ExprPtr inner) {
  Token word = Current();
  Advance();
  Expr* target = inner->kind == ExprKind::kVectorSelector   ? inner.get()
                 : inner->kind == ExprKind::kMatrixSelector ? inner->children[0].get()
                                                            : nullptr;
  bool anchored = word.Is("anchored");
  std::string name = anchored ? "anchored" : "smoothed";
  PositionRange pos{inner->pos.start, last_end_};
  if (!options_.extended_range_selectors) {
    Note(pos, StrCat(name, " modifier is experimental and not enabled"));
    return inner;
  }
  if (target == nullptr) {
    Note(pos, inner->kind == ExprKind::kSubquery ? StrCat(name, " modifier is not supported for subqueries")
                                                 : StrCat(name, " modifier not implemented"));
    return inner;
  }
  if (anchored ? target->smoothed : target->anchored) {
    Note(pos, "anchored and smoothed modifiers cannot be used together");
    return inner;
  }
  (anchored ? target->anchored : target->smoothed) = true;
  target->pos.end = last_end_;
  inner->pos.end = last_end_;
  return inner;
}

int64_t Parser::LiteralMs(const Expr& literal) {
  constexpr double kMaxNs = 9223372036854774784.0;  // the largest double below 2^63
  const double ns = std::clamp(std::round(literal.number * 1e9), -kMaxNs, kMaxNs);
  return static_cast<int64_t>(ns) / 1'000'000;  // whole milliseconds
}

ExprPtr Parser::DurationExpr(const char* context, bool) { return DurationBinary(1, context); }

ExprPtr Parser::DurationBinary(int min_precedence, const char* context) {
  DepthGuard guard(this);
  if (!guard.ok()) return nullptr;
  ExprPtr left = DurationUnary(context, /*with_power=*/true);
  while (!failed() && Current().kind == TokenKind::kOperator) {
    Op op = Current().op;
    int precedence = op == Op::kAdd || op == Op::kSub                     ? 1
                     : op == Op::kMul || op == Op::kDiv || op == Op::kMod ? 2
                     : op == Op::kPow                                     ? 3
                                                                          : 0;
    if (precedence < min_precedence) break;
    PositionRange op_pos = Current().pos;
    Advance();
    ExprPtr right = DurationBinary(op == Op::kPow ? precedence : precedence + 1, context);
    if (failed()) return nullptr;
    if ((op == Op::kDiv || op == Op::kMod) && IsLiteral(*right) && !right->wrapped && right->number == 0) {
      Note(op_pos, op == Op::kDiv ? "division by zero" : "modulo by zero");
      left = std::make_unique<Expr>();
      left->kind = ExprKind::kNumber;
      left->pos = {0, 0};
      continue;
    }
    ExprPtr node = NewDuration(op, left->pos.start, right->pos.end);
    node->children.push_back(std::move(left));
    node->children.push_back(std::move(right));
    left = std::move(node);
  }
  return failed() ? nullptr : std::move(left);
}

ExprPtr Parser::DurationUnary(const char* context, bool with_power) {
  const Token& token = Current();
  if (token.kind != TokenKind::kOperator || (token.op != Op::kAdd && token.op != Op::kSub))
    return DurationPrimary(context);
  DepthGuard guard(this);
  if (!guard.ok()) return nullptr;
  Op op = token.op;
  const PositionRange sign = token.pos;
  Advance();
  // -2 ^ 2 is -(2 ^ 2).
  const bool literal = Current().kind == TokenKind::kNumber || Current().kind == TokenKind::kDuration;
  ExprPtr inner = with_power ? DurationBinary(3, context)
                  : literal  ? DurationPrimary(context, &sign)
                             : DurationUnary(context, with_power);
  if (failed()) return nullptr;
  if (IsLiteral(*inner) && !inner->wrapped) {
    if (op == Op::kSub) inner->number = -inner->number;
    inner->pos.start = sign.start;
    return inner;
  }
  ExprPtr node = NewDuration(op, sign.start, inner->pos.end);
  node->children.push_back(std::move(inner));
  return node;
}

ExprPtr Parser::DurationPrimary(const char* context, const PositionRange* sign) {
  Token token = Current();
  if (token.kind == TokenKind::kNumber || token.kind == TokenKind::kDuration) {
    ExprPtr literal = Number();
    constexpr double kMaxSeconds = 9223372036.854775807;  // an int64 of nanoseconds
    if (!(std::fabs(literal->number) <= kMaxSeconds)) {
      Note(sign != nullptr ? *sign : literal->pos, "duration out of range");
      literal->number = 0;
      literal->pos = {0, 0};
    }
    return literal;
  }
  if (Accept("(")) {
    ExprPtr inner = DurationBinary(1, context);
    if (failed()) return nullptr;
    if (!Accept(")")) return NoDuration(context), nullptr;
    inner->wrapped = true;
    return inner;
  }
  if (token.Is("step") || token.Is("range")) {
    Advance();
    if (!Accept("(") || !Accept(")")) return NoDuration(context), nullptr;
    return NewDuration(token.Is("step") ? Op::kStep : Op::kRange, token.pos.start, last_end_);
  }
  const bool min = token.Is("min_of");
  if (min || token.Is("max_of")) {
    Advance();
    if (!Accept("(")) return NoDuration(context), nullptr;
    ExprPtr node = NewDuration(min ? Op::kMinOf : Op::kMaxOf, token.pos.start, 0);
    for (int i = 0; i < 2; ++i) {
      if (i > 0 && !Accept(",")) return NoDuration(context), nullptr;
      ExprPtr argument = DurationBinary(1, context);
      if (failed()) return nullptr;
      node->children.push_back(std::move(argument));
    }
    if (!Accept(")")) return NoDuration(context), nullptr;
    node->pos.end = last_end_;
    return node;
  }
  NoDuration(context);
  return nullptr;
}

// Whatever is missing, the whole that was begun is named.
void Parser::NoDuration(const char* context) {
  Unexpected(context, std::string_view(context) == kStepContext
                          ? "number, duration, step(), range(), or \"]\""
                          : "number, duration, step(), or range()");
}

}  // namespace narthex::promql
