// rate(), increase(), delta(), irate() and idelta().

#include "promql/functions/rate.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "promql/functions/annotation_texts.h"
#include "promql/functions/any_sample.h"
#include "promql/functions/extended_rate.h"
#include "promql/functions/histogram_sum.h"
#include "promql/functions/start_timestamps.h"

namespace narthex::promql {

namespace {

// The difference of last and first histogram with what counter resets took away; nullopt (and an annotation)
// if the histograms do not fit together.
class HistogramDifference {
 public:
  HistogramDifference(const Window& window, bool is_counter, CallContext* context)
      : points_(window.histograms),
        starts_(window.histogram_starts),
        is_counter_(is_counter),
        context_(context) {}

  std::optional<FloatHistogram> Run() {
    const FloatHistogram before = FirstOrEmpty();
    FloatHistogram result = *points_.back().h;
    const bool first_is_gauge = points_.front().h->hint == CounterResetHint::kGauge;
    const bool last_is_gauge = result.hint == CounterResetHint::kGauge;
    if (is_counter_ && (first_is_gauge || last_is_gauge)) NotACounter();
    if (result.UsesCustomBuckets() != before.UsesCustomBuckets()) return Mixed();
    int32_t schema = std::min(result.schema, before.schema);
    if (is_counter_) {
      for (size_t i = 1; i + 1 < points_.size(); ++i) {
        const FloatHistogram& h = *points_[i].h;
        if (h.hint == CounterResetHint::kGauge) NotACounter();
        if (h.UsesCustomBuckets() != before.UsesCustomBuckets()) return Mixed();
        schema = std::min(schema, h.schema);
      }
    }
    result.ReduceResolution(schema);
    if (!Accumulate(before, /*subtract=*/true, context_, &result)) return std::nullopt;
    if (is_counter_ && !AddResets(before, &result)) return std::nullopt;
    if (!is_counter_ && !(first_is_gauge && last_is_gauge)) {
      context_->Annotate(NotGaugeHistogramText(context_->MetricName()));
    }
    result.hint = CounterResetHint::kGauge;
    result.Compact();
    return result;
  }

 private:
  // The first histogram does not count, and so needs not fit, if the counter was reset right after it.
  FloatHistogram FirstOrEmpty() const {
    const FloatHistogram& first = *points_[0].h;
    const FloatHistogram& second = *points_[1].h;
    if (!is_counter_ || !(StartsAnew(points_, starts_, 1) || second.DetectReset(first))) return first;
    FloatHistogram empty;
    empty.schema = second.schema;
    empty.custom_values = second.custom_values;
    return empty;
  }

  bool AddResets(const FloatHistogram& first, FloatHistogram* result) {
    const FloatHistogram* previous = &first;
    for (size_t i = 1; i < points_.size(); ++i) {
      const FloatHistogram& h = *points_[i].h;
      if (StartsAnew(points_, starts_, i) || h.DetectReset(*previous)) {
        if (!Accumulate(*previous, /*subtract=*/false, context_, result)) return false;
      }
      previous = &h;
    }
    return true;
  }

  void NotACounter() { context_->Annotate(NotCounterHistogramText(context_->MetricName())); }

  std::optional<FloatHistogram> Mixed() {
    context_->Annotate(MixedBucketSchemasText(context_->MetricName()));
    return std::nullopt;
  }

  std::span<const HistogramPoint> points_;
  std::span<const int64_t> starts_;
  const bool is_counter_;
  CallContext* context_;
};

// By how much to stretch a difference over the sampled time so that it covers the whole range. Where no
// sample is near the range's border, the series is taken to begin or end half an interval beyond its first or
// last sample.
class Extrapolation {
 public:
  Extrapolation(const Window& window, int64_t first_ms, int64_t last_ms, size_t samples)
      : last_ms_(last_ms),
        sampled_(static_cast<double>(last_ms - first_ms) / 1000),
        interval_(samples > 1 ? sampled_ / static_cast<double>(samples - 1) : 0),
        to_start_(static_cast<double>(first_ms - window.start_ms) / 1000),
        to_end_(static_cast<double>(window.end_ms - last_ms) / 1000) {
    const double threshold = interval_ * 1.1;
    if (to_start_ >= threshold) to_start_ = interval_ / 2;
    if (to_end_ >= threshold) to_end_ = interval_ / 2;
  }

  // The series is known to have begun then, with zero.
  void BeginAt(int64_t start_ms) {
    sampled_ = static_cast<double>(last_ms_ - start_ms) / 1000;
    to_start_ = 0;
  }

  // A counter cannot have been below zero: it began no earlier than its slope allows.
  void LimitToZero(double first_value, double increase) {
    if (increase > 0 && first_value >= 0)
      to_start_ = std::min(to_start_, sampled_ * (first_value / increase));
  }

  double Factor(const Window& window, bool is_rate) const {
    const double factor = (sampled_ + to_start_ + to_end_) / sampled_;
    return is_rate ? factor / (static_cast<double>(window.range_ms) / 1000) : factor;
  }

