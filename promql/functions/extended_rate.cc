#include "promql/functions/extended_rate.h"

#include <algorithm>
#include <memory>

#include "promql/functions/annotation_texts.h"
#include "promql/functions/histogram_sum.h"

namespace narthex::promql {

namespace {

// Which samples give the values at the borders: first is the last one at or before the start (or the very
// first), last the one at or after the end with smoothed, else the newest.
struct Borders {
  size_t first = 0;
  size_t last = 0;
};

template <typename Point>
std::optional<Borders> FindBorders(std::span<const Point> points, const Window& window) {
  Borders borders;
  borders.last = points.size() - 1;
  const auto begin = points.begin(), newest = points.end() - 1;
  auto first = std::partition_point(begin, newest, [&](const Point& p) { return p.t <= window.start_ms; });
  if (first != begin) --first;
  borders.first = static_cast<size_t>(first - begin);
  if (window.smoothed) {
    auto last = std::partition_point(begin, newest, [&](const Point& p) { return p.t < window.end_ms; });
    borders.last = static_cast<size_t>(last - begin);
  }
  if (points[borders.last].t <= window.start_ms) return std::nullopt;
  if (points[borders.first].t > window.end_ms) return std::nullopt;
  return borders;
}

bool FloatRate(const Window& window, bool is_counter, Value* out) {
  const std::span<const FloatPoint> points = window.floats;
  const std::optional<Borders> borders = FindBorders(points, window);
  if (!borders.has_value()) return false;
  const auto [first, last] = *borders;
  double left = points[first].v;
  if (window.smoothed && points[first].t < window.start_ms) {
    left = Interpolate(points[first], points[first + 1], window.start_ms, is_counter);
  }
  double right = points[last].v;
  if (window.smoothed && last > 0 && points[last].t > window.end_ms) {
    right = Interpolate(points[last - 1], points[last], window.end_ms, is_counter);
  }
  double result = right - left;
  if (is_counter) {
    double previous = left;
    for (size_t i = first; i <= last; ++i) {
      // The border values stand for these.
      if (i == first && points[i].t <= window.start_ms) continue;
      if (i == last && points[i].t >= window.end_ms) continue;
      if (points[i].v < previous) result += previous;
      previous = points[i].v;
    }
    if (right < previous) result += previous;
  }
  out->v = result;
  return true;
}

class HistogramRate {
 public:
  HistogramRate(const Window& window, bool is_counter, CallContext* context)
      : points_(window.histograms), window_(window), is_counter_(is_counter), context_(context) {}

  std::optional<FloatHistogram> Run() {
    const std::optional<Borders> borders = FindBorders(points_, window_);
    if (!borders.has_value()) return std::nullopt;
    borders_ = *borders;
    if (!CheckKinds()) return std::nullopt;
    const std::optional<FloatHistogram> left = Left(), right = Right();
    if (!left.has_value() || !right.has_value()) return std::nullopt;
    const bool gauges = left->hint == CounterResetHint::kGauge && right->hint == CounterResetHint::kGauge;
    if (!is_counter_ && !gauges) context_->Annotate(NotGaugeHistogramText(context_->MetricName()));
    FloatHistogram result = *right;
    if (!Accumulate(*left, /*subtract=*/true, context_, &result)) return std::nullopt;
    if (is_counter_ && !AddResets(*left, *right, &result)) return std::nullopt;
    return result;
  }

 private:
  bool CheckKinds() {
    for (size_t i = borders_.first; i <= borders_.last; ++i) {
      const FloatHistogram& h = *points_[i].h;
      if (h.UsesCustomBuckets() != points_[borders_.first].h->UsesCustomBuckets()) {
        context_->Annotate(MixedBucketSchemasText(context_->MetricName()));
        return false;
      }
      if (is_counter_ && h.hint == CounterResetHint::kGauge) {
        context_->Annotate(NotCounterHistogramText(context_->MetricName()));
      }
    }
    return true;
  }

