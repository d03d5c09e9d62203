// Text exactly as Go's strconv and time packages write it: users compare it byte by byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace narthex {

// strconv.FormatFloat(value, 'f', -1, 64); NaN, +Inf, -Inf as words. This is how sample values travel in
// JSON.
std::string FormatFloatF(double value);
void AppendFloatF(std::string* out, double value);
// strconv.FormatFloat(value, 'g', -1, 64), which is fmt's %v: an exponent below 1e-4 and from 1e6 on (1e+06).
std::string FormatFloatG(double value);
// strconv.FormatFloat(value, 'e'|'f'|'g', precision, 64); precision -1 is the shortest exact form.
std::string FormatFloat(double value, char verb, int precision);
// strconv.ParseFloat: decimal, hex floats, inf/infinity/nan in any case, underscores never. nullopt if
// malformed.
std::optional<double> ParseGoFloat(std::string_view text);
// strconv.Quote: a double-quoted Go string; invalid UTF-8 as \x escapes.
std::string GoQuote(std::string_view text);
// strconv.Unquote for "..." , '...' (as PromQL uses it: any length) and `...`. nullopt if malformed.
std::optional<std::string> GoUnquote(std::string_view quoted);
// time.RFC3339Nano in UTC from milliseconds, e.g. "2015-07-01T20:10:51.781Z" (trailing zeros dropped).
std::string FormatRfc3339(int64_t ms);
// RFC 3339 text to milliseconds; nullopt if malformed.
std::optional<int64_t> ParseRfc3339(std::string_view text);
bool IsValidUtf8(std::string_view text);

}  // namespace narthex
