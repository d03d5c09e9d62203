#include "promql/functions/statistics.h"

#include <cmath>

#include "base/status_macros.h"
#include "model/kahan_sum.h"

namespace narthex::promql {

namespace {

void CollectHints(std::span<const HistogramPoint> points, HistogramSumNotes* notes) {
  bool reset = false;
  bool not_reset = false;
  for (const HistogramPoint& point : points) {
    reset |= point.h->hint == CounterResetHint::kReset;
    not_reset |= point.h->hint == CounterResetHint::kNotReset;
  }
  notes->reset_collision = reset && not_reset;
}

// The mean of histograms. Sums up and divides at the end; once the sum would overflow, goes on with a running
// mean.
class HistogramMean {
 public:
  explicit HistogramMean(FloatHistogram first) : total_(std::move(first)) {}

  absl::Status Add(const FloatHistogram& h, HistogramSumNotes* notes) {
    ++count_;
    if (!incremental_) {
      FloatHistogram sum = total_;
      FloatHistogram low = low_;
      RETURN_IF_ERROR(sum.KahanAdd(h, &low, nullptr, &notes->nhcb_reconciled));
      if (!sum.HasOverflow()) {
        total_ = std::move(sum);
        low_ = std::move(low);
        return absl::OkStatus();
      }
      incremental_ = true;
      total_.Divide(count_ - 1);
      low_.Divide(count_ - 1);
    }
    const double keep = (count_ - 1) / count_;
    total_.Scale(keep);
    low_.Scale(keep);
    FloatHistogram share = h;
    share.Divide(count_);
    return total_.KahanAdd(share, &low_, nullptr, &notes->nhcb_reconciled);
  }

  absl::StatusOr<FloatHistogram> Finish() {
    if (count_ == 1) return std::move(total_);
    if (!incremental_) {
      total_.Divide(count_);
      low_.Divide(count_);
    }
    RETURN_IF_ERROR(total_.Add(low_, nullptr, nullptr));
    return std::move(total_);
  }

 private:
  FloatHistogram total_;
  FloatHistogram low_;
  double count_ = 1;
  bool incremental_ = false;
};

}  // namespace

double SumOf(std::span<const FloatPoint> points) {
  double sum = 0;
  double low = 0;
  for (const FloatPoint& point : points) KahanAdd(point.v, &sum, &low);
  return std::isinf(sum) ? sum : sum + low;
}

double MeanOf(std::span<const FloatPoint> points) {
  double total = points[0].v;  // the sum, or once that would overflow the running mean
  double low = 0;
  double count = 1;
  bool incremental = false;
  for (const FloatPoint& point : points.subspan(1)) {
    ++count;
    if (!incremental) {
      double sum = total;
      double sum_low = low;
      KahanAdd(point.v, &sum, &sum_low);
      if (!std::isinf(sum)) {
        total = sum;
        low = sum_low;
        continue;
      }
      incremental = true;
      total /= count - 1;
      low /= count - 1;
    }
    const double keep = (count - 1) / count;
    total *= keep;
    low *= keep;
    KahanAdd(point.v / count, &total, &low);
  }
  return incremental ? total + low : total / count + low / count;
}

double VarianceOf(std::span<const FloatPoint> points) {
  double count = 0;
  double mean = 0, mean_low = 0;
  double squares = 0, squares_low = 0;
  for (const FloatPoint& point : points) {
    ++count;
    const double delta = point.v - (mean + mean_low);
    KahanAdd(delta / count, &mean, &mean_low);
    KahanAdd(delta * (point.v - (mean + mean_low)), &squares, &squares_low);
  }
  return (squares + squares_low) / count;
}

Line LinearRegression(std::span<const FloatPoint> points, int64_t intercept_time_ms) {
  double n = 0;
  double x_sum = 0, x_low = 0;
  double y_sum = 0, y_low = 0;
  double xy_sum = 0, xy_low = 0;
  double xx_sum = 0, xx_low = 0;
  const double first = points[0].v;
  bool constant = true;
  for (const FloatPoint& point : points) {
    if (&point != &points[0] && point.v != first) constant = false;
    ++n;
    const double x = static_cast<double>(point.t - intercept_time_ms) / 1e3;
    KahanAdd(x, &x_sum, &x_low);
    KahanAdd(point.v, &y_sum, &y_low);
    KahanAdd(x * point.v, &xy_sum, &xy_low);
    KahanAdd(x * x, &xx_sum, &xx_low);
  }
  if (constant) {
    if (std::isinf(first)) return {NormalNan(), NormalNan()};
    return {0, first};
  }
  x_sum += x_low;
  y_sum += y_low;
  xy_sum += xy_low;
  xx_sum += xx_low;
  const double covariance = xy_sum - x_sum * y_sum / n;
  const double variance = xx_sum - x_sum * x_sum / n;
  const double slope = covariance / variance;
  return {slope, y_sum / n - slope * x_sum / n};
}

double DoubleExponentialSmoothing(std::span<const FloatPoint> points, double smoothing, double trend) {
  double before = 0;
  double level = points[0].v;
  double slope = points[1].v - points[0].v;
  for (size_t i = 1; i < points.size(); ++i) {
    if (i > 1) slope = trend * (level - before) + (1 - trend) * slope;
    const double raw = smoothing * points[i].v;
    const double predicted = (1 - smoothing) * (level + slope);
    before = level;
    level = raw + predicted;
  }
  return level;
}

absl::StatusOr<FloatHistogram> SumOfHistograms(std::span<const HistogramPoint> points,
                                               HistogramSumNotes* notes) {
  CollectHints(points, notes);
  FloatHistogram sum = *points[0].h;
  if (points.size() == 1) return sum;
  FloatHistogram low;
  for (const HistogramPoint& point : points.subspan(1)) {
    RETURN_IF_ERROR(sum.KahanAdd(*point.h, &low, nullptr, &notes->nhcb_reconciled));
  }
  RETURN_IF_ERROR(sum.Add(low, nullptr, nullptr));
  return sum;
}

absl::StatusOr<FloatHistogram> MeanOfHistograms(std::span<const HistogramPoint> points,
                                                HistogramSumNotes* notes) {
  CollectHints(points, notes);
  HistogramMean mean(*points[0].h);
  for (const HistogramPoint& point : points.subspan(1)) RETURN_IF_ERROR(mean.Add(*point.h, notes));
  return mean.Finish();
}

}  // namespace narthex::promql
