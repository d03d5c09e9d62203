#include "api/params.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/syntax/parser.h"

namespace narthex::api {

std::string Call::Param(std::string_view name) const {
  for (const auto& [key, value] : params_) {
    if (key == name) return value;
  }
  return "";
}

std::vector<std::string> Call::ParamAll(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : params_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::string_view MessageOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

absl::Status InvalidParameter(std::string_view name, std::string_view message) {
  return absl::InvalidArgumentError(StrCat("invalid parameter ", GoQuote(name), ": ", message));
}

absl::Status InvalidParameter(std::string_view name, const absl::Status& error) {
  return InvalidParameter(name, MessageOf(error));
}

absl::StatusOr<int64_t> ParseTimeMs(std::string_view text) {
  if (std::optional<double> seconds = ParseGoFloat(text); seconds && std::isfinite(*seconds)) {
    double whole = 0;
    double fraction = std::modf(*seconds, &whole);
    if (whole <= static_cast<double>(kMinTimeMs) / 1000) return kMinTimeMs;
    if (whole >= static_cast<double>(kMaxTimeMs) / 1000) return kMaxTimeMs;
    return static_cast<int64_t>(whole) * 1000 + std::llround(fraction * 1000);
  }
  if (std::optional<int64_t> ms = ParseRfc3339(text)) return *ms;
  // Prometheus's own bounds have years that RFC 3339 has not; clients send them back.
  if (text == "-292273086-05-16T16:47:06Z") return kMinTimeMs;
  if (text == "292277025-08-18T07:12:54.999999999Z") return kMaxTimeMs;
  return absl::InvalidArgumentError(StrCat("cannot parse ", GoQuote(text), " to a valid timestamp"));
}

absl::StatusOr<int64_t> ParseDurationNs(std::string_view text) {
  constexpr double kLimit = 9223372036854775807.0;
  if (std::optional<double> seconds = ParseGoFloat(text); seconds && !std::isnan(*seconds)) {
    double ns = *seconds * 1e9;
    if (ns >= kLimit || ns < -kLimit) {
      return absl::InvalidArgumentError(
          StrCat("cannot parse ", GoQuote(text), " to a valid duration. It overflows int64"));
    }
    return static_cast<int64_t>(ns);
  }
  absl::StatusOr<int64_t> ms = ParseDurationMs(text);
  if (ms.ok() && *ms <= std::numeric_limits<int64_t>::max() / 1'000'000) return *ms * 1'000'000;
  return absl::InvalidArgumentError(StrCat("cannot parse ", GoQuote(text), " to a valid duration"));
}

absl::StatusOr<int64_t> TimeParam(const Call& call, std::string_view name, int64_t default_ms) {
  std::string text = call.Param(name);
  if (text.empty()) return default_ms;
  absl::StatusOr<int64_t> ms = ParseTimeMs(text);
  if (ms.ok()) return *ms;
  return InvalidParameter(name, StrCat("invalid time value for '", name, "': ", MessageOf(ms.status())));
}

absl::StatusOr<int64_t> ParseGoInt(std::string_view text, std::string_view function) {
  int64_t value = 0;
  std::string_view digits = text.starts_with("+") ? text.substr(1) : text;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  bool sign_twice = text.starts_with("+") && digits.starts_with("-");
  if (error == std::errc::result_out_of_range) {
    return absl::InvalidArgumentError(
        StrCat("strconv.", function, ": parsing ", GoQuote(text), ": value out of range"));
  }
  if (error != std::errc() || end != digits.data() + digits.size() || sign_twice) {
    return absl::InvalidArgumentError(
        StrCat("strconv.", function, ": parsing ", GoQuote(text), ": invalid syntax"));
  }
  return value;
}

absl::StatusOr<bool> ParseGoBool(std::string_view text) {
  for (std::string_view word : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == word) return true;
  }
  for (std::string_view word : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == word) return false;
  }
  return absl::InvalidArgumentError(StrCat("strconv.ParseBool: parsing ", GoQuote(text), ": invalid syntax"));
}

absl::StatusOr<size_t> LimitParam(const Call& call) {
  std::string text = call.Param("limit");
  if (text.empty()) return size_t{0};
  absl::StatusOr<int64_t> limit = ParseGoInt(text);
  if (!limit.ok()) return InvalidParameter("limit", limit.status());
  if (*limit < 0) return InvalidParameter("limit", "limit must be non-negative");
  return static_cast<size_t>(*limit);
}

absl::StatusOr<std::vector<Matchers>> MatchParams(const Call& call) {
  std::vector<Matchers> sets;
  for (const std::string& text : call.ParamAll("match[]")) {
    ASSIGN_OR_RETURN(Matchers matchers, promql::ParseMetricSelector(text));
    sets.push_back(std::move(matchers));
  }
  for (const Matchers& matchers : sets) {
    bool selects = false;
    for (const Matcher& matcher : matchers) selects |= !matcher.MatchesEmpty();
    if (!selects) {
      return absl::InvalidArgumentError("match[] must contain at least one non-empty matcher");
    }
  }
  return sets;
}

}  // namespace narthex::api
