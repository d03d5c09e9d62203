// fmt.Sprintf and fmt.Sprint over template values.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

#include "base/go_format.h"
#include "base/strings.h"
#include "template/functions.h"
#include "template/unicode.h"

namespace narthex::tmpl {
namespace {

constexpr int kMaxWidth = 10'000;
constexpr size_t kMaxText = 4 << 20;  // longer than any result may be

struct Spec {
  bool minus = false, plus = false, sharp = false, zero = false, space = false;
  int width = -1, precision = -1;
  char verb = 'v';
};

std::string Padded(std::string text, const Spec& spec, bool numeric) {
  size_t width = spec.width > 0 ? static_cast<size_t>(spec.width) : 0;
  const size_t length = CountCharacters(text);
  if (length >= width) return text;
  size_t missing = width - length;
  if (spec.minus) return text.append(missing, ' ');
  if (spec.zero && numeric) {
    size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    return text.insert(sign, missing, '0');
  }
  return text.insert(0, missing, ' ');
}

std::string Bad(const Spec& spec, const Value& value) {
  return StrCat("%!", std::string(1, spec.verb), "(", TypeName(value), "=", PrintText(value), ")");
}

// A number as a character: itself, quoted, or U+0041.
std::string CharacterText(uint64_t code, const Spec& spec) {
  std::string text;
  AppendCharacter(code > 0x10FFFF ? 0xFFFD : static_cast<char32_t>(code), &text);
  if (spec.verb == 'c') return text;
  if (spec.verb == 'U') {
    char number[32];
    std::snprintf(number, sizeof number, "U+%04llX", static_cast<unsigned long long>(code));
    return spec.sharp ? StrCat(number, " '", text, "'") : number;
  }
  std::string quoted = text == "\"" ? "\"" : GoQuote(text);
  if (quoted.size() > 1) quoted = quoted.substr(1, quoted.size() - 2);
  return StrCat("'", text == "'" ? "\\'" : quoted, "'");
}

std::string Integer(const Value& value, const Spec& spec) {
  bool negative = value.kind != Value::kUint && value.integer < 0;
  uint64_t u = value.kind == Value::kUint ? value.unsigned_integer
               : negative                 ? 0 - static_cast<uint64_t>(value.integer)
                                          : static_cast<uint64_t>(value.integer);
  if (spec.verb == 'c' || spec.verb == 'q' || spec.verb == 'U') return CharacterText(u, spec);
  unsigned base = spec.verb == 'x' || spec.verb == 'X'   ? 16
                  : spec.verb == 'o' || spec.verb == 'O' ? 8
                  : spec.verb == 'b'                     ? 2
                                                         : 10;
  const std::string_view alphabet = spec.verb == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string digits;
  do {
    digits += alphabet[u % base];
    u /= base;
  } while (u != 0);
  std::reverse(digits.begin(), digits.end());
  while (spec.precision > 0 && digits.size() < static_cast<size_t>(spec.precision)) digits.insert(0, 1, '0');
  if (spec.sharp && base == 16) digits.insert(0, spec.verb == 'X' ? "0X" : "0x");
  if (spec.sharp && base == 2) digits.insert(0, "0b");
  if (spec.sharp && spec.verb == 'o' && digits[0] != '0') digits.insert(0, "0");
  if (spec.verb == 'O') digits.insert(0, "0o");
  std::string sign = negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  return sign + digits;
}

// Go writes two digits of the exponent at least: 0x1.8p+01.
std::string HexFloat(double v, const Spec& spec) {
  if (!std::isfinite(v)) return FormatFloat(v, 'g', -1);
  char text[64];
  if (spec.precision < 0) {
    std::snprintf(text, sizeof text, "%a", v);
  } else {
    std::snprintf(text, sizeof text, "%.*a", std::min(spec.precision, 20), v);
  }
  std::string out = text;
  const size_t digits = out.find('p') + 2;
  if (out.size() - digits < 2) out.insert(digits, 1, '0');
  if (spec.plus && v >= 0) out.insert(0, 1, '+');
  if (spec.verb == 'X')
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::toupper(c); });
  return out;
}

