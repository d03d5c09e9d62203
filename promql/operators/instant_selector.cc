#include <algorithm>
#include <memory>
#include <optional>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/extended_rate.h"
#include "promql/operators/selectors.h"

namespace narthex::promql {
namespace {

class InstantSelector : public Operator {
 public:
  InstantSelector(const Expr& selector, QueryState* state, Steps steps, SelectorReading reading)
      : selector_(selector),
        state_(state),
        steps_(steps),
        shift_(ShiftOf(selector, state->steps)),
        reading_(reading),
        held_(state) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    int64_t first = shift_.Reference(steps_.Time(0)), last = shift_.Reference(steps_.Time(steps_.count - 1));
    tsdb::SelectHints hints;
    hints.start = first - state_->lookback_ms + 1;
    hints.end = selector_.smoothed ? last + state_->lookback_ms : last;
    hints.step = steps_.step_ms;
    ASSIGN_OR_RETURN(set_, state_->querier->Select(selector_.matchers, hints.start, hints.end, hints));
    series_.resize(set_->size());
    for (size_t i = 0; i < series_.size(); ++i) series_[i].labels = set_->TakeLabels(i);
    return &series_;
  }

  absl::StatusOr<bool> Next(Batch* batch) override {
    held_.Release();
    size_t count = std::min(kBatchSeries, series_.size() - at_);
    if (count == 0) return false;
    RETURN_IF_ERROR(state_->Check());
    batch->Reset(count, static_cast<size_t>(steps_.count));
    for (size_t r = 0; r < count; r += kRowsAtOnce) {
      RETURN_IF_ERROR(ReadRows(r, std::min(kRowsAtOnce, count - r), batch));
    }
    at_ += count;
    state_->samples_read += read_;
    RETURN_IF_ERROR(held_.Add(read_));
    read_ = 0;
    return true;
  }

  void Close() override {
    held_.Release();
    set_.reset();
  }

