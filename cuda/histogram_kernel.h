// histogram_quantile() and histogram_fraction() over the rows of finished groups: what
// promql/functions/quantile.cc makes of the buckets of one step.
#pragma once

#include "cuda/arithmetic.h"

namespace narthex::cuda {

struct HistogramBatch {
  promql::DeviceHistograms histograms;  // its arrays where the kernel can read them
  const double* counts = nullptr;       // [group][step]
  const uint8_t* present = nullptr;
  double* values = nullptr;  // [histogram][step]
  uint8_t* any = nullptr;
  uint32_t* forced = nullptr;  // of all cells together
  uint32_t steps = 0;
};

// Counts that differ by less, relative to their sum, differ by rounding only.
inline constexpr double kSmallDelta = 1e-12;

NARTHEX_HD bool AlmostEqual(double a, double b) {
  const double min_normal = FromBits(0x0010000000000000), max = FromBits(0x7fefffffffffffff);
  if (a == b || (IsNan(a) && IsNan(b))) return true;
  const double sum = Abs(a) + Abs(b), diff = Abs(a - b);
  if (a == 0 || b == 0 || sum < min_normal) return diff < kSmallDelta * min_normal;
  return diff / (max < sum ? max : sum) < kSmallDelta;
}

// The buckets that a histogram has at one step, from below; equal bounds are added up.
class BucketWalk {
 public:
  NARTHEX_HD BucketWalk(const HistogramBatch& batch, uint32_t histogram, uint32_t step)
      : batch_(batch),
        step_(step),
        at_(batch.histograms.bucket_begin[histogram]),
        end_(batch.histograms.bucket_begin[histogram + 1]) {}

  NARTHEX_HD bool Next() {
    while (at_ < end_ && !Present()) ++at_;
    if (at_ == end_) return false;
    bound = batch_.histograms.bucket_bound[at_];
    count = Count();
    for (++at_; at_ < end_ && batch_.histograms.bucket_bound[at_] == bound; ++at_) {
      if (Present()) count += Count();
    }
    return true;
  }

  double bound = 0, count = 0;

 private:
  NARTHEX_HD uint64_t Cell() const {
    return static_cast<uint64_t>(batch_.histograms.bucket_group[at_]) * batch_.steps + step_;
  }
  NARTHEX_HD bool Present() const { return batch_.present[Cell()] != 0; }
  NARTHEX_HD double Count() const { return batch_.counts[Cell()]; }

  const HistogramBatch& batch_;
  const uint32_t step_;
  uint32_t at_, end_;
};

// The same with counts that never fall. `forced` tells that more than rounding was taken away.
class RisingWalk {
 public:
  NARTHEX_HD RisingWalk(const HistogramBatch& batch, uint32_t histogram, uint32_t step)
      : walk_(batch, histogram, step) {}

  NARTHEX_HD bool Next() {
    if (!walk_.Next()) return false;
    bound = walk_.bound;
    count = walk_.count;
    if (size++ == 0) {
      previous_ = count;
    } else if (count != previous_) {
      if (AlmostEqual(previous_, count)) {
        count = previous_;
      } else if (count < previous_) {
        forced = true;
        count = previous_;
      } else {
        previous_ = count;
      }
    }
    any_nan = any_nan || IsNan(count);
    return true;
  }

  double bound = 0, count = 0;
  uint32_t size = 0;
  bool forced = false, any_nan = false;

