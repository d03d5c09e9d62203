#include "promql/operators/row_windows.h"

namespace narthex::promql {

void RowWindows::Set(std::span<const int64_t> t) {
  t_ = t;
  uint32_t lo = 0, hi = 0;
  const uint32_t n = static_cast<uint32_t>(t.size());
  for (size_t i = 0; i < lo_.size(); ++i) {
    const int64_t end = end_ms(i), start = end - range_ms_;
    while (hi < n && t[hi] <= end) ++hi;
    while (lo < hi && t[lo] <= start) ++lo;
    lo_[i] = lo;
    hi_[i] = hi;
  }
}

}  // namespace narthex::promql
