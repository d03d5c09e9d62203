// Sums, means, spread and trend of the points of a window. Pure functions, compensated as upstream
// compensates them.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "model/histogram.h"
#include "model/sample.h"

namespace narthex::promql {

// All REQUIRE at least one point.
double SumOf(std::span<const FloatPoint> points);
double MeanOf(std::span<const FloatPoint> points);
double VarianceOf(std::span<const FloatPoint> points);

struct Line {
  double slope = 0;
  double intercept = 0;  // at the time asked for
};
Line LinearRegression(std::span<const FloatPoint> points, int64_t intercept_time_ms);

// Holt's double exponential smoothing. REQUIRES: two points, factors inside (0, 1).
double DoubleExponentialSmoothing(std::span<const FloatPoint> points, double smoothing, double trend);

// What sums of histograms have to tell besides the sum.
struct HistogramSumNotes {
  bool reset_collision = false;  // some hints claim a counter reset, some deny it
  bool nhcb_reconciled = false;  // custom bounds differed
};
// Error: exponential and custom buckets mixed.
absl::StatusOr<FloatHistogram> SumOfHistograms(std::span<const HistogramPoint> points,
                                               HistogramSumNotes* notes);
absl::StatusOr<FloatHistogram> MeanOfHistograms(std::span<const HistogramPoint> points,
                                                HistogramSumNotes* notes);

}  // namespace narthex::promql
