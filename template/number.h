// The numbers and characters that templates may name.
#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "template/value.h"

namespace narthex::tmpl {

// As Go takes a constant: int, float64, or uint64 if it is too large for an int. Errors in Go's words.
absl::StatusOr<Value> ParseNumber(std::string_view text);
// 'a', quotes included, as its number.
absl::StatusOr<Value> ParseCharacter(std::string_view quoted);

// strconv.ParseFloat: underscores may stand between digits.
std::optional<double> ParseFloat(std::string_view text);

}  // namespace narthex::tmpl
