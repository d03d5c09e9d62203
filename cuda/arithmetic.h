// The accumulators of sums, means and spreads, one number at a time.
#pragma once

#include "cuda/hd.h"
#include "promql/device.h"

namespace narthex::cuda {

// KahanAdd of model/kahan_sum.h.
NARTHEX_HD void KahanAdd(double v, double* sum, double* low) {
  const double total = *sum + v;
  if (IsInf(total)) {
    *low = 0;
  } else if (Abs(*sum) >= Abs(v)) {
    *low += (*sum - total) + v;
  } else {
    *low += (v - total) + *sum;
  }
  *sum = total;
}

// One group at one step, as promql/operators/aggregate.cc keeps it.
struct Accumulator {
  double value = 0, low = 0, count = 0;
  uint8_t any = 0;
  uint8_t running = 0;  // avg: the sum would have overflowed, `value` is the mean
};

NARTHEX_HD Accumulator NewAccumulator(int32_t kind) {
  Accumulator a;
  if (kind == promql::kDeviceGroupMin || kind == promql::kDeviceGroupMax) a.value = Nan();
  return a;
}

// The sum as long as it stays finite, then the running mean.
NARTHEX_HD void AddToMean(double v, Accumulator* a) {
  if (++a->count == 1) {
    a->value = v;
    return;
  }
  if (!a->running) {
    double sum = a->value, low = a->low;
    KahanAdd(v, &sum, &low);
    if (!IsInf(sum)) {
      a->value = sum;
      a->low = low;
      return;
    }
    a->running = 1;
    a->value /= a->count - 1;
    a->low /= a->count - 1;
  }
  const double keep = (a->count - 1) / a->count;
  a->low *= keep;
  double mean = keep * a->value;
  KahanAdd(v / a->count, &mean, &a->low);
  a->value = mean;
}

NARTHEX_HD void Add(int32_t kind, double v, Accumulator* a) {
  a->any = 1;
  switch (kind) {
    case promql::kDeviceGroupSum:
      return KahanAdd(v, &a->value, &a->low);
    case promql::kDeviceGroupAvg:
      return AddToMean(v, a);
    case promql::kDeviceGroupMin:
      if (v < a->value || IsNan(a->value)) a->value = v;
      return;
    case promql::kDeviceGroupMax:
      if (v > a->value || IsNan(a->value)) a->value = v;
      return;
    case promql::kDeviceGroupStddev:
    case promql::kDeviceGroupStdvar: {
      const double delta = v - a->low;  // here `low` is the mean
      a->low += delta / ++a->count;
      a->value += delta * (v - a->low);
      return;
    }
    default:
      ++a->count;
  }
}

NARTHEX_HD double Final(int32_t kind, const Accumulator& a) {
  switch (kind) {
    case promql::kDeviceGroupSum:
      return a.value + a.low;
    case promql::kDeviceGroupAvg:
      return a.running ? a.value + a.low : a.value / a.count + a.low / a.count;
    case promql::kDeviceGroupCount:
      return a.count;
    case promql::kDeviceGroupAny:
      return 1;
    case promql::kDeviceGroupStddev:
      return Sqrt(a.value / a.count);
    case promql::kDeviceGroupStdvar:
      return a.value / a.count;
    default:
      return a.value;
  }
}

// Whether series a goes before series b among the best: NaN ranks last both ways, equal values keep the order
// of the series.
NARTHEX_HD bool RanksBefore(bool top, double x, uint32_t a, double y, uint32_t b) {
  if (IsNan(x) || IsNan(y)) return IsNan(x) && IsNan(y) ? a < b : IsNan(y);
  if (x == y) return a < b;
  return top ? x > y : x < y;
}

}  // namespace narthex::cuda
