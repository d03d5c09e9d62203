#include "template/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <optional>

#include "base/go_format.h"
#include "base/strings.h"

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
    } else if (StartsWith(":=")) {
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
      Add(TokenKind::kVariable, 1 + WordLength(1));
    } else if (c == '.' && !std::isdigit(static_cast<unsigned char>(Peek(1)))) {
      size_t n = WordLength(1);
      Token& token = Add(n == 0 ? TokenKind::kDot : TokenKind::kField, 1 + n);
      token.value = token.raw.substr(1);
    } else if (std::isdigit(static_cast<unsigned char>(c)) || c == '.' ||
               ((c == '+' || c == '-') &&
                (std::isdigit(static_cast<unsigned char>(Peek(1))) || Peek(1) == '.'))) {
      LexNumber();
    } else if (IsLetter(c) && (static_cast<unsigned char>(c) < 0x80 || !IsUnicodeSpace())) {
      LexWord();
    } else {
      Fail(StrCat("unrecognized character in action: ", CharacterName()));
    }
  }

  size_t WordLength(size_t from) const {
    size_t n = 0;
    while (IsAlphanumeric(Peek(from + n)) && Peek(from + n) != '\0') ++n;
    return n;
  }

  // U+00A0, the one that people paste.
  bool IsUnicodeSpace() const { return StartsWith("\xC2\xA0"); }

  std::string CharacterName() const {
    if (IsUnicodeSpace()) return "U+00A0";
    char name[16];
    unsigned char c = static_cast<unsigned char>(Peek());
    std::snprintf(name, sizeof name, "U+%04X", c);
    return std::isprint(c) ? StrCat(name, " '", std::string(1, static_cast<char>(c)), "'") : name;
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
    while (i < text_.size() && text_[i] != '\'' && text_[i] != '\n') i += text_[i] == '\\' ? 2 : 1;
    if (i >= text_.size() || text_[i] != '\'') return Fail("unterminated character constant");
    std::optional<std::string> value = GoUnquote(text_.substr(at_, i + 1 - at_));
    if (!value || value->empty()) return Fail("malformed character constant");
    Add(TokenKind::kCharacter, i + 1 - at_).value = *value;
  }

  void LexNumber() {
    size_t n = 1;
    while (IsAlphanumeric(Peek(n)) || Peek(n) == '.' ||
           ((Peek(n) == '+' || Peek(n) == '-') && (Peek(n - 1) == 'e' || Peek(n - 1) == 'E'))) {
      ++n;
    }
    Add(TokenKind::kNumber, n);
  }

  void LexWord() {
    std::string_view word = text_.substr(at_, WordLength(0));
    TokenKind kind = TokenKind::kIdentifier;
    if (std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end()) kind = TokenKind::kKeyword;
    if (word == "true" || word == "false") kind = TokenKind::kBool;
    if (word == "nil") kind = TokenKind::kNil;
    Add(kind, word.size());
  }

  const std::string_view text_;
  LexError* const error_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Lex(std::string_view text, LexError* error) {
  *error = {};
  return Lexer(text, error).Run();
}

}  // namespace narthex::tmpl
