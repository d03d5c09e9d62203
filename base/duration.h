// Prometheus durations ("1h30m", "500ms", "0") to milliseconds and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace narthex {

// Error texts are Prometheus's: `not a valid duration string: "x"`, `empty duration string`,
// `duration out of range`. Units y w d h m s ms in that order, each at most once.
absl::StatusOr<int64_t> ParseDurationMs(std::string_view text);

// The shortest exact spelling, as model.Duration.String() gives it: 90000 -> "1m30s", 0 -> "0s".
std::string FormatDurationMs(int64_t ms);

// As Go prints a time.Duration: "2h0m0s", "1m1.5s", "250ms".
std::string GoDuration(int64_t ms);

}  // namespace narthex
