// fmt.Sprintf and fmt.Sprint over template values.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <utility>

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
  bool go_syntax = false, names = false;  // %#v, %+v
  int width = -1, precision = -1;
  char verb = 'v';
  std::string utf8_verb;  // one that is not ASCII
};

std::string Padded(std::string text, const Spec& spec, bool numeric) {
  size_t width = spec.width > 0 ? static_cast<size_t>(spec.width) : 0;
  const size_t length = CountCharacters(text);
  if (length >= width) return text;
  size_t missing = width - length;
  if (spec.minus) return text.append(missing, ' ');
  if (!spec.zero) return text.insert(0, missing, ' ');
  size_t sign = numeric && !text.empty() && (text[0] == '-' || text[0] == '+' || text[0] == ' ') ? 1 : 0;
  return text.insert(sign, missing, '0');
}

std::string One(const Value& value, const Spec& spec, int depth);

// The verb does not fit: the value follows as %v prints it, with the other flags.
std::string Bad(const Spec& spec, const Value& value) {
  Spec plain = spec;
  plain.verb = 'v';
  plain.utf8_verb.clear();
  const std::string text = spec.utf8_verb.empty() ? std::string(1, spec.verb) : spec.utf8_verb;
  if (value.kind == Value::kNil) return StrCat("%!", text, "(<nil>)");
  return StrCat("%!", text, "(", TypeName(value), "=", One(value, plain, 0), ")");
}

// strconv.QuoteToASCII.
std::string AsciiQuote(std::string_view text) {
  const std::string quoted = GoQuote(text);
  std::string out;
  for (std::string_view rest = quoted; !rest.empty();) {
    const Character c = FirstCharacter(rest);
    if (c.code < 0x80) {
      out += rest[0];
    } else {
      char escape[16];
      std::snprintf(escape, sizeof escape, c.code > 0xFFFF ? "\\U%08x" : "\\u%04x",
                    static_cast<unsigned>(c.code));
      out += escape;
    }
    rest.remove_prefix(c.size);
  }
  return out;
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
  std::string quoted = text == "\"" ? "\"" : spec.plus ? AsciiQuote(text) : GoQuote(text);
  if (quoted.size() > 1) quoted = quoted.substr(1, quoted.size() - 2);
  return StrCat("'", text == "'" ? "\\'" : quoted, "'");
}

// Padded: with zeros, unless a precision says how many digits there are.
std::string Integer(const Value& value, Spec spec) {
  bool negative = value.kind != Value::kUint && value.integer < 0;
  if (spec.verb == 'c' && negative) return Padded("\uFFFD", spec, false);
  uint64_t u = value.kind == Value::kUint ? value.unsigned_integer
               : negative                 ? 0 - static_cast<uint64_t>(value.integer)
                                          : static_cast<uint64_t>(value.integer);
  if (spec.verb == 'c' || spec.verb == 'q' || spec.verb == 'U')
    return Padded(CharacterText(u, spec), spec, false);
  if (spec.precision == 0 && u == 0) return std::string(static_cast<size_t>(std::max(spec.width, 0)), ' ');
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
  std::string sign = negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  if (spec.precision < 0 && spec.zero && !spec.minus && spec.width > 0)
    spec.precision = spec.width - static_cast<int>(sign.size());
  while (spec.precision > 0 && digits.size() < static_cast<size_t>(spec.precision)) digits.insert(0, 1, '0');
  if (spec.sharp && base == 16) digits.insert(0, spec.verb == 'X' ? "0X" : "0x");
  if (spec.sharp && base == 2) digits.insert(0, "0b");
  if (spec.sharp && spec.verb == 'o' && digits[0] != '0') digits.insert(0, "0");
  if (spec.verb == 'O') digits.insert(0, "0o");
  spec.zero = false;
  return Padded(sign + digits, spec, true);
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
  const bool quoted = spec.verb == 'q' || spec.go_syntax;
  if (quoted && spec.verb == 'q' && spec.sharp && text.find_first_of("`\n\r") == text.npos)
    return StrCat("`", text, "`");
  if (quoted) return spec.plus ? AsciiQuote(text) : GoQuote(text);
  if (spec.verb == 'x' || spec.verb == 'X') return Hex(text, spec);
  return text;
}

