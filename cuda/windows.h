// The window of a step over the times of a series, and what rate() knows of it before it sees a value.
#pragma once

#include "cuda/hd.h"
#include "promql/device.h"

namespace narthex::cuda {

struct StepWindow {
  uint32_t lo = 0, hi = 0;  // samples [lo, hi); equal: no result at this step
  double sampled = 0;       // seconds from the first to the last sample; irate: between the last two
  double to_start = 0, to_end = 0, factor = 0;  // as RateSteps in promql/kernels.h
};

NARTHEX_HD double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }

// The first of the ascending times that is later than `t`.
NARTHEX_HD uint32_t FirstAfter(const int64_t* times, uint32_t count, int64_t t) {
  uint32_t lo = 0, n = count;
  while (n > 0) {
    const uint32_t half = n / 2;
    if (times[lo + half] <= t) {
      lo += half + 1;
      n -= half + 1;
    } else {
      n = half;
    }
  }
  return lo;
}

// Where no sample is near the range's border, the series is taken to begin or end half an interval beyond its
// first or last sample.
NARTHEX_HD double Reach(double distance, double interval) {
  return distance >= interval * 1.1 ? interval / 2 : distance;
}

NARTHEX_HD bool IsExtrapolated(int32_t function) { return function <= promql::kDeviceDelta; }
NARTHEX_HD bool IsInstantRate(int32_t function) {
  return function == promql::kDeviceIrate || function == promql::kDeviceIdelta;
}

NARTHEX_HD StepWindow WindowOf(const promql::DevicePlan& plan, const int64_t* times, uint32_t count,
                               uint32_t step) {
  const int64_t end = plan.first_end_ms + plan.step_ms * static_cast<int64_t>(step);
  StepWindow w;
  w.hi = FirstAfter(times, count, end);
  w.lo = FirstAfter(times, w.hi, end - plan.range_ms);
  const uint32_t n = w.hi - w.lo;
  const bool rate = IsExtrapolated(plan.function), instant = IsInstantRate(plan.function);
  if ((rate || instant) && n < 2) w.lo = w.hi;
  if (w.lo == w.hi) return w;
  if (instant) w.sampled = Seconds(times[w.hi - 1] - times[w.hi - 2]);
  if (!rate) return w;
  const int64_t first = times[w.lo], last = times[w.hi - 1];
  w.sampled = Seconds(last - first);
  const double interval = w.sampled / static_cast<double>(n - 1);
  w.to_start = Reach(Seconds(first - (end - plan.range_ms)), interval);
  w.to_end = Reach(Seconds(end - last), interval);
  w.factor = (w.sampled + w.to_start + w.to_end) / w.sampled;
  if (plan.function == promql::kDeviceRate) w.factor /= Seconds(plan.range_ms);
  return w;
}

// How many samples a window can have at most.
inline uint32_t WidestWindow(const int64_t* times, uint32_t count, int64_t range_ms) {
  uint32_t widest = 0;
  for (uint32_t lo = 0, hi = 0; hi < count; ++hi) {
    while (times[hi] - times[lo] >= range_ms) ++lo;
    if (hi - lo + 1 > widest) widest = hi - lo + 1;
  }
  return widest;
}

}  // namespace narthex::cuda
