// Samples and the two special NaNs.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <memory>

namespace narthex {

struct FloatHistogram;

inline constexpr int64_t kNoTimestamp = std::numeric_limits<int64_t>::min();
inline constexpr uint64_t kStaleNanBits = 0x7ff0000000000002ULL;   // "this series ended"
inline constexpr uint64_t kNormalNanBits = 0x7ff8000000000001ULL;  // Go's NaN

inline bool IsStale(double v) { return std::bit_cast<uint64_t>(v) == kStaleNanBits; }
inline double StaleNan() { return std::bit_cast<double>(kStaleNanBits); }
inline double NormalNan() { return std::bit_cast<double>(kNormalNanBits); }

struct FloatPoint {
  int64_t t = 0;  // milliseconds since the Unix epoch
  double v = 0;
};

struct HistogramPoint {
  int64_t t = 0;
  std::shared_ptr<const FloatHistogram> h;
};

}  // namespace narthex
