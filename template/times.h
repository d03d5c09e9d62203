// Times and durations as Go prints them.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace narthex::tmpl {

// Times are seconds since the epoch; like Prometheus's timestamps they have milliseconds, the rest is cut
// off.
int64_t TimeMs(double seconds);
tm TimeDate(double seconds);  // in UTC
// time.Time.String() in UTC: "2015-06-23 13:19:44.128 +0000 UTC".
std::string TimeString(double seconds);
// time.Time.Format(layout) in UTC.
std::string TimeFormat(double seconds, std::string_view layout);
// time.Duration.String(): "1h30m0s", "1.5s", "100ms".
std::string DurationString(int64_t nanoseconds);

}  // namespace narthex::tmpl
