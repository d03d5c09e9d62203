// rate(), increase(), delta(), irate(), idelta(), changes() and resets().

#include "promql/functions/rate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "promql/functions/annotation_texts.h"

namespace narthex::promql {

namespace {

// A start timestamp of 0 says nothing; nor does one after its own sample.
bool StartsAnew(int64_t previous_start, int64_t previous_t, int64_t start, int64_t t) {
  if (start == 0 || start > t || start < previous_t) return false;
  if (start > previous_t) return true;
  // It names the sample before: a reset of delta series, but not of cumulative ones that never knew their
  // start.
  return previous_start != 0;
}

// Start timestamps run parallel to the points, or are absent.
template <typename Point>
bool StartsAnew(std::span<const Point> points, std::span<const int64_t> starts, size_t i) {
  return i < starts.size() && StartsAnew(starts[i - 1], points[i - 1].t, starts[i], points[i].t);
}

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
    if (!Combine(before, true, &result) || (is_counter_ && !AddResets(before, &result))) return Mixed();
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
        if (!Combine(*previous, false, result)) return false;
      }
      previous = &h;
    }
    return true;
  }

  // Hints that contradict each other are what resets are made of here: no warning.
  bool Combine(const FloatHistogram& other, bool subtract, FloatHistogram* result) {
    bool reconciled = false;
    if (!result->Add(other, nullptr, &reconciled, subtract).ok()) return false;
    if (reconciled) context_->Annotate(CustomBucketsReconciledText(subtract ? "subtraction" : "addition"));
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
      : sampled_(static_cast<double>(last_ms - first_ms) / 1000),
        interval_(sampled_ / static_cast<double>(samples - 1)),
        to_start_(static_cast<double>(first_ms - window.start_ms) / 1000),
        to_end_(static_cast<double>(window.end_ms - last_ms) / 1000) {
    const double threshold = interval_ * 1.1;
    if (to_start_ >= threshold) to_start_ = interval_ / 2;
    if (to_end_ >= threshold) to_end_ = interval_ / 2;
  }

  // A counter cannot have been below zero: it began no earlier than its slope allows.
  void LimitToZero(double first_value, double increase) {
    if (increase > 0 && first_value >= 0)
      to_start_ = std::min(to_start_, sampled_ * (first_value / increase));
  }

  double factor() const { return (sampled_ + to_start_ + to_end_) / sampled_; }

 private:
  double sampled_;
  double interval_;
  double to_start_;
  double to_end_;
};

double Interpolate(const FloatPoint& a, const FloatPoint& b, int64_t t, bool is_counter) {
  // After a reset the counter is taken to have started from 0.
  const double from = is_counter && b.v < a.v ? 0 : a.v;
  return from + (b.v - from) * static_cast<double>(t - a.t) / static_cast<double>(b.t - a.t);
}

// rate() and its kin with `anchored` or `smoothed`: values at the borders instead of extrapolation.
bool ExtendedRate(const Window& window, bool is_counter, bool is_rate, Value* out) {
  const std::span<const FloatPoint> points = window.floats;
  if (points.empty()) return false;
  auto begin = points.begin();
  auto last = points.end() - 1;
  auto first = std::partition_point(begin, last, [&](const FloatPoint& p) { return p.t <= window.start_ms; });
  if (first != begin) --first;
  if (window.smoothed) {
    last = std::partition_point(begin, last, [&](const FloatPoint& p) { return p.t < window.end_ms; });
  }
  if (last->t <= window.start_ms) return false;
  double left = first->v;
  if (window.smoothed && first->t < window.start_ms) {
    left = Interpolate(*first, *(first + 1), window.start_ms, is_counter);
  }
  double right = last->v;
  if (window.smoothed && last != begin && last->t > window.end_ms) {
    right = Interpolate(*(last - 1), *last, window.end_ms, is_counter);
  }
  double result = right - left;
  if (is_counter) {
    double previous = left;
    for (auto p = first; p <= last; ++p) {
      // The border values stand for these.
      if ((p == first && p->t <= window.start_ms) || (p == last && p->t >= window.end_ms)) continue;
      if (p->v < previous) result += previous;
      previous = p->v;
    }
    if (right < previous) result += previous;
  }
  if (is_rate) result /= static_cast<double>(window.range_ms) / 1000;
  out->v = result;
  return true;
}

bool FloatRate(const Window& window, bool is_counter, bool is_rate, Value* out) {
  const std::span<const FloatPoint> points = window.floats;
  if (points.size() < 2) return false;
  double result = points.back().v - points.front().v;
  Extrapolation extrapolation(window, points.front().t, points.back().t, points.size());
  if (is_counter) {
    for (size_t i = 1; i < points.size(); ++i) {
      if (points[i].v < points[i - 1].v || StartsAnew(points, window.float_starts, i))
        result += points[i - 1].v;
    }
    extrapolation.LimitToZero(points.front().v, result);
  }
  double factor = extrapolation.factor();
  if (is_rate) factor /= static_cast<double>(window.range_ms) / 1000;
  out->v = result * factor;
  return true;
}

