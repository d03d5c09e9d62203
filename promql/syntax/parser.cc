#include "promql/syntax/parser.h"

#include <charconv>
#include <cmath>

#include "base/duration.h"
#include "base/go_format.h"
#include "base/strings.h"
#include "promql/syntax/parser_impl.h"
#include "promql/syntax/signatures.h"
#include "promql/syntax/type_check.h"

namespace narthex::promql {
namespace {

// From loosest to tightest; 0: no binary operator. Power is right-associative.
int Precedence(Op op) {
  switch (op) {
    case Op::kOr:
      return 1;
    case Op::kAnd:
    case Op::kUnless:
      return 2;
    case Op::kEql:
    case Op::kNeq:
    case Op::kLss:
    case Op::kLte:
    case Op::kGtr:
    case Op::kGte:
    case Op::kTrimUpper:
    case Op::kTrimLower:
      return 3;
    case Op::kAdd:
    case Op::kSub:
      return 4;
    case Op::kMul:
    case Op::kDiv:
    case Op::kMod:
    case Op::kAtan2:
      return 5;
    case Op::kPow:
      return 6;
    default:
      return 0;
  }
}

constexpr int kUnaryPrecedence = 5;
constexpr const char* kNoArguments = "no arguments for aggregate expression provided";

bool TakesParameter(Aggregation a) {
  return a == Aggregation::kTopk || a == Aggregation::kBottomk || a == Aggregation::kQuantile ||
         a == Aggregation::kCountValues || a == Aggregation::kLimitk || a == Aggregation::kLimitRatio;
}

// "and" rather than "+".
bool IsWord(const Token& op) { return op.text[0] >= 'A' && op.text[0] != '^'; }

// Of the words of PromQL these are no metric names.
bool IsMatchingWord(const Token& token) {
  return token.Is("on") || token.Is("bool") || token.Is("ignoring") || token.Is("group_left") ||
         token.Is("group_right");
}

// These are functions, too.
bool NamesFunction(const Token& token) {
  return token.Is("start") || token.Is("end") || token.Is("step") || token.Is("range") ||
         token.Is("min_of") || token.Is("max_of");
}

bool BeginsExpr(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEof:
    case TokenKind::kError:
      return false;
    case TokenKind::kOperator:
      return token.op == Op::kAdd || token.op == Op::kSub || (IsWord(token) && token.op != Op::kAtan2);
    case TokenKind::kKeyword:
      return !IsMatchingWord(token);
    case TokenKind::kPunctuation:
      return token.Is("(") || token.Is("{");
    default:
      return true;
  }
}

bool IsLabelToken(const Token& token) {
  return token.kind == TokenKind::kIdentifier || token.kind == TokenKind::kKeyword ||
         token.kind == TokenKind::kAggregator || (token.kind == TokenKind::kOperator && IsWord(token));
}

absl::Status ErrorStatus(std::string_view query, const ParseError& error) {
  return absl::InvalidArgumentError(
      StrCat(PositionText(query, error.pos.start), ": parse error: ", error.message));
}

// Whether a decimal number is none because no double is so large.
bool IsTooLarge(std::string_view text) {
  std::string digits;
  for (char c : text) {
    if (c != '_') digits.push_back(c);
  }
  double value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc::result_out_of_range && end == digits.data() + digits.size();
}

}  // namespace

