// Notices when the wall clock steps (NTP, a board without a clock battery, suspend) and when it is behind.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace narthex::rules {

// Owned by the manager; not thread-safe.
class ClockWatch {
 public:
  explicit ClockWatch(const Clock* clock) : clock_(clock) {}

  // How far the wall clock has moved away from the monotonic one since the last call, if that is a step and
  // no drift; 0 otherwise.
  int64_t Observe();
  // The wall clock says less than it said before: what it says now is not to be trusted.
  bool behind() const { return wall_ms_ + kToleranceMs < mark_ms_; }

  // The highest time that the wall clock is known to have had. It follows a clock that runs off into the
  // future only slowly, so that a short spell there does not mark the true time as wrong.
  int64_t mark_ms() const { return mark_ms_; }
  void RestoreMark(int64_t mark_ms) { mark_ms_ = mark_ms; }

 private:
  static constexpr int64_t kToleranceMs = 2000;
  static constexpr int64_t kMaxAdvanceMs = 3600'000;

  const Clock* const clock_;
  bool started_ = false;
  int64_t wall_ms_ = 0, mono_ns_ = 0;
  int64_t mark_ms_ = INT64_MIN / 2;
};

}  // namespace narthex::rules
