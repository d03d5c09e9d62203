#include "promql/syntax/lexer.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "absl/strings/ascii.h"
#include "base/duration.h"
#include "base/go_format.h"
#include "base/strings.h"
#include "model/sample.h"

namespace narthex::promql {
namespace {

constexpr std::string_view kKeywords[] = {"offset",    "smoothed",   "anchored",   "by",          "without",
                                          "on",        "ignoring",   "group_left", "group_right", "fill",
                                          "fill_left", "fill_right", "bool",       "start",       "end",
                                          "step",      "range",      "min_of",     "max_of"};

bool IsAlpha(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlphaNumeric(char c) { return IsAlpha(c) || IsDigit(c); }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string Lower(std::string_view text) { return absl::AsciiStrToLower(ToAbsl(text)); }

// The character at `at` in single quotes, as Go's %q prints a rune.
std::string QuoteRune(std::string_view text, size_t at) {
  if (at >= text.size()) return "'\xef\xbf\xbd'";  // as Go quotes what is no rune
  size_t length = 1;
  while (at + length < text.size() && (static_cast<unsigned char>(text[at + length]) & 0xc0) == 0x80)
    ++length;
  std::string_view rune = text.substr(at, length);
  if (rune == "\"") return "'\"'";
  if (rune == "'") return "'\\''";
  std::string quoted = GoQuote(rune);
  return StrCat("'", quoted.substr(1, quoted.size() - 2), "'");
}

class Lexer {
 public:
  explicit Lexer(std::string_view in) : in_(in) {}

  std::vector<Token> Run() {
    while (!done_) Next();
    return std::move(out_);
  }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  bool AtEnd() const { return at_ >= in_.size(); }

  void Emit(TokenKind kind, size_t start, size_t end) {
    Token token;
    token.kind = kind;
    token.text = std::string(in_.substr(start, end - start));
    token.pos = {static_cast<int>(start), static_cast<int>(end)};
    out_.push_back(std::move(token));
    at_ = end;
  }
  void EmitOp(Op op, size_t length) {
    Emit(TokenKind::kOperator, at_, at_ + length);
    out_.back().op = op;
  }
  void Fail(size_t at, std::string message) {
    Token token;
    token.kind = TokenKind::kError;
    token.text = std::move(message);
    token.pos = {static_cast<int>(at), static_cast<int>(in_.size())};
    out_.push_back(std::move(token));
    done_ = true;
  }

  void SkipBlanks() {
    while (!AtEnd()) {
      if (IsSpace(Peek())) {
        ++at_;
      } else if (Peek() == '#' && !in_duration_) {
        while (!AtEnd() && Peek() != '\n' && Peek() != '\r') ++at_;
      } else {
        return;
      }
    }
  }

  void Next() {
    SkipBlanks();
    if (AtEnd()) return End();
    if (braces_) return InsideBraces();
    Statement();
  }

  void End() {
    if (in_duration_) return Fail(at_, "unexpected end of input in duration expression");
    if (braces_) return Fail(at_, "unexpected end of input inside braces");
    if (parens_ > 0) return Fail(at_, "unclosed left parenthesis");
    if (bracket_) return Fail(at_, "unclosed left bracket");
    Emit(TokenKind::kEof, in_.size(), in_.size());
    done_ = true;
  }

  bool Operator() {
    struct Row {
      std::string_view text;
      Op op;
    };
    static constexpr Row kRows[] = {
        {"</", Op::kTrimUpper}, {">/", Op::kTrimLower}, {"==", Op::kEql}, {"!=", Op::kNeq}, {"<=", Op::kLte},
        {">=", Op::kGte},       {"<", Op::kLss},        {">", Op::kGtr},  {"+", Op::kAdd},  {"-", Op::kSub},
        {"*", Op::kMul},        {"/", Op::kDiv},        {"%", Op::kMod},  {"^", Op::kPow}};
    for (const Row& row : kRows) {
      if (in_.substr(at_).starts_with(row.text)) {
        EmitOp(row.op, row.text.size());
        return true;
      }
    }
    return false;
  }

  void Statement() {
    char c = Peek();
    if (in_duration_ && !DurationPiece(c)) {
      return Fail(at_, StrCat("unexpected character in duration expression: ", QuoteRune(in_, at_)));
    }
    if (c == '=' && Peek(1) == '~') return Fail(at_ + 0, StrCat("unexpected character after '=': '~'"));
    if (c == '!' && Peek(1) != '=') return BadBang();
    if (c == '"' || c == '\'' || c == '`') return String();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number();
    if (bracket_ && BracketPiece()) return;
    if (Operator()) return;
    if (c == '=' || c == ',' || c == '@') return Emit(TokenKind::kPunctuation, at_, at_ + 1);
    if (c == '{') {
      braces_ = true;
      return Emit(TokenKind::kPunctuation, at_, at_ + 1);
    }
    if (c == '(' || c == ')') return Paren(c);
    if (c == '[') {
      if (bracket_) return Fail(at_, "unexpected left bracket '['");
      bracket_ = in_duration_ = true;
      bracket_has_value_ = bracket_has_colon_ = false;
      return Emit(TokenKind::kPunctuation, at_, at_ + 1);
    }
    if (c == ']') {
      if (!bracket_) return Fail(at_, "unexpected right bracket ']'");
      bracket_ = in_duration_ = false;
      return Emit(TokenKind::kPunctuation, at_, at_ + 1);
    }
    if (IsAlpha(c) || c == ':') return Word();
    Fail(at_, StrCat("unexpected character: ", QuoteRune(in_, at_)));
  }

  void BadBang() { Fail(at_, StrCat("unexpected character after '!': ", QuoteRune(in_, at_ + 1))); }

  // Whether a duration expression may go on with this character: from "[" up to its first number, nothing
  // else may.
  bool DurationPiece(char c) const {
    if (IsAlpha(c)) return IsDurationWord(WordHere());
    return IsDigit(c) || (c == '.' && IsDigit(Peek(1))) ||
           std::string_view("]():+-*/%^,").find(c) != std::string_view::npos;
  }

  std::string WordHere() const {
    size_t end = at_;
    while (end < in_.size() && IsAlpha(in_[end])) ++end;
    return Lower(in_.substr(at_, end - at_));
  }

  static bool IsDurationWord(std::string_view word) {
    return word == "step" || word == "range" || word == "min_of" || word == "max_of";
  }

  // Inside [...]: a colon separates range and step; words are step, range, min_of, max_of only, and end
  // before a digit.
  bool BracketPiece() {
    char c = Peek();
    if (c == ':') {
      Colon();
      return true;
    }
    if (!IsAlpha(c)) return false;
    const std::string word = WordHere();
    if (IsDurationWord(word)) {
      bracket_has_value_ = true;
      Emit(TokenKind::kKeyword, at_, at_ + word.size());
      return true;
    }
    Fail(at_, StrCat("unexpected character: ", QuoteRune(in_, at_), ", expected ':'"));
    return true;
  }

  void Colon() {
    if (!bracket_has_value_) return Fail(at_ + 1, "unexpected colon before duration in duration expression");
    if (bracket_has_colon_ && in_duration_) {
      return Fail(at_ + 1, "unexpected repeated colon in duration expression");
    }
    if (bracket_has_colon_) return Fail(at_, "unexpected colon ':'");
    bracket_has_colon_ = true;
    Emit(TokenKind::kPunctuation, at_, at_ + 1);
  }

  void Paren(char c) {
    if (c == '(') {
      ++parens_;
    } else if (--parens_ < 0) {
      return Fail(at_ + 1, "unexpected right parenthesis ')'");
    }
    Emit(TokenKind::kPunctuation, at_, at_ + 1);
  }

  void InsideBraces() {
    char c = Peek();
    if (IsAlpha(c)) {
      size_t end = at_;
      while (end < in_.size() && IsAlphaNumeric(in_[end])) ++end;
      return Emit(TokenKind::kIdentifier, at_, end);
    }
    if (c == ',') return Emit(TokenKind::kPunctuation, at_, at_ + 1);
    if (c == '"' || c == '\'' || c == '`') return String();
    if (c == '=') return Emit(TokenKind::kPunctuation, at_, at_ + (Peek(1) == '~' ? 2 : 1));
    if (c == '!') {
      if (Peek(1) == '~' || Peek(1) == '=') return Emit(TokenKind::kPunctuation, at_, at_ + 2);
      return Fail(at_, StrCat("unexpected character after '!' inside braces: ", QuoteRune(in_, at_ + 1)));
    }
    if (c == '{') return Fail(at_, "unexpected left brace '{'");
    if (c == '}') {
      braces_ = false;
      return Emit(TokenKind::kPunctuation, at_, at_ + 1);
    }
    Fail(at_, StrCat("unexpected character inside braces: ", QuoteRune(in_, at_)));
  }

  // Whether the string from *checked to `end` is UTF-8; reports if not, and else notes how far it is. As
  // upstream, U+FFFD counts as what it stands for.
  bool HasGoodRunes(size_t* checked, size_t end) {
    const std::string_view text = in_.substr(*checked, end - *checked);
    *checked = end;
    if (IsValidUtf8(text) && text.find("\xef\xbf\xbd") == text.npos) return true;
    Fail(at_, "invalid UTF-8 rune");
    return false;
  }

  void String() {
    char quote = Peek();
    size_t end = at_ + 1, checked = at_;
    if (quote == '`') {
      while (end < in_.size() && in_[end] != '`') ++end;
      if (!HasGoodRunes(&checked, end)) return;
      if (end >= in_.size()) return Fail(at_, "unterminated raw string");
      return Emit(TokenKind::kString, at_, end + 1);
    }
    while (end < in_.size() && in_[end] != quote) {
      if (in_[end] == '\n' || in_[end] == '\\') {
        if (!HasGoodRunes(&checked, end)) return;
      }
      if (in_[end] == '\n') return Fail(at_, "unterminated quoted string");
      if (in_[end] == '\\') {
        size_t used = Escape(end + 1, quote);
        if (used == 0) return;
        end += used;
      }
      ++end;
    }
    if (!HasGoodRunes(&checked, end)) return;
    if (end >= in_.size()) return Fail(at_, "unterminated quoted string");
    Emit(TokenKind::kString, at_, end + 1);
  }

  // Length of the escape at `from` (after the backslash); 0 after a failure was reported.
  size_t Escape(size_t from, char quote) {
    if (from >= in_.size()) return Fail(at_, "escape sequence not terminated"), 0;
    char c = in_[from];
    if (std::string_view("abfnrtv\\").find(c) != std::string_view::npos || c == quote) return 1;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
    unsigned base = c >= '0' && c <= '7' ? 8 : 16;
    if (digits == 0) return Fail(at_, StrCat("unknown escape sequence ", HexRune(from))), 0;
    size_t first = base == 8 ? from : from + 1;
    uint64_t value = 0;
    for (size_t i = first; i < first + digits; ++i) {
      if (i >= in_.size()) return Fail(at_, "escape sequence not terminated"), 0;
      unsigned digit =
          IsDigit(in_[i]) ? static_cast<unsigned>(in_[i] - '0')
          : absl::ascii_isxdigit(static_cast<unsigned char>(in_[i]))
              ? static_cast<unsigned>(absl::ascii_tolower(static_cast<unsigned char>(in_[i])) - 'a' + 10)
              : 99;
      if (digit >= base) return Fail(at_, StrCat("illegal character ", HexRune(i), " in escape sequence")), 0;
      value = value * base + digit;
    }
    bool surrogate = digits >= 4 && value >= 0xd800 && value < 0xe000;
    if ((base == 8 && value > 255) || (digits >= 4 && value > 0x10ffff) || surrogate) {
      return Fail(at_, "escape sequence is an invalid Unicode code point"), 0;
    }
    return first + digits - from;
  }

  // U+002E '.'
  std::string HexRune(size_t at) const {
    size_t length = 1;
    while (at + length < in_.size() && (static_cast<unsigned char>(in_[at + length]) & 0xc0) == 0x80)
      ++length;
    std::string_view rune = in_.substr(at, length);
    if (!IsValidUtf8(rune)) rune = "\xef\xbf\xbd";
    const auto lead = static_cast<unsigned char>(rune[0]);
    uint32_t code = rune.size() == 1 ? lead : lead & (0x7fu >> rune.size());
    for (char c : rune.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3f);
    const std::string hex = absl::AsciiStrToUpper(StrCat(absl::Hex(code, absl::kZeroPad4)));
    const std::string quoted = GoQuote(rune);
    const bool printable = quoted.size() == rune.size() + 2 || rune == "\"" || rune == "\\";
    return StrCat("U+", hex, printable ? StrCat(" '", rune, "'") : "");
  }

  void Number() {
    bracket_has_value_ = true;
    in_duration_ = false;
    size_t end = at_;
    if (ScanNumber(&end)) return Emit(TokenKind::kNumber, at_, end);
    if (ScanDuration(&end)) return Emit(TokenKind::kDuration, at_, end);
    Fail(at_, StrCat("bad number or duration syntax: ", GoQuote(in_.substr(at_, end - at_))));
  }

  bool SkipAny(std::string_view set, size_t* i) const {
    if (*i >= in_.size() || set.find(in_[*i]) == set.npos) return false;
    ++*i;
    return true;
  }

  // Moves *i over a number: digits, underscores between them, one dot, one exponent. False leaves it behind
  // the first character that does not fit, or before a unit. As upstream: a dot in front is not counted, and
  // the first e of hexadecimal digits is an exponent, unless it is their first.
  bool ScanNumber(size_t* i) const {
    const size_t start = *i;
    const bool hex = SkipAny("0", i) && SkipAny("xX", i);
    bool dot = false, exponent = false;
    const std::string_view digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
    if (hex) SkipAny("_", i);
    SkipAny(".", i);
    SkipAny(digits, i);
    while (true) {
      if (SkipAny(".", i)) {
        if (dot || hex || SkipAny("_.", i)) return false;
        dot = true;
      } else if (SkipAny("eE", i)) {
        if (exponent) return false;
        exponent = true;
        SkipAny("+-", i);
        if (SkipAny("._eE", i) || *i >= in_.size()) return false;
      } else if (SkipAny("_", i)) {
        if (SkipAny("._eE", i) || *i >= in_.size()) return false;
      } else if (!SkipAny(digits, i)) {
        return *i != start && (*i >= in_.size() || !IsAlphaNumeric(in_[*i]));
      } else {
        while (SkipAny(digits, i)) {
        }
      }
    }
  }

  // Goes on where ScanNumber stopped: units, with digits between them. What is no unit ("hs") is found when
  // the text is read as a duration.
  bool ScanDuration(size_t* i) const {
    std::string_view units = "smhdwy";
    do {
      if (!SkipAny(units, i)) return false;
      SkipAny("s", i);  // ms
      units = "smhdw";  // years come first
      if (*i >= in_.size() || !IsDigit(in_[*i])) break;
      while (SkipAny("0123456789", i)) {
      }
    } while (true);
    if (*i >= in_.size() || !IsAlphaNumeric(in_[*i])) return true;
    ++*i;
    return false;
  }

  bool ParenthesisFollows(size_t at) const {
    while (at < in_.size() && IsSpace(in_[at])) ++at;
    return at < in_.size() && in_[at] == '(';
  }

  void Word() {
    size_t end = at_;
    while (end < in_.size() && (IsAlphaNumeric(in_[end]) || in_[end] == ':')) ++end;
    std::string lower = Lower(in_.substr(at_, end - at_));
    static constexpr std::pair<std::string_view, Op> kOps[] = {
        {"and", Op::kAnd}, {"or", Op::kOr}, {"unless", Op::kUnless}, {"atan2", Op::kAtan2}};
    for (const auto& [name, op] : kOps) {
      if (lower == name) {
        EmitOp(op, end - at_);
        return;
      }
    }
    if (lower == "inf" || lower == "nan") return Emit(TokenKind::kNumber, at_, end);
    for (int i = 0; i <= static_cast<int>(Aggregation::kLimitRatio); ++i) {
      if (lower == AggregationName(static_cast<Aggregation>(i))) {
        Emit(TokenKind::kAggregator, at_, end);
        out_.back().aggregation = static_cast<Aggregation>(i);
        return;
      }
    }
    bool keyword = std::find(std::begin(kKeywords), std::end(kKeywords), lower) != std::end(kKeywords) &&
                   (!lower.starts_with("fill") || ParenthesisFollows(end));
    Emit(keyword ? TokenKind::kKeyword : TokenKind::kIdentifier, at_, end);
  }

  std::string_view in_;
  size_t at_ = 0;
  std::vector<Token> out_;
  bool done_ = false, braces_ = false;
  bool bracket_ = false, bracket_has_value_ = false, bracket_has_colon_ = false;
  bool in_duration_ = false;  // in brackets, before the first number
  int parens_ = 0;
};

}  // namespace

bool Token::Is(std::string_view what) const {
  if (kind == TokenKind::kPunctuation) return text == what;
  return kind == TokenKind::kKeyword && Lower(text) == what;
}

namespace {

std::string_view FirstRunes(std::string_view text, size_t count) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
    if (begins && count-- == 0) break;
  }
  return text.substr(0, at);
}

}  // namespace

