#include "rules/clock_watch.h"

#include <algorithm>
#include <cstdlib>

namespace narthex::rules {

int64_t ClockWatch::Observe() {
  const int64_t wall = clock_->NowMs(), mono = clock_->MonotonicNs();
  const int64_t passed = (mono - mono_ns_) / 1'000'000;
  const int64_t step = started_ ? wall - wall_ms_ - passed : 0;
  // The first time ever is taken as it is.
  const bool first = !started_ && mark_ms_ < 0;
  const int64_t reach = first ? wall : mark_ms_ + 4 * (started_ ? passed : 0) + kMaxAdvanceMs;
  if (wall > mark_ms_) mark_ms_ = std::min(wall, reach);
  started_ = true;
  wall_ms_ = wall;
  mono_ns_ = mono;
  return std::abs(step) > kToleranceMs ? step : 0;
}

}  // namespace narthex::rules