bool HistogramRate(const Window& window, bool is_counter, bool is_rate, CallContext* context, Value* out) {
  const std::span<const HistogramPoint> points = window.histograms;
  if (points.size() < 2) return false;
  std::optional<FloatHistogram> result = HistogramDifference(window, is_counter, context).Run();
  if (!result.has_value()) return false;
  Extrapolation extrapolation(window, points.front().t, points.back().t, points.size());
  if (is_counter) extrapolation.LimitToZero(points.front().h->count, result->count);
  double factor = extrapolation.factor();
  if (is_rate) factor /= static_cast<double>(window.range_ms) / 1000;
  result->Scale(factor);
  out->h = std::make_shared<const FloatHistogram>(*std::move(result));
  return true;
}

bool ExtrapolatedRate(const Window& window, bool is_counter, bool is_rate, CallContext* context, Value* out) {
  if (window.anchored || window.smoothed) return ExtendedRate(window, is_counter, is_rate, out);
  if (!window.floats.empty() && !window.histograms.empty()) {
    context->Annotate(MixedFloatsHistogramsText(context->MetricName()));
    return false;
  }
  if (window.histograms.empty()) return FloatRate(window, is_counter, is_rate, out);
  return HistogramRate(window, is_counter, is_rate, context, out);
}

// One sample of a window that may mix both kinds.
struct AnySample {
  int64_t t = 0;
  int64_t start = 0;
  double v = 0;
  const FloatHistogram* h = nullptr;
};

AnySample FloatSample(const Window& window, size_t i) {
  return {window.floats[i].t, i < window.float_starts.size() ? window.float_starts[i] : 0, window.floats[i].v,
          nullptr};
}

AnySample HistogramSample(const Window& window, size_t i) {
  return {window.histograms[i].t, i < window.histogram_starts.size() ? window.histogram_starts[i] : 0, 0,
          window.histograms[i].h.get()};
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
    bool reconciled = false;
    if (!out->Add(*a.h, nullptr, &reconciled, /*subtract=*/true).ok()) {
      context->Annotate(MixedBucketSchemasText(context->MetricName()));
      return false;
    }
    if (reconciled) context->Annotate(CustomBucketsReconciledText("subtraction"));
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

// Counts the neighbours for which `differs`; a step from one kind of sample to the other always counts.
// Anchored ranges begin with the last sample at or before the range.
template <typename FloatsDiffer, typename HistogramsDiffer>
bool CountSteps(const Window& window, FloatsDiffer floats_differ, HistogramsDiffer histograms_differ,
                Value* out) {
  const std::span<const FloatPoint> floats = window.floats;
  const std::span<const HistogramPoint> histograms = window.histograms;
  if (floats.empty() && histograms.empty()) return false;
  size_t f = 0;
  if (window.anchored) {
    if (floats.empty() || floats.back().t <= window.start_ms) return false;
    const auto first = std::partition_point(floats.begin(), floats.end() - 1,
                                            [&](const FloatPoint& p) { return p.t <= window.start_ms; });
    f = static_cast<size_t>(first - floats.begin());
    if (f > 0) --f;
  }
  double count = 0;
  std::optional<AnySample> previous;
  for (size_t h = 0; f < floats.size() || h < histograms.size();) {
    const bool take_float = h >= histograms.size() || (f < floats.size() && floats[f].t < histograms[h].t);
    const AnySample current = take_float ? FloatSample(window, f++) : HistogramSample(window, h++);
    if (previous.has_value()) {
      if ((previous->h == nullptr) != (current.h == nullptr)) {
        ++count;
      } else if (current.h == nullptr ? floats_differ(previous->v, current.v)
                                      : histograms_differ(*previous->h, *current.h)) {
        ++count;
      }
    }
    previous = current;
  }
  out->v = count;
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

bool Changes(const Window& window, CallContext*, Value* out) {
  return CountSteps(
      window, [](double a, double b) { return a != b && !(std::isnan(a) && std::isnan(b)); },
      [](const FloatHistogram& a, const FloatHistogram& b) { return !b.Equals(a); }, out);
}

bool Resets(const Window& window, CallContext*, Value* out) {
  return CountSteps(
      window, [](double a, double b) { return b < a; },
      [](const FloatHistogram& a, const FloatHistogram& b) { return b.DetectReset(a); }, out);
}

}  // namespace narthex::promql