 private:
  BucketWalk walk_;
  double previous_ = 0;
};

// The first bucket that reaches the rank, looked for by halves: where counts are NaN the engine, which does
// so, does not find the same as from below.
NARTHEX_HD uint32_t BucketByHalves(const HistogramBatch& batch, uint32_t histogram, uint32_t step,
                                   double rank, uint32_t size) {
  uint32_t begin = 0;
  for (uint32_t end = size - 1; begin < end;) {
    const uint32_t middle = (begin + end) / 2;
    RisingWalk walk(batch, histogram, step);
    while (walk.size <= middle && walk.Next()) {
    }
    if (walk.count >= rank) {
      end = middle;
    } else {
      begin = middle + 1;
    }
  }
  return begin;
}

// REQUIRES: some bucket is present.
NARTHEX_HD double QuantileOfBuckets(const HistogramBatch& batch, uint32_t histogram, uint32_t step, double q,
                                    bool* forced) {
  if (IsNan(q)) return Nan();
  if (q < 0) return -Inf();
  if (q > 1) return Inf();
  RisingWalk all(batch, histogram, step);
  while (all.Next()) {
  }
  if (all.bound != Inf()) return Nan();
  *forced = all.forced;
  const double observations = all.count;
  if (all.size < 2 || observations == 0) return Nan();
  double rank = q * observations;
  const uint32_t by_halves = all.any_nan ? BucketByHalves(batch, histogram, step, rank, all.size) : 0;
  RisingWalk walk(batch, histogram, step);
  double begin = 0, below = 0;
  for (uint32_t b = 0; walk.Next(); ++b) {
    if (b + 1 == all.size) return begin;  // all that is known of the +Inf bucket
    if (all.any_nan ? b == by_halves : walk.count >= rank) {
      if (b == 0 && walk.bound <= 0) return walk.bound;
      double count = walk.count;
      if (b > 0) {
        count -= below;
        rank -= below;
      }
      return begin + (walk.bound - begin) * (rank / count);
    }
    begin = walk.bound;
    below = walk.count;
  }
  return Nan();
}

// The rank of one limit of a fraction, found while walking over the buckets from below.
struct RankLimit {
  double value = 0, rank = 0;
  bool found = false;

  NARTHEX_HD void Visit(double lower, double upper, double count, double before) {
    if (found) return;
    if (lower >= value) {
      rank = before;
      found = true;
    } else if (upper > value) {
      // Where a bucket without lower end has its observations is unknown: all of them are below.
      rank = lower == -Inf() ? count : before + count * (value - lower) / (upper - lower);
      found = true;
    }
  }
  NARTHEX_HD double Clip(double max) const { return !found || rank > max ? max : rank; }
};

NARTHEX_HD double FractionOfBuckets(const HistogramBatch& batch, uint32_t histogram, uint32_t step,
                                    double low, double high) {
  BucketWalk all(batch, histogram, step);
  while (all.Next()) {
  }
  const double total = all.count;
  if (all.bound != Inf() || total == 0 || IsNan(low) || IsNan(high)) return Nan();
  if (low >= high) return 0;
  RankLimit lower, upper;
  lower.value = low;
  upper.value = high;
  BucketWalk walk(batch, histogram, step);
  double rank = 0, begin = 0;
  for (bool first = true; walk.Next() && !(lower.found && upper.found); first = false) {
    if (first) begin = walk.bound > 0 ? 0 : -Inf();
    const double count = begin == -Inf() ? walk.count : walk.count - rank;
    lower.Visit(begin, walk.bound, count, rank);
    upper.Visit(begin, walk.bound, count, rank);
    rank = walk.count;
    begin = walk.bound;
  }
  return (upper.Clip(total) - lower.Clip(total)) / total;
}

NARTHEX_HD void HistogramCell(const HistogramBatch& batch, uint32_t histogram, uint32_t step) {
  const uint64_t cell = static_cast<uint64_t>(histogram) * batch.steps + step;
  BucketWalk any(batch, histogram, step);
  batch.any[cell] = any.Next() ? 1 : 0;
  if (batch.any[cell] == 0) return;
  const double low = batch.histograms.low[step];
  if (batch.histograms.high != nullptr) {
    batch.values[cell] = FractionOfBuckets(batch, histogram, step, low, batch.histograms.high[step]);
    return;
  }
  bool forced = false;
  batch.values[cell] = QuantileOfBuckets(batch, histogram, step, low, &forced);
  if (forced) *batch.forced = 1;  // all threads write the same
}

}  // namespace narthex::cuda
