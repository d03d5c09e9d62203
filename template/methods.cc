// The methods of Go's time.Time and time.Duration that alerts use.
#include <algorithm>
#include <array>

#include "template/functions.h"
#include "template/times.h"

namespace narthex::tmpl {
namespace {

using Args = std::span<const Value>;
using Answer = absl::StatusOr<Value>;

template <int64_t kUnit>
Answer Whole(Args args, const FunctionContext&) {
  return Value::Int(args[0].integer / kUnit);
}
template <int64_t kUnit>
Answer Fraction(Args args, const FunctionContext&) {
  return Value::Float(static_cast<double>(args[0].integer) / static_cast<double>(kUnit));
}
Answer DurationText(Args args, const FunctionContext&) {
  return Value::String(DurationString(args[0].integer));
}

Answer Format(Args args, const FunctionContext&) {
  return Value::String(TimeFormat(args[0].number, args[1].text));
}
Answer TimeText(Args args, const FunctionContext&) { return Value::String(TimeString(args[0].number)); }
Answer Itself(Args args, const FunctionContext&) { return args[0]; }
// Milliseconds since the epoch, in another unit.
template <int64_t kNumber, int64_t kOf>
Answer Since(Args args, const FunctionContext&) {
  const int64_t scaled = TimeMs(args[0].number) * kNumber;
  return Value::Int(scaled / kOf - (scaled % kOf < 0 ? 1 : 0));
}
template <int tm::*kPart, int kOffset>
Answer Part(Args args, const FunctionContext&) {
  return Value::Int(TimeDate(args[0].number).*kPart + kOffset);
}
Answer Nanosecond(Args args, const FunctionContext&) {
  const int64_t ms = TimeMs(args[0].number) % 1000;
  return Value::Int((ms < 0 ? ms + 1000 : ms) * 1'000'000);
}
Answer Month(Args args, const FunctionContext&) {
  return Value::String(TimeFormat(args[0].number, "January"));
}
Answer Weekday(Args args, const FunctionContext&) {
  return Value::String(TimeFormat(args[0].number, "Monday"));
}
// Year 1.
Answer IsZero(Args args, const FunctionContext&) {
  return Value::Bool(TimeMs(args[0].number) == -62'135'596'800'000);
}

constexpr auto kOfTime = std::to_array<FunctionEntry>({
    {"Day", "", Part<&tm::tm_mday, 0>},
    {"Format", "s", Format},
    {"Hour", "", Part<&tm::tm_hour, 0>},
    {"IsZero", "", IsZero},
    {"Minute", "", Part<&tm::tm_min, 0>},
    {"Month", "", Month},
    {"Nanosecond", "", Nanosecond},
    {"Second", "", Part<&tm::tm_sec, 0>},
    {"String", "", TimeText},
    {"UTC", "", Itself},
    {"Unix", "", Since<1, 1000>},
    {"UnixMicro", "", Since<1000, 1>},
    {"UnixMilli", "", Since<1, 1>},
    {"UnixNano", "", Since<1'000'000, 1>},
    {"Weekday", "", Weekday},
    {"Year", "", Part<&tm::tm_year, 1900>},
    {"YearDay", "", Part<&tm::tm_yday, 1>},
});

constexpr auto kOfDuration = std::to_array<FunctionEntry>({
    {"Hours", "", Fraction<3'600'000'000'000>},
    {"Microseconds", "", Whole<1'000>},
    {"Milliseconds", "", Whole<1'000'000>},
    {"Minutes", "", Fraction<60'000'000'000>},
    {"Nanoseconds", "", Whole<1>},
    {"Seconds", "", Fraction<1'000'000'000>},
    {"String", "", DurationText},
});

}  // namespace

const FunctionEntry* FindMethod(Value::Kind kind, std::string_view name) {
  std::span<const FunctionEntry> methods;
  if (kind == Value::kTime) methods = kOfTime;
  if (kind == Value::kDuration) methods = kOfDuration;
  auto it =
      std::find_if(methods.begin(), methods.end(), [name](const FunctionEntry& e) { return e.name == name; });
  return it == methods.end() ? nullptr : &*it;
}

}  // namespace narthex::tmpl
