// Numbers and times in a form for people.
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "template/functions.h"
#include "template/number.h"
#include "template/times.h"

namespace narthex::tmpl {
namespace {

// A number, but one beyond the range.
bool IsTooLarge(const std::string& text) {
  if (text.find_first_not_of("0123456789.eE+-") != text.npos) return false;
  char* end = nullptr;
  return std::isinf(std::strtod(text.c_str(), &end)) && *end == '\0';
}

}  // namespace

absl::StatusOr<double> ToFloat(const Value& value) {
  switch (value.kind) {
    case Value::kFloat:
      return value.number;
    case Value::kInt:
      return static_cast<double>(value.integer);
    case Value::kUint:
      return static_cast<double>(value.unsigned_integer);
    case Value::kDuration:
      return static_cast<double>(value.integer) / 1e9;
    case Value::kString: {
      std::optional<double> number = ParseFloat(value.text);
      if (number) return *number;
      return absl::InvalidArgumentError(
          StrCat("strconv.ParseFloat: parsing ", GoQuote(value.text), ": ",
                 IsTooLarge(value.text) ? "value out of range" : "invalid syntax"));
    }
    default:
      return absl::InvalidArgumentError(StrCat("can't convert ", TypeName(value), " to float"));
  }
}

namespace {

using Args = std::span<const Value>;
using Answer = absl::StatusOr<Value>;

std::string Short(double v) { return FormatFloat(v, 'g', 4); }
bool IsSpecial(double v) { return std::isnan(v) || std::isinf(v); }

constexpr std::array kSmall = {"m", "u", "n", "p", "f", "a", "z", "y"};

std::string Small(double v, std::string_view unit) {
  std::string_view prefix;
  for (const char* p : kSmall) {
    if (std::fabs(v) >= 1) break;
    prefix = p;
    v *= 1000;
  }
  return StrCat(Short(v), prefix, unit);
}

Answer Humanize(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(double v, ToFloat(args[0]));
  if (v == 0 || IsSpecial(v)) return Value::String(Short(v));
  if (std::fabs(v) < 1) return Value::String(Small(v, ""));
  std::string_view prefix;
  for (const char* p : {"k", "M", "G", "T", "P", "E", "Z", "Y"}) {
    if (std::fabs(v) < 1000) break;
    prefix = p;
    v /= 1000;
  }
  return Value::String(StrCat(Short(v), prefix));
}

Answer Humanize1024(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(double v, ToFloat(args[0]));
  if (std::fabs(v) <= 1 || IsSpecial(v)) return Value::String(Short(v));
  std::string_view prefix;
  for (const char* p : {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"}) {
    if (std::fabs(v) < 1024) break;
    prefix = p;
    v /= 1024;
  }
  return Value::String(StrCat(Short(v), prefix));
}

Answer HumanizeDuration(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(double v, ToFloat(args[0]));
  if (IsSpecial(v)) return Value::String(Short(v));
  if (v == 0) return Value::String("0s");
  if (std::fabs(v) < 1) return Value::String(Small(v, "s"));
  double magnitude = std::fabs(v);
  int64_t total = magnitude < 9e18 ? static_cast<int64_t>(magnitude) : std::numeric_limits<int64_t>::max();
  int64_t seconds = total % 60, minutes = total / 60 % 60, hours = total / 3600 % 24, days = total / 86400;
  std::string sign = v < 0 ? "-" : "";
  if (days != 0) return Value::String(StrCat(sign, days, "d ", hours, "h ", minutes, "m ", seconds, "s"));
  if (hours != 0) return Value::String(StrCat(sign, hours, "h ", minutes, "m ", seconds, "s"));
  if (minutes != 0) return Value::String(StrCat(sign, minutes, "m ", seconds, "s"));
  return Value::String(StrCat(Short(v), "s"));
}

Answer HumanizePercentage(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(double v, ToFloat(args[0]));
  return Value::String(StrCat(Short(v * 100), "%"));
}

absl::Status CheckTime(double seconds) {
  if (std::fabs(seconds) * 1e9 < 9223372036854775807.0) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(
      FormatFloatG(seconds), " cannot be represented as a nanoseconds timestamp since it overflows int64"));
}

Answer HumanizeTimestamp(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(double v, ToFloat(args[0]));
  if (IsSpecial(v)) return Value::String(Short(v));
  RETURN_IF_ERROR(CheckTime(v));
  return Value::String(TimeString(v));
}

Answer ToTime(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(double v, ToFloat(args[0]));
  if (IsSpecial(v)) return absl::InvalidArgumentError("value is NaN or Inf");
  RETURN_IF_ERROR(CheckTime(v));
  Value out;
  out.kind = Value::kTime;
  out.number = v;
  return out;
}

Answer ToDuration(Args args, const FunctionContext&) {
  ASSIGN_OR_RETURN(double v, ToFloat(args[0]));
  if (std::isnan(v) || std::fabs(v) * 1e9 >= 9223372036854775807.0) {
    return absl::InvalidArgumentError(StrCat(FormatFloatG(v), " is out of range of a duration"));
  }
  Value out;
  out.kind = Value::kDuration;
  out.integer = static_cast<int64_t>(std::llround(v * 1e9));
  return out;
}

Answer Now(Args, const FunctionContext& context) {
  return Value::Float(static_cast<double>(context.options->now_ms) / 1000);
}

Answer ParseDuration(Args args, const FunctionContext&) {
  std::string_view text = args[0].text;
  bool negative = text.starts_with("-");
  ASSIGN_OR_RETURN(int64_t ms, ParseDurationMs(negative ? text.substr(1) : text));
  return Value::Float(static_cast<double>(negative ? -ms : ms) / 1000);
}

constexpr auto kHumanize = std::to_array<FunctionEntry>({
    {"humanize", "a", Humanize},
    {"humanize1024", "a", Humanize1024},
    {"humanizeDuration", "a", HumanizeDuration},
    {"humanizePercentage", "a", HumanizePercentage},
    {"humanizeTimestamp", "a", HumanizeTimestamp},
    {"now", "", Now},
    {"parseDuration", "s", ParseDuration},
    {"toDuration", "a", ToDuration},
    {"toTime", "a", ToTime},
});

}  // namespace

std::span<const FunctionEntry> HumanizeFunctions() { return kHumanize; }

}  // namespace narthex::tmpl