// What holds other values: the verb applies to each of them.
std::string Each(const Value& value, const Spec& spec, int depth) {
  const bool go_syntax = spec.go_syntax;
  const bool is_map = value.kind == Value::kMap || value.kind == Value::kLabels;
  const bool names = !is_map && !value.list && (go_syntax || spec.names);
  const std::string_view separator = go_syntax ? ", " : " ";
  const bool braces = go_syntax || (!is_map && !value.list);
  std::string out = go_syntax ? TypeName(value) : value.kind == Value::kSample && depth == 0 ? "&" : "";
  if (is_map && !go_syntax) out += "map";
  out += braces ? "{" : "[";
  bool first = true;
  const auto separate = [&] {
    if (!first) out += separator;
    first = false;
  };
  if (value.list) {
    for (const Value& item : *value.list) {
      if (out.size() > kMaxText) break;
      separate();
      out += One(item, spec, depth + 1);
    }
  } else {
    for (const auto& [key, item] : Fields(value)) {
      if (out.size() > kMaxText) break;
      separate();
      if (is_map) StrAppend(&out, One(Value::String(std::string(key)), spec, depth + 1), ":");
      if (names) StrAppend(&out, key, ":");
      out += One(*item, spec, depth + 1);
    }
  }
  return out + (braces ? "}" : "]");
}

std::string One(const Value& value, const Spec& spec, int depth) {
  constexpr std::string_view kIntegers = "dxXobcvqUO", kFloats = "beEfFgGvxX", kTexts = "svqxX";
  auto is = [&](std::string_view verbs) {
    return spec.utf8_verb.empty() && verbs.find(spec.verb) != verbs.npos;
  };
  if (is("T")) return Padded(TypeName(value), spec, false);
  if (value.kind == Value::kNil)
    return is("v") ? Padded(spec.go_syntax && depth > 0 ? "interface {}(nil)" : "<nil>", spec, false)
                   : Bad(spec, value);
  bool integer = value.kind == Value::kInt || value.kind == Value::kUint ||
                 (value.kind == Value::kDuration && spec.verb == 'd');
  if (integer) return is(kIntegers) ? Integer(value, spec) : Bad(spec, value);
  if (value.kind == Value::kFloat)
    return is(kFloats) ? Padded(Float(value.number, spec), spec, true) : Bad(spec, value);
  if (value.kind == Value::kBool) return is("vt") ? Padded(PrintText(value), spec, false) : Bad(spec, value);
  if (value.list || value.map) return is("p") ? Bad(spec, value) : Each(value, spec, depth);
  return is(kTexts) ? Padded(Text(value, spec), spec, false) : Bad(spec, value);
}

// One format with its arguments, as fmt's doPrintf goes through it.
class Formatter {
 public:
  Formatter(std::string_view format, std::span<const Value> args) : format_(format), args_(args) {}

  std::string Run() {
    while (at_ < format_.size() && out_.size() <= kMaxText) {
      const size_t percent = std::min(format_.find('%', at_), format_.size());
      out_.append(format_.substr(at_, percent - at_));
      at_ = percent;
      if (at_ == format_.size()) break;
      ++at_;
      Verb();
    }
    if (!reordered_ && next_ < args_.size()) Extra();
    return std::move(out_);
  }

 private:
  char Peek() const { return at_ < format_.size() ? format_[at_] : '\0'; }

  void Verb() {
    Spec spec;
    good_index_ = true;
    after_index_ = false;
    ReadFlags(&spec);
    ReadIndex();
    const bool width_given = Peek() >= '0' && Peek() <= '9';
    if (Peek() == '*') {
      ReadWidth(&spec);
    } else {
      spec.width = Number(-1);
      if (after_index_ && width_given) good_index_ = false;
    }
    if (Peek() == '.') ReadPrecision(&spec);
    if (!after_index_) ReadIndex();
    if (at_ >= format_.size()) {
      out_ += "%!(NOVERB)";
      return;
    }
    const Character verb = FirstCharacter(format_.substr(at_));
    spec.verb = format_[at_];
    if (verb.code >= 0x80) spec.utf8_verb = std::string(format_.substr(at_, verb.size));
    at_ += verb.size;
    const std::string_view text = format_.substr(at_ - verb.size, verb.size);
    if (spec.verb == 'v') {
      spec.go_syntax = std::exchange(spec.sharp, false);
      spec.names = std::exchange(spec.plus, false);
    }
    if (spec.verb == '%') {
      out_ += '%';
    } else if (!good_index_) {
      StrAppend(&out_, "%!", text, "(BADINDEX)");
    } else if (next_ >= args_.size()) {
      StrAppend(&out_, "%!", text, "(MISSING)");
    } else {
      out_ += One(args_[next_++], spec, 0);
    }
  }

