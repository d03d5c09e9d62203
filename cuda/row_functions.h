// The functions of a window: what promql/operators/row_functions.cc and promql/functions/ make of it.
#pragma once

#include "cuda/arithmetic.h"
#include "cuda/windows.h"

namespace narthex::cuda {

// The last values of a row, at their numbers modulo the ring's size, a power of two.
struct Ring {
  double* values = nullptr;
  uint32_t mask = 0;
  NARTHEX_HD double& operator[](uint32_t i) const { return values[i & mask]; }
};

// Below this, products lose so many bits that the quick test for the limit at zero would be wrong.
inline constexpr double kTiny = 1e-290;

// A counter cannot have been below zero: the way back to the range's start ends where it was zero.
NARTHEX_HD double Extrapolate(const StepWindow& w, double first, double change, bool counter,
                              double range_seconds) {
  if (!counter || !(change > 0) || !(first >= 0)) return change * w.factor;
  // Without a division: could the limit apply at all?
  if (!(w.sampled * first < w.to_start * change * 1.0001) && !(change < kTiny)) return change * w.factor;
  const double to_zero = w.sampled * (first / change);
  if (!(to_zero < w.to_start)) return change * w.factor;
  const double factor = (w.sampled + to_zero + w.to_end) / w.sampled;
  return change * (range_seconds > 0 ? factor / range_seconds : factor);
}

// rate, increase, delta. `last_drop`: no sample behind it in the ring is smaller than the one before.
NARTHEX_HD double RateOf(int32_t function, const Ring& v, const StepWindow& w, uint32_t last_drop,
                         double range_seconds) {
  const double first = v[w.lo];
  double change = v[w.hi - 1] - first;
  const bool counter = function != promql::kDeviceDelta;
  if (counter && last_drop > w.lo) {
    // What a counter had before it fell counts as well.
    double before = first;
    const uint32_t end = last_drop < w.hi ? last_drop + 1 : w.hi;
    for (uint32_t i = w.lo + 1; i < end; ++i) {
      const double now = v[i];
      if (now < before) change += before;
      before = now;
    }
  }
  return Extrapolate(w, first, change, counter, function == promql::kDeviceRate ? range_seconds : 0);
}

NARTHEX_HD double InstantRateOf(int32_t function, const Ring& v, const StepWindow& w) {
  const double last = v[w.hi - 1], before = v[w.hi - 2];
  if (function == promql::kDeviceIdelta) return last - before;
  return (last < before ? last : last - before) / w.sampled;
}

// One or two values of the window, or its size.
NARTHEX_HD double PickedValue(int32_t function, const Ring& v, const StepWindow& w, uint32_t last_drop,
                              double range_seconds) {
  switch (function) {
    case promql::kDeviceIrate:
    case promql::kDeviceIdelta:
      return InstantRateOf(function, v, w);
    case promql::kDeviceFirst:
      return v[w.lo];
    case promql::kDeviceLast:
      return v[w.hi - 1];
    case promql::kDeviceCount:
      return static_cast<double>(w.hi - w.lo);
    case promql::kDevicePresent:
      return 1;
    default:
      return RateOf(function, v, w, last_drop, range_seconds);
  }
}

// SumOf in promql/functions/statistics.h.
NARTHEX_HD double SumOfWindow(const Ring& v, const StepWindow& w) {
  double sum = 0, low = 0;
  for (uint32_t i = w.lo; i < w.hi; ++i) KahanAdd(v[i], &sum, &low);
  return IsInf(sum) ? sum : sum + low;
}

NARTHEX_HD double MeanOfWindow(const Ring& v, const StepWindow& w) {
  Accumulator mean;
  for (uint32_t i = w.lo; i < w.hi; ++i) AddToMean(v[i], &mean);
  return Final(promql::kDeviceGroupAvg, mean);
}

NARTHEX_HD double VarianceOfWindow(const Ring& v, const StepWindow& w) {
  double count = 0, mean = 0, mean_low = 0, squares = 0, squares_low = 0;
  for (uint32_t i = w.lo; i < w.hi; ++i) {
    ++count;
    const double value = v[i], delta = value - (mean + mean_low);
    KahanAdd(delta / count, &mean, &mean_low);
    KahanAdd(delta * (value - (mean + mean_low)), &squares, &squares_low);
  }
  return (squares + squares_low) / count;
}

NARTHEX_HD double BestOfWindow(const Ring& v, const StepWindow& w, bool max) {
  double best = v[w.lo];
  for (uint32_t i = w.lo; i < w.hi; ++i) {
    const double now = v[i];
    if ((max ? now > best : now < best) || IsNan(best)) best = now;
  }
  return best;
}

// resets, changes.
NARTHEX_HD double CountSteps(int32_t function, const Ring& v, const StepWindow& w) {
  double count = 0, before = v[w.lo];
  for (uint32_t i = w.lo + 1; i < w.hi; ++i) {
    const double now = v[i];
    const bool counts =
        function == promql::kDeviceResets ? now < before : now != before && !(IsNan(now) && IsNan(before));
    if (counts) ++count;
    before = now;
  }
  return count;
}

// The functions that look at every value.
NARTHEX_HD double ScannedValue(int32_t function, const Ring& v, const StepWindow& w) {
  switch (function) {
    case promql::kDeviceSum:
      return SumOfWindow(v, w);
    case promql::kDeviceAvg:
      return MeanOfWindow(v, w);
    case promql::kDeviceMin:
    case promql::kDeviceMax:
      return BestOfWindow(v, w, function == promql::kDeviceMax);
    case promql::kDeviceStddev:
      return Sqrt(VarianceOfWindow(v, w));
    case promql::kDeviceStdvar:
      return VarianceOfWindow(v, w);
    default:
      return CountSteps(function, v, w);
  }
}

}  // namespace narthex::cuda
