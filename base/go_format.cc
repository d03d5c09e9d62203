#include "base/go_format.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/decimal_text.h"
#include "base/strings.h"

namespace narthex {
namespace {

const char* SpecialName(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return nullptr;
}

std::string ToChars(double value, std::chars_format format, int precision) {
  char buffer[1100];
  std::to_chars_result result = precision < 0
                                    ? std::to_chars(buffer, buffer + sizeof buffer, value, format)
                                    : std::to_chars(buffer, buffer + sizeof buffer, value, format, precision);
  return std::string(buffer, result.ptr);
}

int DecimalExponent(double value) {
  if (value == 0) return 0;
  std::string text = ToChars(value, std::chars_format::scientific, -1);
  return std::atoi(text.c_str() + text.find('e') + 1);
}

void AppendHexByte(std::string* out, unsigned char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->append("\\x");
  out->push_back(kHex[c >> 4]);
  out->push_back(kHex[c & 15]);
}

// Length of the valid UTF-8 sequence at text[i], 0 if invalid; the code point in *rune.
size_t DecodeRune(std::string_view text, size_t i, uint32_t* rune) {
  auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
  unsigned char c = byte(i);
  size_t length = c < 0x80                ? 1
                  : c >= 0xc2 && c < 0xe0 ? 2
                  : c >= 0xe0 && c < 0xf0 ? 3
                  : c >= 0xf0 && c < 0xf5 ? 4
                                          : 0;
  if (length == 0 || i + length > text.size()) return 0;
  uint32_t r = length == 1 ? c : c & (0xff >> (length + 1));
  for (size_t k = 1; k < length; ++k) {
    if ((byte(i + k) & 0xc0) != 0x80) return 0;
    r = r << 6 | (byte(i + k) & 0x3f);
  }
  if ((length == 3 && (r < 0x800 || (r >= 0xd800 && r < 0xe000))) ||
      (length == 4 && (r < 0x10000 || r > 0x10ffff))) {
    return 0;
  }
  *rune = r;
  return length;
}

void AppendRune(std::string* out, uint32_t r) {
  if (r < 0x80) {
    out->push_back(static_cast<char>(r));
  } else if (r < 0x800) {
    out->push_back(static_cast<char>(0xc0 | r >> 6));
    out->push_back(static_cast<char>(0x80 | (r & 0x3f)));
  } else if (r < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | r >> 12));
    out->push_back(static_cast<char>(0x80 | (r >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (r & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xf0 | r >> 18));
    out->push_back(static_cast<char>(0x80 | (r >> 12 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (r >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (r & 0x3f)));
  }
}

// Digits of an escape: `count` of them in `base`; nullopt if malformed.
std::optional<uint32_t> EscapeDigits(std::string_view body, size_t at, size_t count, int base) {
  if (at + count > body.size()) return std::nullopt;
  uint32_t value = 0;
  auto [end, error] = std::from_chars(body.data() + at, body.data() + at + count, value, base);
  if (error != std::errc() || end != body.data() + at + count) return std::nullopt;
  return value;
}

// Appends the escape at body[i] (after the backslash); returns the bytes used, 0 if malformed.
size_t AppendEscape(std::string_view body, size_t i, char quote, std::string* out) {
  static constexpr std::string_view kNames = "abfnrtv\\", kValues = "\a\b\f\n\r\t\v\\";
  char c = body[i];
  if (size_t k = kNames.find(c); k != kNames.npos) {
    out->push_back(kValues[k]);
    return 1;
  }
  if (c == quote) {
    out->push_back(c);
    return 1;
  }
  std::optional<uint32_t> value;
  size_t count = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (count > 0) {
    value = EscapeDigits(body, i + 1, count, 16);
    if (!value) return 0;
    if (c == 'x') {
      out->push_back(static_cast<char>(*value));
    } else {
      if (*value > 0x10ffff || (*value >= 0xd800 && *value < 0xe000)) return 0;
      AppendRune(out, *value);
    }
    return count + 1;
  }
  value = EscapeDigits(body, i, 3, 8);
  if (!value || *value > 255) return 0;
  out->push_back(static_cast<char>(*value));
  return 3;
}

// Runes that Go does not print as they are: spaces but ' ', format and private use characters.
bool IsUnprintable(uint32_t r) {
  static constexpr uint32_t kRanges[][2] = {
      {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},
      {0x6dd, 0x6dd},   {0x70f, 0x70f},   {0x1680, 0x1680},   {0x180e, 0x180e},   {0x2000, 0x200f},
      {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000},   {0xe000, 0xf8ff},   {0xfeff, 0xfeff},
      {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff}};
  for (const auto& range : kRanges) {
    if (r <= range[1]) return r >= range[0];
  }
  return false;
}

int64_t DaysFromCivil(int64_t y, int m, int d) {
  y -= m <= 2;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t yoe = y - era * 400;
  int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

}  // namespace

void AppendFloatF(std::string* out, double value) {
  if (const char* name = SpecialName(value)) {
    out->append(name);
    return;
  }
  char buffer[400];
  if (const char* end = PutFloat(value, buffer); end != nullptr) {
    out->append(buffer, static_cast<size_t>(end - buffer));
    return;
  }
  // Above 2^53 to_chars writes all digits of the exact value; Go writes the shortest ones and fills with
  // zeros.
  bool large = std::fabs(value) >= 9007199254740992.0;
  std::to_chars_result result =
      std::to_chars(buffer, buffer + sizeof buffer, value,
                    large ? std::chars_format::scientific : std::chars_format::fixed);
  std::string_view text(buffer, static_cast<size_t>(result.ptr - buffer));
  if (!large) {
    out->append(text);
    return;
  }
  size_t e = text.find('e');
  size_t exponent = 0;
  std::from_chars(text.data() + e + 2, text.data() + text.size(), exponent);
  size_t digits = 0;
  for (char c : text.substr(0, e)) {
    if (c == '.') continue;
    out->push_back(c);
    digits += c == '-' ? 0 : 1;
  }
  out->append(exponent + 1 - digits, '0');
}

std::string FormatFloatF(double value) {
  std::string out;
  AppendFloatF(&out, value);
  return out;
}

std::string FormatFloatG(double value) { return FormatFloat(value, 'g', -1); }

std::string FormatFloat(double value, char verb, int precision) {
  if (const char* name = SpecialName(value)) return name;
  if (verb == 'f' && precision < 0) return FormatFloatF(value);
  if (verb == 'f') return ToChars(value, std::chars_format::fixed, precision);
  if (verb == 'e') return ToChars(value, std::chars_format::scientific, precision);
  if (precision < 0) {
    int exponent = DecimalExponent(value);
    bool scientific = exponent < -4 || exponent >= 6;
    return ToChars(value, scientific ? std::chars_format::scientific : std::chars_format::fixed, -1);
  }
  return ToChars(value, std::chars_format::general, precision == 0 ? 1 : precision);
}

std::optional<double> ParseGoFloat(std::string_view text) {
  bool negative = text.starts_with("-");
  std::string_view body = text;
  if (!body.empty() && (body[0] == '+' || body[0] == '-')) body.remove_prefix(1);
  if (body.empty() || body[0] == '+' || body[0] == '-') return std::nullopt;
  std::string lower;
  for (char c : body) lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  double value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = HUGE_VAL;
  } else if (lower == "nan") {
    if (body.size() != text.size()) return std::nullopt;
    return std::nan("");
  } else {
    bool hex = lower.starts_with("0x");
    if (lower[0] == 'i' || lower[0] == 'n') return std::nullopt;
    if (hex &&
        (lower.size() < 3 || !(std::isxdigit(static_cast<unsigned char>(lower[2])) || lower[2] == '.')))
      return std::nullopt;
    const char* begin = lower.data() + (hex ? 2 : 0);
    const char* end = lower.data() + lower.size();
    auto [stop, error] =
        std::from_chars(begin, end, value, hex ? std::chars_format::hex : std::chars_format::general);
    if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
    if (hex && lower.find('p') == lower.npos) return std::nullopt;
    if (error == std::errc::result_out_of_range) {
      value = std::strtod(lower.c_str(), nullptr);
      if (std::isinf(value)) return std::nullopt;  // Go: value out of range
    }
  }
  return negative ? -value : value;
}

std::string GoQuote(std::string_view text) {
  static constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\\"", kNames = "abfnrtv\\\"";
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    if (size_t k = kValues.find(text[i]); k != kValues.npos) {
      out += {'\\', kNames[k]};
      ++i;
      continue;
    }
    uint32_t rune = 0;
    size_t length = DecodeRune(text, i, &rune);
    if (length == 0 || rune < 0x20 || rune == 0x7f) {
      AppendHexByte(&out, static_cast<unsigned char>(text[i++]));
      continue;
    }
    if (IsUnprintable(rune)) {
      char buffer[16];
      std::snprintf(buffer, sizeof buffer, rune > 0xffff ? "\\U%08x" : "\\u%04x", rune);
      out += buffer;
    } else {
      out.append(text.substr(i, length));
    }
    i += length;
  }
  return out + "\"";
}

std::optional<std::string> GoUnquote(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.front() != quoted.back()) return std::nullopt;
  char quote = quoted.front();
  std::string_view body = quoted.substr(1, quoted.size() - 2);
  if (quote == '`') {
    if (body.find('`') != body.npos) return std::nullopt;
    return std::string(body);
  }
  if (quote != '"' && quote != '\'') return std::nullopt;
  std::string out;
  for (size_t i = 0; i < body.size();) {
    if (body[i] == quote || body[i] == '\n') return std::nullopt;
    if (body[i] != '\\') {
      out.push_back(body[i++]);
      continue;
    }
    if (i + 1 >= body.size()) return std::nullopt;
    size_t used = AppendEscape(body, i + 1, quote, &out);
    if (used == 0) return std::nullopt;
    i += 1 + used;
  }
  return out;
}

std::string FormatRfc3339(int64_t ms) {
  int64_t days = ms / 86'400'000 - (ms % 86'400'000 < 0);
  int64_t rest = ms - days * 86'400'000;
  int64_t z = days + 719468;
  int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  int64_t doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  int day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  int64_t year = yoe + era * 400 + (month <= 2);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04lld-%02d-%02dT%02d:%02d:%02d", static_cast<long long>(year), month,
                day, static_cast<int>(rest / 3'600'000), static_cast<int>(rest / 60'000 % 60),
                static_cast<int>(rest / 1000 % 60));
  std::string out = buffer;
  if (int fraction = static_cast<int>(rest % 1000); fraction != 0) {
    std::snprintf(buffer, sizeof buffer, ".%03d", fraction);
    out += buffer;
    while (out.back() == '0') out.pop_back();
  }
  return out + "Z";
}

std::optional<int64_t> ParseRfc3339(std::string_view text) {
  // Digits where the form has 0, else the same character.
  auto fits = [](std::string_view part, std::string_view form) {
    if (part.size() != form.size()) return false;
    for (size_t i = 0; i < form.size(); ++i) {
      bool digit = part[i] >= '0' && part[i] <= '9';
      if (form[i] == '0' ? !digit : part[i] != form[i]) return false;
    }
    return true;
  };
  auto number = [](std::string_view digits) {
    int n = 0;
    for (char c : digits) n = n * 10 + (c - '0');
    return n;
  };
  if (!fits(text.substr(0, 19), "0000-00-00T00:00:00")) return std::nullopt;
  int y = number(text.substr(0, 4)), mo = number(text.substr(5, 2)), d = number(text.substr(8, 2));
  int h = number(text.substr(11, 2)), mi = number(text.substr(14, 2)), s = number(text.substr(17, 2));
  if (mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || s > 59) return std::nullopt;
  int64_t days = DaysFromCivil(y, mo, d);
  if (days >= DaysFromCivil(mo == 12 ? y + 1 : y, mo == 12 ? 1 : mo + 1, 1)) return std::nullopt;
  std::string_view rest = text.substr(19);
  int64_t ms = 0;
  if (rest.starts_with(".") || rest.starts_with(",")) {
    size_t end = 1;
    int scale = 100;
    for (; end < rest.size() && rest[end] >= '0' && rest[end] <= '9'; ++end) {
      ms += (rest[end] - '0') * scale;
      scale /= 10;
    }
    if (end == 1) return std::nullopt;
    rest.remove_prefix(end);
  }
  int64_t zone = 0;
  if (rest != "Z") {
    if (!fits(rest, "+00:00") && !fits(rest, "-00:00")) return std::nullopt;
    int zh = number(rest.substr(1, 2)), zm = number(rest.substr(4, 2));
    if (zh > 24 || zm > 59) return std::nullopt;
    zone = (rest[0] == '-' ? -1 : 1) * (zh * 60 + zm) * 60'000;
  }
  return ((days * 24 + h) * 60 + mi) * 60'000 + s * 1000 + ms - zone;
}

bool IsValidUtf8(std::string_view text) {
  uint32_t rune;
  for (size_t i = 0; i < text.size();) {
    uint64_t eight;
    if (i + 8 <= text.size() &&
        (std::memcpy(&eight, text.data() + i, 8), (eight & 0x8080808080808080) == 0)) {
      i += 8;  // ASCII, as nearly everything
      continue;
    }
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    size_t length = DecodeRune(text, i, &rune);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

}  // namespace narthex
