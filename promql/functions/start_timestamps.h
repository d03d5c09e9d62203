// What start timestamps say about resets. They run parallel to the points, or are absent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "promql/functions/call.h"

namespace narthex::promql {

// True if the counter began anew between two samples. 0 says nothing, nor does a start that is not before
// its own sample.
inline bool StartsAnew(int64_t previous_start, int64_t previous_t, int64_t start, int64_t t) {
  if (start == 0 || start >= t || start < previous_t) return false;
  if (start > previous_t) return true;
  // It names the sample before: a reset of delta series, but not of cumulative ones that do not know their
  // start.
  return previous_start != 0 && previous_start < previous_t;
}

template <typename Point>
bool StartsAnew(std::span<const Point> points, std::span<const int64_t> starts, size_t i) {
  return i < starts.size() && StartsAnew(starts[i - 1], points[i - 1].t, starts[i], points[i].t);
}

// When the first sample's counter began, if that was inside the range (which does not hold its own start).
inline std::optional<int64_t> StartInside(const Window& window, std::span<const int64_t> starts,
                                          int64_t first_ms) {
  if (starts.empty() || starts[0] == 0) return std::nullopt;
  if (starts[0] <= window.start_ms || starts[0] >= first_ms) return std::nullopt;
  return starts[0];
}

}  // namespace narthex::promql
