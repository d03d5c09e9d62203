#include "template/times.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "base/strings.h"

namespace narthex::tmpl {
namespace {

struct Parts {
  tm date{};
  int64_t nanoseconds = 0;
};

Parts Split(double seconds) {
  const int64_t ms = TimeMs(seconds);
  Parts out;
  time_t whole = static_cast<time_t>(ms / 1000 - (ms % 1000 < 0 ? 1 : 0));
  out.nanoseconds = (ms - static_cast<int64_t>(whole) * 1000) * 1'000'000;
  gmtime_r(&whole, &out.date);
  return out;
}

std::string Strftime(const tm& date, const char* format) {
  char buffer[64];
  return std::string(buffer, strftime(buffer, sizeof buffer, format, &date));
}

// Digits after the point, trailing zeros cut where `trim`.
std::string Fraction(int64_t nanoseconds, size_t digits, bool trim) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%09lld", static_cast<long long>(nanoseconds));
  std::string out = std::string(buffer).substr(0, digits);
  if (trim) {
    while (!out.empty() && out.back() == '0') out.pop_back();
  }
  return out.empty() ? out : "." + out;
}

struct LayoutPart {
  std::string_view layout;
  const char* format;
};
// Longer pieces first where one begins another.
constexpr auto kLayout = std::to_array<LayoutPart>({
    {"January", "%B"}, {"Jan", "%b"},        {"Monday", "%A"},   {"Mon", "%a"},   {"2006", "%Y"},
    {"MST", "UTC"},    {"-07:00", "+00:00"}, {"-0700", "+0000"}, {"Z07:00", "Z"}, {"01", "%m"},
    {"_2", "%e"},      {"002", "%j"},        {"02", "%d"},       {"03", "%I"},    {"04", "%M"},
    {"05", "%S"},      {"06", "%y"},         {"15", "%H"},       {"PM", "%p"},    {"pm", "%P"},
});

}  // namespace

int64_t TimeMs(double seconds) { return static_cast<int64_t>(seconds * 1e9) / 1'000'000; }

tm TimeDate(double seconds) { return Split(seconds).date; }

std::string TimeString(double seconds) {
  Parts parts = Split(seconds);
  return StrCat(Strftime(parts.date, "%Y-%m-%d %H:%M:%S"), Fraction(parts.nanoseconds, 9, true),
                " +0000 UTC");
}

std::string TimeFormat(double seconds, std::string_view layout) {
  Parts parts = Split(seconds);
  std::string out;
  while (!layout.empty()) {
    bool found = false;
    for (const LayoutPart& part : kLayout) {
      if (!layout.starts_with(part.layout)) continue;
      out += part.format[0] == '%' ? Strftime(parts.date, part.format) : part.format;
      layout.remove_prefix(part.layout.size());
      found = true;
      break;
    }
    if (found) continue;
    size_t digits = layout.find_first_not_of(layout[1 < layout.size() ? 1 : 0], 1);
    digits = (digits == layout.npos ? layout.size() : digits) - 1;
    bool fraction =
        (layout[0] == '.' || layout[0] == ',') && layout.size() > 1 && (layout[1] == '0' || layout[1] == '9');
    if (fraction) {
      out += Fraction(parts.nanoseconds, digits, layout[1] == '9');
      layout.remove_prefix(digits + 1);
    } else if (layout[0] == '2') {
      out += std::to_string(parts.date.tm_mday);
      layout.remove_prefix(1);
    } else if (layout[0] == '1') {
      out += std::to_string(parts.date.tm_mon + 1);
      layout.remove_prefix(1);
    } else if (layout[0] == '4') {
      out += std::to_string(parts.date.tm_min);
      layout.remove_prefix(1);
    } else if (layout[0] == '5') {
      out += std::to_string(parts.date.tm_sec);
      layout.remove_prefix(1);
    } else if (layout[0] == '3') {
      out += std::to_string((parts.date.tm_hour + 11) % 12 + 1);
      layout.remove_prefix(1);
    } else {
      out += layout[0];
      layout.remove_prefix(1);
    }
  }
  return out;
}

std::string DurationString(int64_t ns) {
  if (ns == 0) return "0s";
  std::string sign = ns < 0 ? "-" : "";
  uint64_t u = ns < 0 ? 0 - static_cast<uint64_t>(ns) : static_cast<uint64_t>(ns);
  auto with_fraction = [&](uint64_t unit, size_t digits, const char* name) {
    std::string fraction = StrCat(u % unit);
    fraction.insert(0, digits - fraction.size(), '0');
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
    return StrCat(sign, u / unit, fraction.empty() ? "" : ".", fraction, name);
  };
  if (u < 1'000) return StrCat(sign, u, "ns");
  if (u < 1'000'000) return with_fraction(1'000, 3, "µs");
  if (u < 1'000'000'000) return with_fraction(1'000'000, 6, "ms");
  uint64_t minutes = u / 60'000'000'000ULL;
  std::string head = sign;
  if (minutes >= 60) StrAppend(&head, minutes / 60, "h");
  if (minutes > 0) StrAppend(&head, minutes % 60, "m");
  sign = head;
  u %= 60'000'000'000ULL;
  return with_fraction(1'000'000'000, 9, "s");
}

}  // namespace narthex::tmpl