  bool LeftIsInterpolated() const { return window_.smoothed && points_[borders_.first].t < window_.start_ms; }

  std::optional<FloatHistogram> Left() {
    const HistogramPoint& first = points_[borders_.first];
    if (!LeftIsInterpolated()) return *first.h;
    return Interpolate(first, points_[borders_.first + 1], window_.start_ms, is_counter_, context_);
  }

  std::optional<FloatHistogram> Right() {
    const HistogramPoint& last = points_[borders_.last];
    if (!window_.smoothed || borders_.last == 0 || last.t <= window_.end_ms) return *last.h;
    return Interpolate(points_[borders_.last - 1], last, window_.end_ms, is_counter_, context_);
  }

  // `left` and `right` stand for the first and the last sample, which carry their hints: only what lies
  // between is compared sample by sample.
  bool AddResets(const FloatHistogram& left, const FloatHistogram& right, FloatHistogram* result) {
    const FloatHistogram* previous = &left;
    size_t next = borders_.first + 1;
    if (LeftIsInterpolated() && points_[next].h->DetectReset(*points_[borders_.first].h)) {
      // The value at the left border grew from zero already: that reset is behind us.
      previous = points_[next].h.get();
      ++next;
    }
    if (next > borders_.last) return true;
    for (; next < borders_.last; ++next) {
      const FloatHistogram& h = *points_[next].h;
      if (h.DetectReset(*previous) && !Accumulate(*previous, false, context_, result)) return false;
      previous = &h;
    }
    return !right.DetectReset(*previous) || Accumulate(*previous, false, context_, result);
  }

  const std::span<const HistogramPoint> points_;
  const Window& window_;
  const bool is_counter_;
  CallContext* const context_;
  Borders borders_;
};

}  // namespace

double Interpolate(const FloatPoint& a, const FloatPoint& b, int64_t t, bool is_counter) {
  // After a reset the counter is taken to have started from 0.
  const double from = is_counter && b.v < a.v ? 0 : a.v;
  return from + (b.v - from) * static_cast<double>(t - a.t) / static_cast<double>(b.t - a.t);
}

std::optional<FloatHistogram> Interpolate(const HistogramPoint& a, const HistogramPoint& b, int64_t t,
                                          bool is_counter, CallContext* context) {
  if (t == a.t) return *a.h;
  if (t == b.t) return *b.h;
  if (a.h->UsesCustomBuckets() != b.h->UsesCustomBuckets()) {
    context->Annotate(MixedBucketSchemasText(context->MetricName()));
    return std::nullopt;
  }
  FloatHistogram result = *b.h;
  const bool from_zero = is_counter && b.h->DetectReset(*a.h);
  if (!from_zero && !Accumulate(*a.h, /*subtract=*/true, context, &result)) return std::nullopt;
  result.Scale(static_cast<double>(t - a.t) / static_cast<double>(b.t - a.t));
  if (!from_zero && !Accumulate(*a.h, /*subtract=*/false, context, &result)) return std::nullopt;
  return result;
}

bool ExtendedRate(const Window& window, bool is_counter, bool is_rate, CallContext* context, Value* out) {
  const double seconds = static_cast<double>(window.range_ms) / 1000;
  if (window.histograms.empty()) {
    if (window.floats.empty() || !FloatRate(window, is_counter, out)) return false;
    if (is_rate) out->v /= seconds;
    return true;
  }
  if (!window.floats.empty()) {
    context->Annotate(MixedFloatsHistogramsText(context->MetricName()));
    return false;
  }
  std::optional<FloatHistogram> result = HistogramRate(window, is_counter, context).Run();
  if (!result.has_value()) return false;
  if (is_rate) result->Divide(seconds);
  result->hint = CounterResetHint::kGauge;
  result->Compact();
  out->h = std::make_shared<const FloatHistogram>(*std::move(result));
  return true;
}

}  // namespace narthex::promql
