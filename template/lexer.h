// Template text to tokens, Go's text/template syntax.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace narthex::tmpl {

enum class TokenKind {
  kText,
  kLeft,   // {{
  kRight,  // }}
  kSpace,
  kIdentifier,
  kKeyword,   // if range with end else template define block break continue
  kField,     // .x, text without the dot
  kVariable,  // $ or $x
  kDot,
  kNil,
  kBool,
  kNumber,
  kString,     // value unquoted, raw keeps the source
  kCharacter,  // 'a', which is a number
  kPipe,
  kDeclare,  // :=
  kAssign,   // =
  kComma,
  kLeftParen,
  kRightParen,
  kCharacterItself,  // what has no meaning of its own
  kEof,
};

struct Token {
  TokenKind kind = TokenKind::kEof;
  size_t pos = 0;
  std::string raw;    // as written
  std::string value;  // of a string
};

struct LexError {
  size_t pos = 0;
  std::string message;
};

// Comments and trimmed space are gone. On a mistake the tokens before it and *error.
std::vector<Token> Lex(std::string_view text, LexError* error);

}  // namespace narthex::tmpl