// The mantissa as a whole number and the power of two, as strconv's 'b': 1 is 4503599627370496p-52.
std::string BinaryFloat(double v, const Spec& spec) {
  if (!std::isfinite(v)) return FormatFloat(v, 'g', -1);
  constexpr int kMantissaBits = 52, kBias = 1023;
  const uint64_t bits = std::bit_cast<uint64_t>(v);
  uint64_t mantissa = bits & ((uint64_t{1} << kMantissaBits) - 1);
  int exponent = static_cast<int>(bits >> kMantissaBits & 0x7ff);
  if (exponent == 0) {
    exponent = 1;
  } else {
    mantissa |= uint64_t{1} << kMantissaBits;
  }
  exponent -= kBias + kMantissaBits;
  const std::string_view sign = std::signbit(v) ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  return StrCat(sign, mantissa, "p", exponent < 0 ? "" : "+", exponent);
}

std::string Float(double v, const Spec& spec) {
  if (spec.verb == 'b') return BinaryFloat(v, spec);
  if (spec.verb == 'x' || spec.verb == 'X') return HexFloat(v, spec);
  char verb = spec.verb == 'v' ? 'g' : spec.verb == 'F' ? 'f' : spec.verb;
  bool upper = verb == 'E' || verb == 'G';
  if (upper) verb = static_cast<char>(verb - 'A' + 'a');
  int precision = spec.precision;
  if (precision < 0 && verb != 'g') precision = 6;
  std::string out = FormatFloat(v, verb, precision);
  if (upper)
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::toupper(c); });
  // Go gives infinities their sign only if it is asked for.
  if (out.starts_with("+") && !spec.plus) return out;
  if ((spec.plus || spec.space) && !out.starts_with("-") && !out.starts_with("+"))
    out.insert(0, 1, spec.plus ? '+' : ' ');
  return out;
}

std::string Hex(std::string_view text, const Spec& spec) {
  const bool upper = spec.verb == 'X';
  const std::string_view prefix = !spec.sharp ? "" : upper ? "0X" : "0x";
  std::string out;
  char byte[4];
  for (char c : text) {
    std::snprintf(byte, sizeof byte, upper ? "%02X" : "%02x", static_cast<unsigned char>(c));
    if (out.empty() || spec.space) StrAppend(&out, out.empty() ? "" : " ", prefix);
    out += byte;
  }
  return out;
}

std::string Text(const Value& value, const Spec& spec) {
  std::string text = PrintText(value);
  if (spec.precision >= 0) {
    const size_t count = static_cast<size_t>(spec.precision);
    const bool bytes = spec.verb == 'x' || spec.verb == 'X';
    text = bytes ? text.substr(0, count) : std::string(FirstCharacters(text, count));
  }
  const bool quoted = spec.verb == 'q' || (spec.verb == 'v' && spec.sharp);
  if (quoted && spec.verb == 'q' && spec.sharp && text.find_first_of("`\n\r") == text.npos)
    return StrCat("`", text, "`");
  if (quoted) return GoQuote(text);
  if (spec.verb == 'x' || spec.verb == 'X') return Hex(text, spec);
  return text;
}

std::string One(const Value& value, const Spec& spec);

// The verb applies to each element of a list.
std::string Each(const Value& value, const Spec& spec) {
  std::string out = "[";
  for (const Value& item : *value.list) {
    if (out.size() > kMaxText) break;
    StrAppend(&out, out.size() == 1 ? "" : " ", One(item, spec));
  }
  return out + "]";
}

