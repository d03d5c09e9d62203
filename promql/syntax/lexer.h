// Text to tokens. All tokens of a query at once; a malformed piece becomes one kError token, which ends the
// list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "promql/syntax/ast.h"

namespace narthex::promql {

enum class TokenKind {
  kEof,
  kError,
  kIdentifier,
  kString,
  kNumber,
  kDuration,
  kOperator,
  kKeyword,
  kAggregator,
  kPunctuation,  // ( ) { } [ ] , : = @ and the label operators != =~ !~ inside braces
};

struct Token {
  TokenKind kind = TokenKind::kEof;
  std::string text;  // as written; of kError the message
  PositionRange pos;
  Op op = Op::kNone;  // of kOperator
  Aggregation aggregation = Aggregation::kSum;

  bool Is(std::string_view punctuation_or_keyword) const;
  // How error texts name it: `identifier "foo"`, `<op:*>`, `"="`, `end of input`.
  std::string Describe() const;
};

// At least one token: the last is kEof or kError.
std::vector<Token> Lex(std::string_view query);

// Prometheus's number literals: decimal, hex, 0b, 0o, underscores, exponents, Inf, NaN. False if malformed.
bool ParseNumberLiteral(std::string_view text, double* out);

}  // namespace narthex::promql
