#include "template/number.h"

#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "base/go_format.h"
#include "base/strings.h"
#include "template/unicode.h"

namespace narthex::tmpl {
namespace {

absl::Status Error(std::string text) { return absl::InvalidArgumentError(text); }

// Underscores may stand between digits and behind the prefix of a base.
std::optional<std::string> WithoutUnderscores(std::string_view digits, bool prefixed) {
  std::string out;
  char before = prefixed ? '0' : '_';
  for (char c : digits) {
    if (c == '_' && before == '_') return std::nullopt;
    if (c != '_') out += c;
    before = c;
  }
  if (out.empty() || before == '_') return std::nullopt;
  return out;
}

// Without the sign.
std::optional<uint64_t> ParseWhole(std::string_view text) {
  int base = 10;
  bool prefixed = false;
  if (text.size() > 1 && text[0] == '0') {
    const char c = static_cast<char>(text[1] | 0x20);
    base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
    prefixed = true;
    text.remove_prefix(c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
  }
  const std::optional<std::string> digits = WithoutUnderscores(text, prefixed);
  if (!digits) return std::nullopt;
  uint64_t out = 0;
  const char* end = digits->data() + digits->size();
  const auto [stop, error] = std::from_chars(digits->data(), end, out, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return out;
}

}  // namespace

absl::StatusOr<Value> ParseNumber(std::string_view text) {
  const bool negative = text.starts_with("-"), is_signed = negative || text.starts_with("+");
  const std::string_view digits = text.substr(is_signed ? 1 : 0);
  const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
  const bool looks_float = text.find_first_of(hex ? ".pP" : ".eEpP") != text.npos;
  if (!looks_float) {
    if (const std::optional<uint64_t> whole = ParseWhole(digits)) {
      constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
      if (*whole <= kMax + (negative ? 1 : 0))
        return Value::Int(static_cast<int64_t>(negative ? 0 - *whole : *whole));
      if (!is_signed) return Value::Uint(*whole);
    }
  }
  const std::optional<double> number = ParseFloat(text);
  if (!number) return Error(StrCat("illegal number syntax: ", GoQuote(text)));
  if (text.find_first_of(".eEpP") == text.npos) return Error(StrCat("integer overflow: ", GoQuote(text)));
  return Value::Float(*number);
}

std::optional<double> ParseFloat(std::string_view text) {
  if (text.find('_') == text.npos) return ParseGoFloat(text);
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto is_digit = [&](size_t k) { return k < text.size() && text[k] >= '0' && text[k] <= '9'; };
    if (text[i] != '_') {
      plain += text[i];
    } else if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) {
      return std::nullopt;
    }
  }
  return ParseGoFloat(plain);
}

absl::StatusOr<Value> ParseCharacter(std::string_view quoted) {
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  if (inner.empty()) return Error("invalid syntax");
  if (inner[0] != '\\') {
    const Character c = FirstCharacter(inner);
    if (c.size == inner.size()) return Value::Int(c.code);
    return Error(StrCat("malformed character constant: ", quoted));
  }
  const std::optional<std::string> text = inner == "\\\"" ? std::nullopt : GoUnquote(quoted);
  if (!text || text->empty()) return Error("invalid syntax");
  // \xff and \377 are numbers, not UTF-8.
  if (text->size() == 1) return Value::Int(static_cast<unsigned char>((*text)[0]));
  const Character c = FirstCharacter(*text);
  if (c.size == text->size()) return Value::Int(c.code);
  return Error(StrCat("malformed character constant: ", quoted));
}

}  // namespace narthex::tmpl