std::string One(const Value& value, const Spec& spec) {
  constexpr std::string_view kIntegers = "dxXobcvqUO", kFloats = "beEfFgGvxX", kTexts = "svqxX";
  auto is = [&](std::string_view verbs) { return verbs.find(spec.verb) != verbs.npos; };
  if (spec.verb == 'T') return Padded(TypeName(value), spec, false);
  if (value.kind == Value::kNil)
    return spec.verb == 'v' ? "<nil>" : StrCat("%!", std::string(1, spec.verb), "(<nil>)");
  bool integer = value.kind == Value::kInt || value.kind == Value::kUint ||
                 (value.kind == Value::kDuration && spec.verb == 'd');
  if (integer) return is(kIntegers) ? Padded(Integer(value, spec), spec, true) : Bad(spec, value);
  if (value.kind == Value::kFloat)
    return is(kFloats) ? Padded(Float(value.number, spec), spec, true) : Bad(spec, value);
  if (value.kind == Value::kBool)
    return spec.verb == 'v' || spec.verb == 't' ? Padded(PrintText(value), spec, false) : Bad(spec, value);
  if (value.list && spec.verb != 'v') return Each(value, spec);
  return is(kTexts) ? Padded(Text(value, spec), spec, false) : Bad(spec, value);
}

// Reads flags, width, precision and verb behind a '%'.
class SpecReader {
 public:
  SpecReader(std::string_view format, size_t* at, std::span<const Value> args, size_t* next)
      : format_(format), at_(at), args_(args), next_(next) {}
  Spec Read() {
    Spec spec;
    for (;; ++*at_) {
      char c = Peek();
      if (c == '-')
        spec.minus = true;
      else if (c == '+')
        spec.plus = true;
      else if (c == '#')
        spec.sharp = true;
      else if (c == '0')
        spec.zero = true;
      else if (c == ' ')
        spec.space = true;
      else
        break;
    }
    spec.width = Number(-1);
    if (Peek() == '.') {
      ++*at_;
      spec.precision = Number(0);
    }
    const Character verb = *at_ < format_.size() ? FirstCharacter(format_.substr(*at_)) : Character{0, 1};
    spec.verb = verb.code < 0x80 ? static_cast<char>(verb.code) : '?';
    *at_ += verb.size;
    return spec;
  }

 private:
  char Peek() const { return *at_ < format_.size() ? format_[*at_] : '\0'; }
  int Number(int missing) {
    if (Peek() == '*') {
      ++*at_;
      if (*next_ >= args_.size()) return missing;
      const Value& v = args_[(*next_)++];
      return v.kind == Value::kInt ? static_cast<int>(std::clamp<int64_t>(v.integer, 0, kMaxWidth)) : missing;
    }
    if (Peek() < '0' || Peek() > '9') return missing;
    int n = 0;
    for (; Peek() >= '0' && Peek() <= '9'; ++*at_) n = std::min(kMaxWidth, n * 10 + (Peek() - '0'));
    return n;
  }
  std::string_view format_;
  size_t* at_;
  std::span<const Value> args_;
  size_t* next_;
};

}  // namespace

std::string Sprintf(std::span<const Value> args) {
  if (args.empty()) return "";
  std::string format = PrintText(args[0]), out;
  args = args.subspan(1);
  size_t next = 0;
  for (size_t at = 0; at < format.size();) {
    if (out.size() > kMaxText) break;
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    ++at;
    Spec spec = SpecReader(format, &at, args, &next).Read();
    if (spec.verb == '%') {
      out += '%';
    } else if (spec.verb == '\0') {
      out += "%!(NOVERB)";
    } else if (next >= args.size()) {
      StrAppend(&out, "%!", std::string(1, spec.verb), "(MISSING)");
    } else {
      out += One(args[next++], spec);
    }
  }
  if (next < args.size()) {
    StrAppend(&out, "%!(EXTRA ");
    for (size_t i = next; i < args.size(); ++i) {
      StrAppend(&out, i > next ? ", " : "", TypeName(args[i]), "=", PrintText(args[i]));
    }
    out += ")";
  }
  return out;
}

std::string Sprint(std::span<const Value> args) {
  std::string out;
  for (size_t i = 0; i < args.size(); ++i) {
    bool space = i > 0 && args[i].kind != Value::kString && args[i - 1].kind != Value::kString;
    StrAppend(&out, space ? " " : "", args[i].kind == Value::kNil ? "<nil>" : PrintText(args[i]));
  }
  return out;
}

}  // namespace narthex::tmpl
