// The recursive-descent parser, shared by its two source files. Not a contract.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "promql/syntax/lexer.h"
#include "promql/syntax/parser.h"

namespace narthex::promql {

// One parse of one query. An error of syntax stops it: methods return null (or false) once failed() is true.
// An error of meaning is noted, and parsing goes on with a stand-in, so that every such error is listed.
class Parser {
 public:
  Parser(std::string_view query, const ParserOptions& options)
      : query_(query), options_(options), tokens_(Lex(query)) {}

  ExprPtr ParseQuery();
  // `metric{labels}` alone.
  ExprPtr ParseSelectorOnly();
  bool failed() const { return failed_; }
  const std::vector<ParseError>& errors() const { return errors_; }

 private:
  friend class DepthGuard;
  // parser.cc: expressions
  ExprPtr Binary(int min_precedence);
  PositionRange Between(int start, int end) const;
  bool BinaryModifiers(Expr* node);
  bool MatchingLabels(Expr* node);
  bool GroupModifier(Expr* node);
  bool FillModifiers(Expr* node);
  bool FillValue(double* value);
  ExprPtr Unary();
  ExprPtr Postfix();
  ExprPtr Primary();
  ExprPtr Number();
  ExprPtr String();
  ExprPtr Paren();
  ExprPtr Call();
  ExprPtr Aggregate();
  void CheckArguments(const Expr& node);
  bool AggregateGrouping(Expr* node);
  bool Arguments(std::vector<ExprPtr>* out);
  bool MissingArgument(PositionRange comma);
  bool GroupingLabels(std::vector<std::string>* out, const char* context);

  // selector_parser.cc: selectors and what follows them
  ExprPtr Selector();
  bool LabelMatchers(Expr* selector);
  bool OneMatcher(Expr* selector);
  ExprPtr Brackets(ExprPtr inner);
  ExprPtr MatrixOrSubquery(ExprPtr inner, PositionRange bracket, ExprPtr range, bool colon, ExprPtr step);
  ExprPtr Offset(ExprPtr inner);
  ExprPtr At(ExprPtr inner);
  ExprPtr Extended(ExprPtr inner);
  Expr* ModifierTarget(Expr* inner, const char* what);
  ExprPtr DurationExpr(const char* context, bool allow_negative_literal);
  ExprPtr DurationBinary(int min_precedence, const char* context);
  ExprPtr DurationUnary(const char* context, bool with_power);
  // What is out of range is blamed on `sign`, if there is one.
  ExprPtr DurationPrimary(const char* context, const PositionRange* sign = nullptr);
  void NoDuration(const char* context);
  static int64_t LiteralMs(const Expr& literal);

  const Token& Current() const { return tokens_[at_]; }
  const Token& Ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  void Advance() {
    last_end_ = Current().pos.end;
    if (at_ + 1 < tokens_.size()) ++at_;
  }
  bool Accept(std::string_view what) {
    if (!Current().Is(what)) return false;
    Advance();
    return true;
  }
  void Fail(PositionRange pos, std::string message);
  void Note(PositionRange pos, std::string message) { errors_.push_back({pos, std::move(message)}); }
  // "unexpected X in CONTEXT, expected WHAT" at the current token; the lexer's own message where it is an
  // error.
  void Unexpected(std::string_view context = "", std::string_view expected = "");

  void UnexpectedInExpression();

  std::string_view query_;
  const ParserOptions& options_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int last_end_ = 0;
  int depth_ = 0;
  int aggregations_ = 0;  // whose arguments are being read
  bool failed_ = false;
  std::vector<ParseError> errors_;
};

// Counts nesting; reports once it is too deep.
class DepthGuard {
 public:
  explicit DepthGuard(Parser* parser) : parser_(parser) {
    if (++parser_->depth_ > parser_->options_.max_depth && !parser_->failed()) {
      parser_->Fail(parser_->Current().pos, "expression is nested too deeply");
    }
  }
  ~DepthGuard() { --parser_->depth_; }
  bool ok() const { return !parser_->failed(); }

 private:
  Parser* parser_;
};

}  // namespace narthex::promql