 private:
  const int64_t last_ms_;
  double sampled_;
  double interval_;
  double to_start_;
  double to_end_;
};

bool FloatRate(const Window& window, bool is_counter, bool is_rate, Value* out) {
  const std::span<const FloatPoint> points = window.floats;
  if (points.empty()) return false;
  std::optional<int64_t> start;
  if (is_counter) start = StartInside(window, window.float_starts, points.front().t);
  if (points.size() < 2 && !start.has_value()) return false;
  double result = points.back().v - points.front().v;
  for (size_t i = 1; is_counter && i < points.size(); ++i) {
    if (points[i].v < points[i - 1].v || StartsAnew(points, window.float_starts, i))
      result += points[i - 1].v;
  }
  Extrapolation extrapolation(window, points.front().t, points.back().t, points.size());
  if (start.has_value()) {
    result += points.front().v;
    extrapolation.BeginAt(*start);
  } else if (is_counter) {
    extrapolation.LimitToZero(points.front().v, result);
  }
  out->v = result * extrapolation.Factor(window, is_rate);
  return true;
}

bool HistogramRate(const Window& window, bool is_counter, bool is_rate, CallContext* context, Value* out) {
  const std::span<const HistogramPoint> points = window.histograms;
  std::optional<int64_t> start;
  if (is_counter) start = StartInside(window, window.histogram_starts, points.front().t);
  const FloatHistogram& first = *points.front().h;
  std::optional<FloatHistogram> result;
  if (points.size() > 1) {
    result = HistogramDifference(window, is_counter, context).Run();
    if (!result.has_value()) return false;
    if (start.has_value() && !Accumulate(first, /*subtract=*/false, context, &*result)) return false;
  } else if (start.has_value()) {
    result = first;
  } else {
    return false;
  }
  Extrapolation extrapolation(window, points.front().t, points.back().t, points.size());
  if (start.has_value()) {
    extrapolation.BeginAt(*start);
  } else if (is_counter) {
    extrapolation.LimitToZero(first.count, result->count);
  }
  result->Scale(extrapolation.Factor(window, is_rate));
  out->h = std::make_shared<const FloatHistogram>(*std::move(result));
  return true;
}

bool ExtrapolatedRate(const Window& window, bool is_counter, bool is_rate, CallContext* context, Value* out) {
  if (window.anchored || window.smoothed) {
    return ExtendedRate(window, is_counter, is_rate, context, out);
  }
  if (!window.floats.empty() && !window.histograms.empty()) {
    context->Annotate(MixedFloatsHistogramsText(context->MetricName()));
    return false;
  }
  if (window.histograms.empty()) return FloatRate(window, is_counter, is_rate, out);
  return HistogramRate(window, is_counter, is_rate, context, out);
}

// The last two samples; false if there are fewer.
bool LastTwo(const Window& window, AnySample* first, AnySample* second) {
  size_t floats = window.floats.size();
  size_t histograms = window.histograms.size();
  if (floats + histograms < 2) return false;
  auto pop = [&] {
    if (histograms == 0 ||
        (floats > 0 && window.floats[floats - 1].t > window.histograms[histograms - 1].t)) {
      return FloatSample(window, --floats);
    }
    return HistogramSample(window, --histograms);
  };
  *second = pop();
  *first = pop();
  return first->t != second->t;
}

bool InstantHistogramDifference(const AnySample& a, const AnySample& b, bool is_rate, CallContext* context,
                                FloatHistogram* out) {
  const bool any_gauge = a.h->hint == CounterResetHint::kGauge || b.h->hint == CounterResetHint::kGauge;
  const bool all_gauge = a.h->hint == CounterResetHint::kGauge && b.h->hint == CounterResetHint::kGauge;
  if (is_rate && any_gauge) context->Annotate(NotCounterHistogramText(context->MetricName()));
  if (!is_rate && !all_gauge) context->Annotate(NotGaugeHistogramText(context->MetricName()));
  *out = *b.h;
  if (!is_rate || !(StartsAnew(a.start, a.t, b.start, b.t) || b.h->DetectReset(*a.h))) {
    if (!Accumulate(*a.h, /*subtract=*/true, context, out)) return false;
  }
  out->hint = CounterResetHint::kGauge;
  out->Compact();
  return true;
}

bool InstantValue(const Window& window, bool is_rate, CallContext* context, Value* out) {
  AnySample a, b;
  if (!LastTwo(window, &a, &b)) return false;
  const double seconds = static_cast<double>(b.t - a.t) / 1000;
  if ((a.h == nullptr) != (b.h == nullptr)) {
    context->Annotate(MixedFloatsHistogramsText(context->MetricName()));
    return false;
  }
  if (a.h == nullptr) {
    const bool reset = is_rate && (b.v < a.v || StartsAnew(a.start, a.t, b.start, b.t));
    const double result = reset ? b.v : b.v - a.v;
    out->v = is_rate ? result / seconds : result;
    return true;
  }
  FloatHistogram result;
  if (!InstantHistogramDifference(a, b, is_rate, context, &result)) return false;
  if (is_rate) result.Divide(seconds);
  out->h = std::make_shared<const FloatHistogram>(std::move(result));
  return true;
}

}  // namespace

bool Rate(const Window& window, CallContext* context, Value* out) {
  return ExtrapolatedRate(window, true, true, context, out);
}

bool Increase(const Window& window, CallContext* context, Value* out) {
  return ExtrapolatedRate(window, true, false, context, out);
}

bool Delta(const Window& window, CallContext* context, Value* out) {
  return ExtrapolatedRate(window, false, false, context, out);
}

bool Irate(const Window& window, CallContext* context, Value* out) {
  return InstantValue(window, true, context, out);
}

bool Idelta(const Window& window, CallContext* context, Value* out) {
  return InstantValue(window, false, context, out);
}

}  // namespace narthex::promql
