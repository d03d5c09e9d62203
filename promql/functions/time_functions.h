// The calendar functions, in UTC.
#pragma once

namespace narthex::promql {

// Each takes seconds since the Unix epoch; fractions are cut off.
double DayOfMonth(double seconds);
double DayOfWeek(double seconds);  // 0 is Sunday
double DayOfYear(double seconds);  // 1 is the first of January
double DaysInMonth(double seconds);
double Hour(double seconds);
double Minute(double seconds);
double Month(double seconds);
double Year(double seconds);

}  // namespace narthex::promql
