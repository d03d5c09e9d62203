// The *_over_time() functions.

#include "promql/functions/over_time.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "promql/functions/annotation_texts.h"
#include "promql/functions/quantile.h"
#include "promql/functions/statistics.h"

namespace narthex::promql {

namespace {

// For functions that know floats only: false if there are none.
bool FloatsOnly(const Window& window, CallContext* context) {
  if (window.floats.empty()) return false;
  if (!window.histograms.empty()) context->Annotate(HistogramIgnoredInMixedRangeText(context->MetricName()));
  return true;
}

using HistogramAggregate = absl::StatusOr<FloatHistogram> (*)(std::span<const HistogramPoint>,
                                                              HistogramSumNotes*);

bool SumOrMean(const Window& window, double (*of_floats)(std::span<const FloatPoint>),
               HistogramAggregate of_histograms, CallContext* context, Value* out) {
  if (window.histograms.empty()) {
    if (window.floats.empty()) return false;
    out->v = of_floats(window.floats);
    return true;
  }
  if (!window.floats.empty()) {
    context->Annotate(MixedFloatsHistogramsText(context->MetricName()));
    return false;
  }
  HistogramSumNotes notes;
  absl::StatusOr<FloatHistogram> result = of_histograms(window.histograms, &notes);
  if (!result.ok()) {
    context->Annotate(MixedBucketSchemasText(context->MetricName()));
    return false;
  }
  if (notes.reset_collision) context->Annotate(ResetCollisionText("aggregation"));
  if (notes.nhcb_reconciled) context->Annotate(CustomBucketsReconciledText("aggregation"));
  out->h = std::make_shared<const FloatHistogram>(*std::move(result));
  return true;
}

// The point that no later one beats. NaN is beaten by everything.
template <typename Beats>
bool Best(const Window& window, CallContext* context, Beats beats, FloatPoint* best) {
  if (!FloatsOnly(window, context)) return false;
  *best = window.floats[0];
  for (const FloatPoint& point : window.floats) {
    if (beats(point.v, best->v) || std::isnan(best->v)) *best = point;
  }
  return true;
}

template <typename Beats>
bool BestValue(const Window& window, CallContext* context, Beats beats, Value* out) {
  FloatPoint best;
  if (!Best(window, context, beats, &best)) return false;
  out->v = best.v;
  return true;
}

template <typename Beats>
bool TimeOfBest(const Window& window, CallContext* context, Beats beats, Value* out) {
  FloatPoint best;
  if (!Best(window, context, beats, &best)) return false;
  out->v = static_cast<double>(best.t) / 1000;
  return true;
}

std::vector<double> ValuesOf(std::span<const FloatPoint> points) {
  std::vector<double> values;
  values.reserve(points.size());
  for (const FloatPoint& point : points) values.push_back(point.v);
  return values;
}

}  // namespace

bool SumOverTime(const Window& window, CallContext* context, Value* out) {
  return SumOrMean(window, SumOf, SumOfHistograms, context, out);
}

bool AvgOverTime(const Window& window, CallContext* context, Value* out) {
  return SumOrMean(window, MeanOf, MeanOfHistograms, context, out);
}

bool CountOverTime(const Window& window, CallContext*, Value* out) {
  out->v = static_cast<double>(window.floats.size() + window.histograms.size());
  return out->v > 0;
}

bool PresentOverTime(const Window& window, CallContext*, Value* out) {
  out->v = 1;
  return !window.floats.empty() || !window.histograms.empty();
}

bool MaxOverTime(const Window& window, CallContext* context, Value* out) {
  return BestValue(window, context, std::greater<double>(), out);
}

bool MinOverTime(const Window& window, CallContext* context, Value* out) {
  return BestValue(window, context, std::less<double>(), out);
}

bool TsOfMaxOverTime(const Window& window, CallContext* context, Value* out) {
  return TimeOfBest(window, context, std::greater_equal<double>(), out);
}

bool TsOfMinOverTime(const Window& window, CallContext* context, Value* out) {
  return TimeOfBest(window, context, std::less_equal<double>(), out);
}

bool StdvarOverTime(const Window& window, CallContext* context, Value* out) {
  if (!FloatsOnly(window, context)) return false;
  out->v = VarianceOf(window.floats);
  return true;
}

bool StddevOverTime(const Window& window, CallContext* context, Value* out) {
  if (!StdvarOverTime(window, context, out)) return false;
  out->v = std::sqrt(out->v);
  return true;
}

bool FirstOverTime(const Window& window, CallContext*, Value* out) {
  const bool any_floats = !window.floats.empty();
  if (window.histograms.empty() || (any_floats && window.floats.front().t < window.histograms.front().t)) {
    if (any_floats) out->v = window.floats.front().v;
    return any_floats;
  }
  out->h = window.histograms.front().h;
  return true;
}

bool LastOverTime(const Window& window, CallContext*, Value* out) {
  const bool any_floats = !window.floats.empty();
  if (window.histograms.empty() || (any_floats && window.floats.back().t > window.histograms.back().t)) {
    if (any_floats) out->v = window.floats.back().v;
    return any_floats;
  }
  out->h = window.histograms.back().h;
  return true;
}

bool TsOfFirstOverTime(const Window& window, CallContext*, Value* out) {
  if (window.floats.empty() && window.histograms.empty()) return false;
  int64_t t = std::numeric_limits<int64_t>::max();
  if (!window.floats.empty()) t = std::min(t, window.floats.front().t);
  if (!window.histograms.empty()) t = std::min(t, window.histograms.front().t);
  out->v = static_cast<double>(t) / 1000;
  return true;
}

bool TsOfLastOverTime(const Window& window, CallContext*, Value* out) {
  if (window.floats.empty() && window.histograms.empty()) return false;
  int64_t t = 0;
  if (!window.floats.empty()) t = std::max(t, window.floats.back().t);
  if (!window.histograms.empty()) t = std::max(t, window.histograms.back().t);
  out->v = static_cast<double>(t) / 1000;
  return true;
}

bool QuantileOverTime(const Window& window, CallContext* context, Value* out) {
  if (window.floats.empty()) return false;
  const double q = context->scalars[0];
  if (!(q >= 0 && q <= 1)) context->Annotate(InvalidQuantileText(q));
  FloatsOnly(window, context);
  std::vector<double> values = ValuesOf(window.floats);
  out->v = Quantile(q, &values);
  return true;
}

bool MadOverTime(const Window& window, CallContext* context, Value* out) {
  if (!FloatsOnly(window, context)) return false;
  std::vector<double> values = ValuesOf(window.floats);
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    out->v = NormalNan();
    return true;
  }
  const double median = Quantile(0.5, &values);
  for (double& value : values) value = std::fabs(value - median);
  out->v = Quantile(0.5, &values);
  return true;
}

}  // namespace narthex::promql
