#include "base/duration.h"

#include <iterator>
#include <limits>

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex {
namespace {

struct Unit {
  std::string_view name;
  int64_t ms;
};

// From large to small, as a duration must list them.
constexpr Unit kUnits[] = {{"y", 365LL * 24 * 3600 * 1000},
                           {"w", 7LL * 24 * 3600 * 1000},
                           {"d", 24LL * 3600 * 1000},
                           {"h", 3600LL * 1000},
                           {"m", 60LL * 1000},
                           {"s", 1000},
                           {"ms", 1}};

absl::Status NotValid(std::string_view text) {
  return absl::InvalidArgumentError(StrCat("not a valid duration string: ", GoQuote(text)));
}

// Index of the unit of that name, -1 if there is none.
int UnitOf(std::string_view name) {
  for (int i = 0; i < static_cast<int>(std::size(kUnits)); ++i) {
    if (kUnits[i].name == name) return i;
  }
  return -1;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

absl::StatusOr<int64_t> ParseDurationMs(std::string_view text) {
  if (text == "0") return 0;
  if (text.empty()) return absl::InvalidArgumentError("empty duration string");
  // Go keeps nanoseconds in an int64; its range is the range of a duration.
  constexpr int64_t kMaxMs = std::numeric_limits<int64_t>::max() / 1'000'000;
  int64_t total = 0;
  int last = -1;
  std::string_view rest = text;
  while (!rest.empty()) {
    size_t digits = 0, end = 0;
    while (digits < rest.size() && IsDigit(rest[digits])) ++digits;
    end = digits;
    while (end < rest.size() && !IsDigit(rest[end])) ++end;
    if (digits == 0 || digits > 19 || end == digits) return NotValid(text);
    std::string_view name = rest.substr(digits, end - digits);
    int unit = UnitOf(name);
    if (unit < 0) {
      return absl::InvalidArgumentError(
          StrCat("unknown unit ", GoQuote(name), " in duration ", GoQuote(text)));
    }
    if (unit <= last) return NotValid(text);  // from the largest to the smallest
    if (digits > 15) return absl::InvalidArgumentError("duration out of range");
    int64_t number = 0;
    for (char c : rest.substr(0, digits)) number = number * 10 + (c - '0');
    if (number > (kMaxMs - total) / kUnits[unit].ms)
      return absl::InvalidArgumentError("duration out of range");
    total += number * kUnits[unit].ms;
    last = unit;
    rest.remove_prefix(end);
  }
  return total;
}

std::string FormatDurationMs(int64_t ms) {
  if (ms == 0) return "0s";
  std::string out;
  uint64_t rest = ms < 0 ? uint64_t(0) - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  if (ms < 0) out = "-";
  // Years and weeks only when they are exact: "4w" but "29d".
  for (const Unit& unit : kUnits) {
    bool exact_only = unit.name == "y" || unit.name == "w";
    uint64_t size = static_cast<uint64_t>(unit.ms);
    if (exact_only && rest % size != 0) continue;
    if (uint64_t n = rest / size; n > 0) {
      StrAppend(&out, n, unit.name);
      rest -= n * size;
    }
  }
  return out;
}

std::string GoDuration(int64_t ms) {
  const bool negative = ms < 0;
  const uint64_t left = negative ? 0 - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  if (left == 0) return "0s";
  std::string out = negative ? "-" : "";
  if (left < 1000) return StrCat(out, left, "ms");
  const uint64_t hours = left / 3600'000, minutes = left / 60'000 % 60;
  if (hours > 0) StrAppend(&out, hours, "h");
  if (hours > 0 || minutes > 0) StrAppend(&out, minutes, "m");
  StrAppend(&out, FormatFloatF(static_cast<double>(left % 60'000) / 1000), "s");
  return out;
}

}  // namespace narthex
