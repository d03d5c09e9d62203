// The windows of all steps over the times of one row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "promql/operator.h"
#include "promql/operators/selectors.h"

namespace narthex::promql {

// Rows of one scrape target share their times, and with them all of this. Owned by one operator.
class RowWindows {
 public:
  RowWindows(Steps steps, TimeShift shift, int64_t range_ms)
      : steps_(steps), shift_(shift), range_ms_(range_ms), lo_(Count()), hi_(Count()) {}

  void Set(std::span<const int64_t> t);

  size_t steps() const { return lo_.size(); }
  std::span<const int64_t> times() const { return t_; }
  // Values [lo, hi) of the row are in the window (start, end] of step i.
  uint32_t lo(size_t i) const { return lo_[i]; }
  uint32_t hi(size_t i) const { return hi_[i]; }
  int64_t end_ms(size_t i) const { return shift_.Reference(steps_.Time(static_cast<int>(i))); }
  int64_t range_ms() const { return range_ms_; }

 private:
  size_t Count() const { return static_cast<size_t>(steps_.count); }

  const Steps steps_;
  const TimeShift shift_;
  const int64_t range_ms_;
  std::span<const int64_t> t_;
  std::vector<uint32_t> lo_, hi_;
};

}  // namespace narthex::promql
