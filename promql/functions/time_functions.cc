#include "promql/functions/time_functions.h"

#include <cstdint>

#include "absl/time/civil_time.h"

namespace narthex::promql {

namespace {

// A time in the Gregorian calendar, which repeats itself every 400 years.
struct Civil {
  absl::CivilSecond of_cycle;  // the years 1 to 400
  int64_t years_before = 0;

  // What is no number or beyond 64 bits is the smallest of them, as in Go on amd64, and times are counted
  // modulo 2^64 from year -292277022399 on (Go's package time).
  explicit Civil(double seconds) {
    constexpr double kEnd = 0x1p63;
    const int64_t whole = seconds >= -kEnd && seconds < kEnd ? static_cast<int64_t>(seconds) : INT64_MIN;
    constexpr uint64_t kCycleSeconds = 146'097ull * 86'400;
    constexpr uint64_t kFirstYearToEpoch = 9'223'371'966'579'724'800ull + 62'135'596'800ull;
    const uint64_t since = static_cast<uint64_t>(whole) + kFirstYearToEpoch;
    of_cycle = absl::CivilSecond(1, 1, 1) + static_cast<int64_t>(since % kCycleSeconds);
    years_before = static_cast<int64_t>(since / kCycleSeconds) * 400 - 292'277'022'400;
  }
};

}  // namespace

double DayOfMonth(double seconds) { return Civil(seconds).of_cycle.day(); }

double DayOfWeek(double seconds) {
  switch (absl::GetWeekday(Civil(seconds).of_cycle)) {
    case absl::Weekday::monday:
      return 1;
    case absl::Weekday::tuesday:
      return 2;
    case absl::Weekday::wednesday:
      return 3;
    case absl::Weekday::thursday:
      return 4;
    case absl::Weekday::friday:
      return 5;
    case absl::Weekday::saturday:
      return 6;
    case absl::Weekday::sunday:
      return 0;
  }
  return 0;
}

double DayOfYear(double seconds) { return absl::GetYearDay(absl::CivilDay(Civil(seconds).of_cycle)); }

double DaysInMonth(double seconds) {
  const absl::CivilMonth month(Civil(seconds).of_cycle);
  return static_cast<double>(absl::CivilDay(month + 1) - absl::CivilDay(month));
}

double Hour(double seconds) { return Civil(seconds).of_cycle.hour(); }

double Minute(double seconds) { return Civil(seconds).of_cycle.minute(); }

double Month(double seconds) { return Civil(seconds).of_cycle.month(); }

double Year(double seconds) {
  const Civil civil(seconds);
  return static_cast<double>(civil.of_cycle.year() + civil.years_before);
}

}  // namespace narthex::promql