std::string PositionText(std::string_view query, int offset) {
  int line = 1, column = 1;
  for (int i = 0; i < offset && i < static_cast<int>(query.size()); ++i) {
    if (query[static_cast<size_t>(i)] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  if (offset > static_cast<int>(query.size())) ++column;
  return StrCat(line, ":", column);
}

absl::StatusOr<ExprPtr> ParseExpr(std::string_view query, const ParserOptions& options,
                                  std::vector<ParseError>* errors) {
  Parser parser(query, options);
  ExprPtr expr = parser.ParseQuery();
  std::vector<ParseError> all = parser.errors();
  if (all.empty()) CheckTypes(expr.get(), options, &all);
  if (errors != nullptr) *errors = all;
  if (!all.empty()) return ErrorStatus(query, all.front());
  return expr;
}

absl::StatusOr<Matchers> ParseMetricSelector(std::string_view text) {
  ParserOptions options;
  Parser parser(text, options);
  ExprPtr expr = parser.ParseSelectorOnly();
  const std::vector<ParseError>& all = parser.errors();
  if (!all.empty()) return ErrorStatus(text, all.front());
  return std::move(expr->matchers);
}

void Parser::Fail(PositionRange pos, std::string message) {
  if (!failed_) Note(pos, std::move(message));
  failed_ = true;
}

void Parser::Unexpected(std::string_view context, std::string_view expected) {
  const Token& token = Current();
  if (token.kind == TokenKind::kError) return Fail(token.pos, token.text);
  std::string message = StrCat("unexpected ", token.Describe());
  if (!context.empty()) StrAppend(&message, " in ", context);
  if (!expected.empty()) StrAppend(&message, ", expected ", expected);
  Fail(token.pos, std::move(message));
}

// An open aggregation takes the blame for what does not fit inside it, and so ends up without arguments.
void Parser::UnexpectedInExpression() {
  Unexpected(aggregations_ > 0 ? "aggregation" : "");
  if (aggregations_ > 0) Note({0, 0}, kNoArguments);
}

ExprPtr Parser::ParseQuery() {
  if (Current().kind == TokenKind::kEof) {
    Fail({0, 0}, "no expression found in input");
    return nullptr;
  }
  ExprPtr expr = Binary(1);
  if (!failed() && Current().kind != TokenKind::kEof) Unexpected();
  return failed() ? nullptr : std::move(expr);
}

ExprPtr Parser::ParseSelectorOnly() {
  bool begins = Current().Is("{") || Current().kind == TokenKind::kIdentifier ||
                Current().kind == TokenKind::kKeyword || Current().kind == TokenKind::kAggregator ||
                Current().kind == TokenKind::kOperator;
  if (!begins || (Current().kind == TokenKind::kOperator && !IsWord(Current()))) {
    Unexpected();
    return nullptr;
  }
  ExprPtr expr = Selector();
  if (!failed() && Current().kind != TokenKind::kEof) Unexpected();
  return failed() ? nullptr : std::move(expr);
}

ExprPtr Parser::Binary(int min_precedence) {
  DepthGuard guard(this);
  if (!guard.ok()) return nullptr;
  ExprPtr left = Unary();
  while (!failed() && Current().kind == TokenKind::kOperator) {
    Op op = Current().op;
    int precedence = Precedence(op);
    if (precedence < min_precedence) break;
    auto node = std::make_unique<Expr>();
    node->kind = ExprKind::kBinary;
    node->op = op;
    Advance();
    if (!BinaryModifiers(node.get())) return nullptr;
    ExprPtr right = Binary(op == Op::kPow ? precedence : precedence + 1);
    if (failed()) return nullptr;
    node->pos = {left->pos.start, right->pos.end};
    node->operator_pos = Between(left->pos.end, right->pos.start);
    if (!options_.fill_modifiers && node->matching &&
        (node->matching->fill_left || node->matching->fill_right)) {
      Note(node->pos, "binop fill modifiers are experimental and not enabled");
    }
    node->children.push_back(std::move(left));
    node->children.push_back(std::move(right));
    left = std::move(node);
  }
  return failed() ? nullptr : std::move(left);
}

// The operator and its modifiers; the end is its last character, as Prometheus counts here.
PositionRange Parser::Between(int start, int end) const {
  auto blank = [&](int i) {
    char c = query_[static_cast<size_t>(i)];
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
  };
  --end;
  while (start < end && blank(start)) ++start;
  while (end > start && blank(end)) --end;
  return {start, end};
}

bool Parser::BinaryModifiers(Expr* node) {
  if (Accept("bool")) node->return_bool = true;
  if (!MatchingLabels(node)) return false;
  return FillModifiers(node);
}

bool Parser::MatchingLabels(Expr* node) {
  bool on = Current().Is("on");
  if (!on && !Current().Is("ignoring")) return true;
  Advance();
  node->matching.emplace();
  node->matching->on = on;
  if (!GroupingLabels(&node->matching->labels, "grouping opts")) return false;
  return GroupModifier(node);
}

bool Parser::GroupModifier(Expr* node) {
  bool left = Current().Is("group_left");
  if (!left && !Current().Is("group_right")) return true;
  Advance();
  node->matching->card = left ? Cardinality::kManyToOne : Cardinality::kOneToMany;
  if (Current().Is("(") || !BeginsExpr(Current()))
    return GroupingLabels(&node->matching->include, "grouping opts");
  return true;
}

// fill (x), or fill_left (x) and fill_right (y) in either order.
bool Parser::FillModifiers(Expr* node) {
  if (Current().Is("fill")) {
    double value = 0;
    if (!FillValue(&value)) return false;
    if (!node->matching) node->matching.emplace();
    node->matching->fill_left = node->matching->fill_right = value;
    return true;
  }
  for (int i = 0; i < 2; ++i) {
    const bool left = Current().Is("fill_left");
    if (!left && !Current().Is("fill_right")) return true;
    if (node->matching && (left ? node->matching->fill_left : node->matching->fill_right)) return true;
    double value = 0;
    if (!FillValue(&value)) return false;
    if (!node->matching) node->matching.emplace();
    (left ? node->matching->fill_left : node->matching->fill_right) = value;
  }
  return true;
}

bool Parser::FillValue(double* value) {
  Advance();
  Advance();  // (
  const bool negative = Current().kind == TokenKind::kOperator && Current().op == Op::kSub;
  if (negative || (Current().kind == TokenKind::kOperator && Current().op == Op::kAdd)) Advance();
  if (Current().kind != TokenKind::kNumber && Current().kind != TokenKind::kDuration) {
    UnexpectedInExpression();
    return false;
  }
  ExprPtr number = Number();
  if (failed()) return false;
  *value = negative ? -number->number : number->number;
  if (Accept(")")) return true;
  UnexpectedInExpression();
  return false;
}

ExprPtr Parser::Unary() {
  if (Current().kind != TokenKind::kOperator || (Current().op != Op::kAdd && Current().op != Op::kSub))
    return Postfix();
  DepthGuard guard(this);
  if (!guard.ok()) return nullptr;
  Token sign = Current();
  Advance();
  // The operand takes tighter operators: -2^2 is -(2^2).
  ExprPtr inner = Binary(kUnaryPrecedence + 1);
  if (failed()) return nullptr;
  if (inner->kind == ExprKind::kNumber) {
    if (sign.op == Op::kSub) inner->number = -inner->number;
    inner->pos.start = sign.pos.start;
    return inner;
  }
  auto node = std::make_unique<Expr>();
  node->kind = ExprKind::kUnary;
  node->op = sign.op;
  node->pos = {sign.pos.start, inner->pos.end};
  node->children.push_back(std::move(inner));
  return node;
}

ExprPtr Parser::Postfix() {
  ExprPtr expr = Primary();
  while (!failed()) {
    if (Current().Is("[")) {
      expr = Brackets(std::move(expr));
    } else if (Current().Is("offset")) {
      expr = Offset(std::move(expr));
    } else if (Current().Is("@")) {
      expr = At(std::move(expr));
    } else if (Current().Is("anchored") || Current().Is("smoothed")) {
      expr = Extended(std::move(expr));
    } else {
      return expr;
    }
  }
  return nullptr;
}

ExprPtr Parser::Primary() {
  const Token& token = Current();
  switch (token.kind) {
    case TokenKind::kNumber:
    case TokenKind::kDuration:
      return Number();
    case TokenKind::kString:
      return String();
    case TokenKind::kAggregator:
      if (Ahead().Is("(") || Ahead().Is("by") || Ahead().Is("without")) return Aggregate();
      if (Ahead().kind == TokenKind::kIdentifier) {
        Advance();
        break;
      }
      return Selector();
    case TokenKind::kIdentifier:
      // A name with colons is a metric's, never a function's.
      return Ahead().Is("(") && token.text.find(':') == std::string::npos ? Call() : Selector();
    case TokenKind::kKeyword:
      if (IsMatchingWord(token)) break;
      return Ahead().Is("(") && NamesFunction(token) ? Call() : Selector();
    case TokenKind::kOperator:
      if (IsWord(token) && token.op != Op::kAtan2) return Selector();
      break;
    case TokenKind::kPunctuation:
      if (token.text == "(") return Paren();
      if (token.text == "{") return Selector();
      break;
    default:
      break;
  }
  UnexpectedInExpression();
  return nullptr;
}

ExprPtr Parser::Number() {
  auto node = std::make_unique<Expr>();
  node->kind = ExprKind::kNumber;
  node->pos = Current().pos;
  if (Current().kind == TokenKind::kDuration) {
    absl::StatusOr<int64_t> ms = ParseDurationMs(Current().text);
    if (!ms.ok()) Note(Current().pos, std::string(ms.status().message()));
    node->number = static_cast<double>(ms.value_or(0)) / 1000;
    node->is_duration = true;
  } else if (!ParseNumberLiteral(Current().text, &node->number)) {
    Note(Current().pos, StrCat("error parsing number: strconv.ParseFloat: parsing ", GoQuote(Current().text),
                               IsTooLarge(Current().text) ? ": value out of range" : ": invalid syntax"));
  }
  Advance();
  return node;
}

ExprPtr Parser::String() {
  auto node = std::make_unique<Expr>();
  node->kind = ExprKind::kString;
  node->pos = Current().pos;
  node->text = GoUnquote(Current().text).value_or("");
  Advance();
  return node;
}

ExprPtr Parser::Paren() {
  auto node = std::make_unique<Expr>();
  node->kind = ExprKind::kParen;
  node->pos.start = Current().pos.start;
  Advance();
  ExprPtr inner = Binary(1);
  if (failed()) return nullptr;
  if (!Accept(")")) {
    UnexpectedInExpression();
    return nullptr;
  }
  node->pos.end = last_end_;
  node->children.push_back(std::move(inner));
  return node;
}

bool Parser::Arguments(std::vector<ExprPtr>* out) {
  Advance();  // (
  if (Accept(")")) return true;
  while (true) {
    ExprPtr argument = Binary(1);
    if (failed()) return false;
    out->push_back(std::move(argument));
    if (Accept(")")) return true;
    Token comma = Current();
    if (!Accept(",")) {
      UnexpectedInExpression();
      return false;
    }
    if (MissingArgument(comma.pos)) return Accept(")");
  }
}

// Whether no expression follows the comma; says so.
bool Parser::MissingArgument(PositionRange comma) {
  const Token& token = Current();
  constexpr const char* kText = "trailing commas not allowed in function call args";
  if (token.kind == TokenKind::kError) {
    // Bytes that are no token are found before the comma is understood.
    Fail(token.pos, token.text);
    Note(comma, kText);
    return true;
  }
  if (BeginsExpr(token)) return false;
  Note(comma, kText);
  if (!token.Is(")")) UnexpectedInExpression();
  return true;
}

ExprPtr Parser::Call() {
  Token name = Current();
  auto node = std::make_unique<Expr>();
  node->kind = ExprKind::kCall;
  node->pos.start = name.pos.start;
  node->function = FindFunction(name.text);
  Advance();
  if (!Arguments(&node->children)) return nullptr;
  if (node->function == nullptr) {
    Note(name.pos, StrCat("unknown function with name ", GoQuote(name.text)));
  } else if (node->function->experimental && !options_.experimental_functions) {
    Note(name.pos, StrCat("function ", GoQuote(name.text), " is not enabled"));
  }
  node->pos.end = last_end_;
  return node;
}

ExprPtr Parser::Aggregate() {
  auto node = std::make_unique<Expr>();
  node->kind = ExprKind::kAggregate;
  node->pos.start = Current().pos.start;
  node->aggregation = Current().aggregation;
  Advance();
  bool grouped = Current().Is("by") || Current().Is("without");
  if (grouped && !AggregateGrouping(node.get())) return nullptr;
  ++aggregations_;
  if (!Current().Is("(")) {
    UnexpectedInExpression();
    return nullptr;
  }
  if (!Arguments(&node->children)) return nullptr;
  --aggregations_;
  node->pos.end = last_end_;
  if (!grouped && (Current().Is("by") || Current().Is("without"))) {
    if (!AggregateGrouping(node.get())) return nullptr;
    node->pos.end = last_end_;
  }
  // Without a "by" in front one is looked for behind, and bytes that are no token are found first.
  if (!grouped && Current().kind == TokenKind::kError) Fail(Current().pos, Current().text);
  CheckArguments(*node);
  return failed() ? nullptr : std::move(node);
}

void Parser::CheckArguments(const Expr& node) {
  size_t wanted = TakesParameter(node.aggregation) ? 2 : 1, given = node.children.size();
  if (given == 0) {
    Note(node.pos, kNoArguments);
  } else if ((node.aggregation == Aggregation::kLimitk || node.aggregation == Aggregation::kLimitRatio) &&
             !options_.experimental_functions) {
    Note(
        node.pos,
        StrCat(AggregationName(node.aggregation),
               "() is experimental and must be enabled with --enable-feature=promql-experimental-functions"));
  } else if (given != wanted) {
    Note(node.pos, StrCat("wrong number of arguments for aggregate expression provided, expected ", wanted,
                          ", got ", given));
  }
}

bool Parser::AggregateGrouping(Expr* node) {
  node->without = Current().Is("without");
  Advance();
  return GroupingLabels(&node->grouping, "grouping opts");
}

bool Parser::GroupingLabels(std::vector<std::string>* out, const char* context) {
  if (!Accept("(")) {
    Unexpected(context, "\"(\"");
    return false;
  }
  if (Accept(")")) return true;
  while (true) {
    const Token& token = Current();
    if (token.kind == TokenKind::kString) {
      std::string name = GoUnquote(token.text).value_or("");
      if (name.empty()) Note(token.pos, StrCat("invalid label name for grouping: ", GoQuote(name)));
      out->push_back(std::move(name));
    } else if (IsLabelToken(token)) {
      out->push_back(token.text);
    } else {
      Unexpected(context, "label");
      return false;
    }
    Advance();
    if (Accept(")")) return true;
    if (!Accept(",")) {
      Unexpected(context, "\",\" or \")\"");
      return false;
    }
    if (Accept(")")) return true;  // a trailing comma
  }
}

}  // namespace narthex::promql
