// fmt.Sprintf and fmt.Sprint over template values.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/go_format.h"
#include "base/strings.h"
#include "template/functions.h"

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
  if (text.size() >= width) return text;
  size_t missing = width - text.size();
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

std::string Integer(const Value& value, const Spec& spec) {
  bool negative = value.kind != Value::kUint && value.integer < 0;
  uint64_t u = value.kind == Value::kUint ? value.unsigned_integer
               : negative                 ? 0 - static_cast<uint64_t>(value.integer)
                                          : static_cast<uint64_t>(value.integer);
  if (spec.verb == 'c') return std::string(1, static_cast<char>(u));
  unsigned base = spec.verb == 'x' || spec.verb == 'X' ? 16
                  : spec.verb == 'o'                   ? 8
                  : spec.verb == 'b'                   ? 2
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
  std::string sign = negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  return sign + digits;
}

std::string Float(double v, const Spec& spec) {
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
  if (spec.plus && !out.starts_with("-") && !out.starts_with("+")) out.insert(0, 1, '+');
  return out;
}

std::string Hex(std::string_view text, bool upper) {
  std::string out;
  char byte[4];
  for (char c : text) {
    std::snprintf(byte, sizeof byte, upper ? "%02X" : "%02x", static_cast<unsigned char>(c));
    out += byte;
  }
  return out;
}

std::string Text(const Value& value, const Spec& spec) {
  std::string text = PrintText(value);
  if (spec.precision >= 0) text = text.substr(0, static_cast<size_t>(spec.precision));
  if (spec.verb == 'q') return GoQuote(text);
  if (spec.verb == 'x' || spec.verb == 'X') return Hex(text, spec.verb == 'X');
  return text;
}

std::string One(const Value& value, const Spec& spec) {
  constexpr std::string_view kIntegers = "dxXobcv", kFloats = "eEfFgGv", kTexts = "svqxX";
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
    spec.verb = Peek();
    ++*at_;
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