std::string Token::Describe() const {
  switch (kind) {
    case TokenKind::kEof:
      return "end of input";
    case TokenKind::kError:
      return text;
    case TokenKind::kIdentifier:
      return StrCat(text.find(':') == text.npos ? "identifier " : "metric identifier ", GoQuote(text));
    case TokenKind::kKeyword:
      for (const char* word : {"start", "end", "step", "range", "min_of", "max_of"}) {
        if (Is(word)) return GoQuote(text);
      }
      return StrCat("<", text, ">");
    case TokenKind::kOperator:
      return StrCat("<op:", Lower(text), ">");
    case TokenKind::kAggregator:
      return StrCat("<aggr:", text, ">");
    case TokenKind::kPunctuation:
      return text == "@" || text.size() == 2 ? StrCat("<op:", text, ">") : GoQuote(text);
    default:
      break;
  }
  const char* name = kind == TokenKind::kString   ? "string "
                     : kind == TokenKind::kNumber ? "number "
                                                  : "duration ";
  if (text.size() > 10) return StrCat(name, GoQuote(FirstRunes(text, 10)), "...");
  return StrCat(name, GoQuote(text));
}

std::vector<Token> Lex(std::string_view query) { return Lexer(query).Run(); }

bool ParseNumberLiteral(std::string_view text, double* out) {
  std::string clean;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      clean.push_back(text[i]);
      continue;
    }
    bool between =
        i > 0 && i + 1 < text.size() && text[i + 1] != '_' && text[i - 1] != '.' && text[i + 1] != '.';
    if (!between) return false;
  }
  std::string lower = Lower(clean);
  int base = lower.starts_with("0x") ? 16 : lower.starts_with("0b") ? 2 : lower.starts_with("0o") ? 8 : 10;
  bool octal =
      base == 10 && lower.size() > 1 && lower[0] == '0' && lower.find_first_not_of("01234567") == lower.npos;
  if (base != 10 || octal) {
    if (base == 16 && lower.find_first_of(".p") != lower.npos) {
      std::optional<double> value = ParseGoFloat(clean);
      if (value) *out = *value;
      return value.has_value();
    }
    std::string_view digits = std::string_view(lower).substr(octal ? 1 : 2);
    if (octal) base = 8;
    if (digits.empty()) return false;
    uint64_t value = 0;
    bool fits = true;  // in 64 bits with a sign
    for (char c : digits) {
      int digit = c >= 'a' ? c - 'a' + 10 : c - '0';
      if (digit < 0 || digit >= base) return false;
      constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
      fits = fits && value <= (kMost - static_cast<uint64_t>(digit)) / static_cast<uint64_t>(base);
      value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit);
    }
    if (fits) *out = static_cast<double>(value);
    if (fits || !octal) return fits;
    // The digits are decimal, as upstream reads them then.
  }
  std::optional<double> value = ParseGoFloat(clean);
  if (!value) return false;
  *out = std::isnan(*value) ? NormalNan() : *value;
  return true;
}

}  // namespace narthex::promql
