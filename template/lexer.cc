#include "template/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <optional>

#include "base/go_format.h"
#include "base/strings.h"
#include "template/unicode.h"

namespace narthex::tmpl {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr auto kKeywords = std::to_array<std::string_view>(
    {"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"});

bool IsLetter(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80); }
bool IsAlphanumeric(char c) { return IsLetter(c) || std::isdigit(static_cast<unsigned char>(c)); }

class Lexer {
 public:
  Lexer(std::string_view text, LexError* error) : text_(text), error_(error) {}

  std::vector<Token> Run() {
    while (at_ < text_.size() && error_->message.empty()) {
      LexText();
      if (at_ < text_.size() && error_->message.empty()) LexAction();
    }
    if (error_->message.empty()) Add(TokenKind::kEof, 0);
    return std::move(tokens_);
  }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool StartsWith(std::string_view prefix) const { return text_.substr(at_).starts_with(prefix); }
  bool IsSpaceAt(size_t i) const { return i < text_.size() && kSpaces.find(text_[i]) != kSpaces.npos; }
  void Fail(std::string message) {
    if (error_->message.empty()) *error_ = {at_, std::move(message)};
  }
  Token& Add(TokenKind kind, size_t length) {
    tokens_.push_back({kind, at_, std::string(text_.substr(at_, length)), ""});
    at_ += length;
    return tokens_.back();
  }

  void LexText() {
    size_t end = std::min(text_.find("{{", at_), text_.size());
    std::string_view text = text_.substr(at_, end - at_);
    // "{{- " eats the space before it.
    if (end + 3 < text_.size() && text_[end + 2] == '-' && IsSpaceAt(end + 3)) {
      size_t last = text.find_last_not_of(kSpaces);
      text = text.substr(0, last == text.npos ? 0 : last + 1);
    }
    if (!text.empty()) {
      tokens_.push_back({TokenKind::kText, at_, std::string(text), ""});
    }
    at_ = end;
  }

  bool AtRightDelimiter() const {
    return StartsWith("}}") || (IsSpaceAt(at_) && StartsWith(std::string(1, Peek()) + "-}}"));
  }

  // Behind "}}", or " -}}" and the space that it eats.
  void FinishAction() {
    bool trim = !StartsWith("}}");
    if (trim) at_ += 2;
    Add(TokenKind::kRight, 2);
    while (trim && IsSpaceAt(at_)) ++at_;
  }

  bool LexComment(size_t start) {
    size_t open = start + 2;
    if (text_.substr(open).starts_with("- ")) open += 2;
    if (!text_.substr(open).starts_with("/*")) return false;
    size_t close = text_.find("*/", open);
    if (close == text_.npos) {
      Fail("unclosed comment");
      return true;
    }
    at_ = close + 2;
    if (!AtRightDelimiter()) {
      Fail("comment ends before closing delimiter");
      return true;
    }
    FinishAction();
    tokens_.pop_back();
    return true;
  }

  void LexAction() {
    if (LexComment(at_)) return;
    Add(TokenKind::kLeft, 2);
    if (Peek() == '-' && IsSpaceAt(at_ + 1)) at_ += 1;
    int parens = 0;
    while (error_->message.empty()) {
      if (AtRightDelimiter()) {
        if (parens > 0) return Fail("unclosed left paren");
        return FinishAction();
      }
      if (at_ >= text_.size()) return Fail("unclosed action");
      LexToken(&parens);
    }
  }

  void LexToken(int* parens) {
    char c = Peek();
    if (IsSpaceAt(at_)) {
      size_t n = 1;
      while (IsSpaceAt(at_ + n) &&
             !(text_.substr(at_ + n).starts_with(std::string(1, text_[at_ + n]) + "-}}")))
        ++n;
      Add(TokenKind::kSpace, n);
    } else if (c == ':') {
      if (Peek(1) != '=') return Fail("expected :=");
      Add(TokenKind::kDeclare, 2);
    } else if (c == '=') {
      Add(TokenKind::kAssign, 1);
    } else if (c == '|') {
      Add(TokenKind::kPipe, 1);
    } else if (c == ',') {
      Add(TokenKind::kComma, 1);
    } else if (c == '(') {
      ++*parens;
      Add(TokenKind::kLeftParen, 1);
    } else if (c == ')') {
      if (--*parens < 0) return Fail("unexpected right paren");
      Add(TokenKind::kRightParen, 1);
    } else if (c == '"' || c == '`') {
      LexString(c);
    } else if (c == '\'') {
      LexCharacter();
    } else if (c == '$') {
      if (IsTerminator(at_ + 1)) return void(Add(TokenKind::kVariable, 1));
      LexName(TokenKind::kVariable);
    } else if (c == '.' && !std::isdigit(static_cast<unsigned char>(Peek(1)))) {
      if (IsTerminator(at_ + 1)) return void(Add(TokenKind::kDot, 1));
      if (LexName(TokenKind::kField)) tokens_.back().value = tokens_.back().raw.substr(1);
    } else if (std::isdigit(static_cast<unsigned char>(c)) || c == '.' || c == '+' || c == '-') {
      LexNumber();
    } else if (IsLetter(c) && (static_cast<unsigned char>(c) < 0x80 || !IsUnicodeSpace())) {
      LexWord();
    } else if (std::isprint(static_cast<unsigned char>(c))) {
      Add(TokenKind::kCharacterItself, 1);
    } else {
      Fail(StrCat("unrecognized character in action: ", CharacterName(at_)));
    }
  }