  void ReadFlags(Spec* spec) {
    for (;; ++at_) {
      switch (Peek()) {
        case '-':
          spec->minus = true;
          break;
        case '+':
          spec->plus = true;
          break;
        case '#':
          spec->sharp = true;
          break;
        case '0':
          spec->zero = true;
          break;
        case ' ':
          spec->space = true;
          break;
        default:
          return;
      }
    }
  }

  void ReadWidth(Spec* spec) {
    ++at_;
    const std::optional<int> width = IntArgument();
    if (!width) out_ += "%!(BADWIDTH)";
    spec->width = std::abs(width.value_or(-1));
    if (!width) spec->width = -1;
    if (width && *width < 0) {
      spec->minus = true;
      spec->zero = false;
    }
    after_index_ = false;
  }

  void ReadPrecision(Spec* spec) {
    ++at_;
    if (after_index_) good_index_ = false;
    ReadIndex();
    if (Peek() != '*') {
      spec->precision = Number(0);
      return;
    }
    ++at_;
    const std::optional<int> precision = IntArgument();
    if (!precision || *precision < 0) out_ += "%!(BADPREC)";
    spec->precision = std::max(precision.value_or(-1), -1);
    after_index_ = false;
  }

  // [n]: the argument that is next.
  void ReadIndex() {
    if (Peek() != '[') return;
    reordered_ = true;
    const size_t close = format_.find(']', at_);
    if (close == format_.npos) {
      ++at_;
      good_index_ = false;
      return;
    }
    const std::string_view digits = format_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    size_t n = 0;
    const bool number =
        !digits.empty() && digits.size() < 6 && digits.find_first_not_of("0123456789") == digits.npos;
    for (char c : number ? digits : std::string_view()) n = n * 10 + static_cast<size_t>(c - '0');
    after_index_ = number;
    if (n >= 1 && n <= args_.size()) {
      next_ = n - 1;
    } else {
      good_index_ = false;
    }
  }

  // The argument of a '*'; nullopt: it is missing or no integer.
  std::optional<int> IntArgument() {
    if (next_ >= args_.size()) return std::nullopt;
    const Value& v = args_[next_++];
    if (v.kind != Value::kInt || v.integer > 1'000'000 || v.integer < -1'000'000) return std::nullopt;
    return static_cast<int>(std::clamp<int64_t>(v.integer, -kMaxWidth, kMaxWidth));
  }

  int Number(int missing) {
    if (Peek() < '0' || Peek() > '9') return missing;
    int n = 0;
    for (; Peek() >= '0' && Peek() <= '9'; ++at_) n = std::min(kMaxWidth, n * 10 + (Peek() - '0'));
    return n;
  }

  void Extra() {
    out_ += "%!(EXTRA ";
    for (size_t i = next_; i < args_.size(); ++i) {
      const Value& v = args_[i];
      StrAppend(&out_, i > next_ ? ", " : "");
      StrAppend(&out_, v.kind == Value::kNil ? "" : StrCat(TypeName(v), "="), One(v, Spec(), 0));
    }
    out_ += ")";
  }

  const std::string_view format_;
  const std::span<const Value> args_;
  size_t at_ = 0, next_ = 0;
  bool good_index_ = true, after_index_ = false, reordered_ = false;
  std::string out_;
};

}  // namespace

std::string Sprintf(std::span<const Value> args) {
  return args.empty() ? "" : Formatter(args[0].text, args.subspan(1)).Run();
}

std::string Sprint(std::span<const Value> args) {
  std::string out;
  for (size_t i = 0; i < args.size(); ++i) {
    bool space = i > 0 && args[i].kind != Value::kString && args[i - 1].kind != Value::kString;
    StrAppend(&out, space ? " " : "", One(args[i], Spec(), 0));
  }
  return out;
}

}  // namespace narthex::tmpl
