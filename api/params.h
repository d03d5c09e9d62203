// Request parameters to values, with Prometheus's error texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/call.h"
#include "model/matcher.h"

namespace narthex::api {

// The whole of time as Prometheus bounds it, in ms.
inline constexpr int64_t kMinTimeMs = -9'223'309'901'257'974'000;
inline constexpr int64_t kMaxTimeMs = 9'223'309'901'257'974'999;

// `invalid parameter "start": ...`, always bad_data.
absl::Status InvalidParameter(std::string_view name, std::string_view message);
absl::Status InvalidParameter(std::string_view name, const absl::Status& error);

// Seconds since the epoch as a float, or RFC 3339.
absl::StatusOr<int64_t> ParseTimeMs(std::string_view text);
// Seconds as a float, or a Prometheus duration. In nanoseconds: steps may be shorter than a millisecond in
// the check for the number of points.
absl::StatusOr<int64_t> ParseDurationNs(std::string_view text);
// A parameter that may be absent; the error is complete ("invalid parameter ...").
absl::StatusOr<int64_t> TimeParam(const Call& call, std::string_view name, int64_t default_ms);
// The parameter `limit`, 0 if absent.
absl::StatusOr<size_t> LimitParam(const Call& call);
// strconv.Atoi with its error texts.
absl::StatusOr<int64_t> ParseGoInt(std::string_view text, std::string_view function = "Atoi");
// strconv.ParseBool with its error texts.
absl::StatusOr<bool> ParseGoBool(std::string_view text);
// All of match[]; each must have a matcher that does not match the empty string.
absl::StatusOr<std::vector<Matchers>> MatchParams(const Call& call);
std::string_view MessageOf(const absl::Status& status);

}  // namespace narthex::api