  // What may follow a name.
  bool IsTerminator(size_t at) const {
    if (at >= text_.size() || IsSpaceAt(at)) return true;
    return std::string_view(".,|:()").find(text_[at]) != std::string_view::npos ||
           text_.substr(at).starts_with("}}");
  }

  // A name with the $ or . before it. False: it ends in what cannot follow a name.
  bool LexName(TokenKind kind) {
    const size_t length = 1 + WordLength(1);
    if (!IsTerminator(at_ + length)) {
      Fail(StrCat("bad character ", CharacterName(at_ + length)));
      return false;
    }
    Add(kind, length);
    return true;
  }

  size_t WordLength(size_t from) const {
    size_t n = 0;
    while (IsAlphanumeric(Peek(from + n)) && Peek(from + n) != '\0') ++n;
    return n;
  }

  // U+00A0, the one that people paste.
  bool IsUnicodeSpace() const { return StartsWith("\xC2\xA0"); }

  std::string CharacterName(size_t at) const {
    const Character c = FirstCharacter(text_.substr(at));
    char name[16];
    std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(c.code));
    return IsPrintable(c.code) ? StrCat(name, " '", text_.substr(at, c.size), "'") : name;
  }

  void LexString(char quote) {
    size_t i = at_ + 1;
    for (; i < text_.size() && text_[i] != quote; ++i) {
      if (quote == '"' && text_[i] == '\n') break;
      if (quote == '"' && text_[i] == '\\') ++i;
    }
    if (i >= text_.size() || text_[i] != quote) {
      return Fail(quote == '"' ? "unterminated quoted string" : "unterminated raw quoted string");
    }
    std::optional<std::string> value = GoUnquote(text_.substr(at_, i + 1 - at_));
    if (!value) return Fail("invalid syntax");
    Add(TokenKind::kString, i + 1 - at_).value = *value;
  }

  void LexCharacter() {
    size_t i = at_ + 1;
    while (i < text_.size() && text_[i] != '\'' && text_[i] != '\n') {
      i += text_[i] == '\\' && i + 1 < text_.size() && text_[i + 1] != '\n' ? 2 : 1;
    }
    if (i >= text_.size() || text_[i] != '\'') return Fail("unterminated character constant");
    Add(TokenKind::kCharacter, i + 1 - at_);
  }

  bool Accept(std::string_view characters) {
    if (number_ >= text_.size() || characters.find(text_[number_]) == characters.npos) return false;
    ++number_;
    return true;
  }

  // What looks like a number; whether it is one the parser finds.
  void LexNumber() {
    number_ = at_;
    Accept("+-");
    std::string_view digits = "0123456789_";
    const bool zero = Accept("0");
    const bool hex = zero && Accept("xX");
    if (hex) {
      digits = "0123456789abcdefABCDEF_";
    } else if (zero && Accept("oO")) {
      digits = "01234567_";
    } else if (zero && Accept("bB")) {
      digits = "01_";
    }
    while (Accept(digits)) {
    }
    if (Accept(".")) {
      while (Accept(digits)) {
      }
    }
    if (hex ? Accept("pP") : digits.size() == 11 && Accept("eE")) {
      Accept("+-");
      while (Accept("0123456789_")) {
      }
    }
    if (number_ < text_.size() && IsAlphanumeric(text_[number_])) {
      number_ += FirstCharacter(text_.substr(number_)).size;
      return Fail(StrCat("bad number syntax: ", GoQuote(text_.substr(at_, number_ - at_))));
    }
    Add(TokenKind::kNumber, number_ - at_);
  }

  void LexWord() {
    std::string_view word = text_.substr(at_, WordLength(0));
    if (!IsTerminator(at_ + word.size()))
      return Fail(StrCat("bad character ", CharacterName(at_ + word.size())));
    TokenKind kind = TokenKind::kIdentifier;
    if (std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end()) kind = TokenKind::kKeyword;
    if (word == "true" || word == "false") kind = TokenKind::kBool;
    if (word == "nil") kind = TokenKind::kNil;
    Add(kind, word.size());
  }

  const std::string_view text_;
  LexError* const error_;
  size_t at_ = 0;
  size_t number_ = 0;  // where LexNumber is
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Lex(std::string_view text, LexError* error) {
  *error = {};
  return Lexer(text, error).Run();
}

}  // namespace narthex::tmpl