  bool SeriesDiffer() const override { return true; }

  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "InstantSelector ", ToString(selector_), "\n");
  }

 private:
  // So few that their samples stay in the cache.
  static constexpr size_t kRowsAtOnce = 16;

  // Rows [first, first + count) of the batch.
  absl::Status ReadRows(size_t first, size_t count, Batch* batch) {
    RETURN_IF_ERROR(set_->ReadBlock(at_ + first, count, &rows_));
    shared_times_ = {};
    for (size_t k = 0; k < count; ++k) {
      const tsdb::Row& row = rows_[k];
      const size_t r = first + k;
      if (selector_.smoothed && reading_ == SelectorReading::kValue) {
        FillSmoothed(row, at_ + r, r, batch);
      } else if (row.h.empty() && reading_ == SelectorReading::kValue) {
        FillFloats(row, r, batch);
      } else {
        Fill(row, r, batch);
      }
    }
    return absl::OkStatus();
  }

  // Which sample of a row with these times each step shows.
  void SetTimes(std::span<const int64_t> t) {
    shared_times_ = t;
    sample_of_.resize(static_cast<size_t>(steps_.count));
    uint32_t next = 0;
    for (size_t i = 0; i < sample_of_.size(); ++i) {
      const int64_t reference = shift_.Reference(steps_.Time(static_cast<int>(i)));
      while (next < t.size() && t[next] <= reference) ++next;
      const bool some = next > 0 && t[next - 1] > reference - state_->lookback_ms;
      sample_of_[i] = some ? next - 1 : kNone;
    }
  }

  void FillFloats(const tsdb::Row& row, size_t r, Batch* batch) {
    if (row.v.empty()) return;
    if (row.t.data() != shared_times_.data() || row.t.size() != shared_times_.size()) SetTimes(row.t);
    Batch::Cell* cells = batch->cells(r);
    double* values = batch->values(r);
    for (size_t i = 0; i < sample_of_.size(); ++i) {
      if (sample_of_[i] == kNone) continue;
      values[i] = row.v[sample_of_[i]];
      const bool some = !IsStale(values[i]);
      cells[i] = some ? Batch::kFloat : Batch::kEmpty;
      read_ += some ? 1 : 0;
    }
  }

  void Fill(const tsdb::Row& row, size_t r, Batch* batch) {
    size_t f = 0, h = 0;  // one past the newest point at or before the reference time
    for (int i = 0; i < steps_.count; ++i) {
      int64_t reference = shift_.Reference(steps_.Time(i));
      while (f < row.t.size() && row.t[f] <= reference) ++f;
      while (h < row.h.size() && row.h[h].t <= reference) ++h;
      int64_t float_t = f > 0 ? row.t[f - 1] : INT64_MIN, histogram_t = h > 0 ? row.h[h - 1].t : INT64_MIN;
      int64_t newest = std::max(float_t, histogram_t);
      if (newest == INT64_MIN || newest <= reference - state_->lookback_ms) continue;
      bool is_histogram = histogram_t > float_t;
      if (is_histogram ? row.h[h - 1].h->IsStaleMarker() : IsStale(row.v[f - 1])) continue;
      ++read_;
      if (reading_ == SelectorReading::kTimestamp) {
        batch->SetFloat(r, static_cast<size_t>(i), static_cast<double>(newest) / 1000);
      } else if (reading_ == SelectorReading::kStartTimestamp) {
        std::span<const int64_t> starts = is_histogram ? row.h_start_t : row.start_t;
        int64_t start = starts.empty() ? 0 : starts[is_histogram ? h - 1 : f - 1];
        batch->SetFloat(r, static_cast<size_t>(i), static_cast<double>(start) / 1000);
      } else if (is_histogram) {
        batch->SetHistogram(r, static_cast<size_t>(i), row.h[h - 1].h);
      } else {
        batch->SetFloat(r, static_cast<size_t>(i), row.v[f - 1]);
      }
    }
  }

  // Interpolated between the newest sample at or before the time and the oldest after it.
  void FillSmoothed(const tsdb::Row& row, size_t series, size_t r, Batch* batch) {
    CallContext context;
    context.labels = &series_[series].labels;
    context.pos = selector_.pos;
    context.annotations = &state_->annotations;
    std::vector<FloatPoint> floats(row.t.size());
    for (size_t i = 0; i < floats.size(); ++i) floats[i] = {row.t[i], row.v[i]};
    for (int i = 0; i < steps_.count; ++i) {
      const int64_t reference = shift_.Reference(steps_.Time(i));
      const int64_t from = reference - state_->lookback_ms, to = reference + state_->lookback_ms;
      const std::span<const FloatPoint> near_floats = Between(std::span<const FloatPoint>(floats), from, to);
      const std::span<const HistogramPoint> near_histograms = Between(row.h, from, to);
      if (!near_floats.empty() && !near_histograms.empty()) {
        context.Annotate(MixedFloatsHistogramsText(context.MetricName()));
      } else if (std::optional<double> v = Smoothed(near_floats, reference)) {
        batch->SetFloat(r, static_cast<size_t>(i), *v);
        ++read_;
      } else if (std::optional<FloatHistogram> h = Smoothed(near_histograms, reference, &context)) {
        batch->SetHistogram(r, static_cast<size_t>(i), std::make_shared<const FloatHistogram>(*std::move(h)));
        ++read_;
      }
    }
  }

  template <typename Point>
  static size_t CountUpTo(std::span<const Point> points, int64_t t) {
    auto after = std::partition_point(points.begin(), points.end(), [&](const Point& p) { return p.t <= t; });
    return static_cast<size_t>(after - points.begin());
  }
  template <typename Point>
  static std::span<const Point> Between(std::span<const Point> points, int64_t after, int64_t up_to) {
    const size_t first = CountUpTo(points, after);
    return points.subspan(first, CountUpTo(points, up_to) - first);
  }

  static std::optional<double> Smoothed(std::span<const FloatPoint> points, int64_t t) {
    const size_t next = CountUpTo(points, t);
    if (next == 0 || IsStale(points[next - 1].v)) return std::nullopt;
    const FloatPoint& before = points[next - 1];
    if (before.t == t || next == points.size() || IsStale(points[next].v)) return before.v;
    return Interpolate(before, points[next], t, /*is_counter=*/false);
  }

  static std::optional<FloatHistogram> Smoothed(std::span<const HistogramPoint> points, int64_t t,
                                                CallContext* context) {
    const size_t next = CountUpTo(points, t);
    if (next == 0 || points[next - 1].h->IsStaleMarker()) return std::nullopt;
    const HistogramPoint& before = points[next - 1];
    if (next == points.size() || points[next].h->IsStaleMarker()) return *before.h;
    const bool gauges =
        before.h->hint == CounterResetHint::kGauge && points[next].h->hint == CounterResetHint::kGauge;
    return Interpolate(before, points[next], t, /*is_counter=*/!gauges, context);
  }

  const Expr& selector_;
  QueryState* const state_;
  const Steps steps_;
  const TimeShift shift_;
  const SelectorReading reading_;
  std::unique_ptr<tsdb::SeriesSet> set_;
  std::vector<SeriesMeta> series_;
  std::vector<tsdb::Row> rows_;
  static constexpr uint32_t kNone = 0xffffffff;
  std::span<const int64_t> shared_times_;  // those that sample_of_ was made for, while they are valid
  std::vector<uint32_t> sample_of_;
  size_t at_ = 0;
  int64_t read_ = 0;  // of the batch
  HeldSamples held_;
};

}  // namespace

TimeShift ShiftOf(const Expr& e, const Steps& query_steps) {
  TimeShift shift;
  shift.offset_ms = e.offset_ms;
  shift.fixed = e.at != AtModifier::kNone;
  shift.at_ms = e.at == AtModifier::kStart ? query_steps.start_ms
                : e.at == AtModifier::kEnd ? query_steps.end_ms
                                           : e.at_ms;
  return shift;
}

OperatorPtr NewInstantSelector(const Expr& selector, QueryState* state, Steps steps,
                               SelectorReading reading) {
  return std::make_unique<InstantSelector>(selector, state, steps, reading);
}

}  // namespace narthex::promql
