// Quantiles and fractions of plain values, classic buckets and native histograms. Pure functions.
#pragma once

#include <vector>

#include "model/histogram.h"

namespace narthex::promql {

// The q-quantile of the values (reordered by the call). NaN for no values or q NaN; -Inf, +Inf for q outside
// [0, 1].
double Quantile(double q, std::vector<double>* values);

// A bucket of a classic histogram: `le` and the cumulative count.
struct ClassicBucket {
  double upper_bound = 0;
  double count = 0;
};

struct BucketQuantileResult {
  double value = 0;
  bool forced_monotonicity = false;  // counts fell by more than rounding explains; the fields below say where
  double min_bucket = 0, max_bucket = 0;
  double max_diff = 0;
};

// The buckets may come in any order; equal bounds are added up. Interpolates linearly inside a bucket. The
// second form changes the buckets.
BucketQuantileResult BucketQuantile(double q, std::vector<ClassicBucket> buckets);
BucketQuantileResult BucketQuantileInPlace(double q, std::vector<ClassicBucket>* buckets);
// The share of observations between the limits.
double BucketFraction(double lower, double upper, std::vector<ClassicBucket> buckets);

enum class NanNote {
  kNone,
  kResultIsNan,   // the quantile falls among the NaN observations
  kSkewedHigher,  // NaN observations count as the highest
  kExcluded,      // (fractions) they count nowhere
};
struct NativeResult {
  double value = 0;
  NanNote note = NanNote::kNone;
};

// Exponential interpolation in exponential buckets, linear in custom ones and in the zero bucket.
NativeResult HistogramQuantile(double q, const FloatHistogram& h);
NativeResult HistogramFraction(double lower, double upper, const FloatHistogram& h);
// The estimated variance of the observations, each taken to lie in the middle of its bucket.
double HistogramVariance(const FloatHistogram& h);

}  // namespace narthex::promql
