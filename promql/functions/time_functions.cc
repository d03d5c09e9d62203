#include "promql/functions/time_functions.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/time/civil_time.h"

namespace narthex::promql {

namespace {

absl::CivilSecond Civil(double seconds) {
  // Beyond these the calendar of the library ends; nothing sensible is asked for there.
  constexpr double kLimit = 1e15;
  int64_t whole = 0;
  if (std::isnan(seconds) || seconds < -kLimit) {
    whole = -static_cast<int64_t>(kLimit);
  } else {
    whole = static_cast<int64_t>(std::fmin(seconds, kLimit));
  }
  return absl::CivilSecond(1970, 1, 1) + whole;
}

}  // namespace

double DayOfMonth(double seconds) { return Civil(seconds).day(); }

double DayOfWeek(double seconds) {
  switch (absl::GetWeekday(Civil(seconds))) {
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

double DayOfYear(double seconds) { return absl::GetYearDay(absl::CivilDay(Civil(seconds))); }

double DaysInMonth(double seconds) {
  const absl::CivilMonth month(Civil(seconds));
  return static_cast<double>(absl::CivilDay(month + 1) - absl::CivilDay(month));
}

double Hour(double seconds) { return Civil(seconds).hour(); }

double Minute(double seconds) { return Civil(seconds).minute(); }

double Month(double seconds) { return Civil(seconds).month(); }

double Year(double seconds) { return static_cast<double>(Civil(seconds).year()); }

}  // namespace narthex::promql
