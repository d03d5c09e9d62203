#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/extended_rate.h"
#include "promql/kernels.h"
#include "promql/operators/batch_stream.h"
#include "promql/operators/grouping.h"
#include "promql/operators/selectors.h"

namespace narthex::promql {
namespace {

// What does not change from row to row.
struct SelectorCall {
  const Expr& selector;
  QueryState* state;
  Steps steps;
  TimeShift shift;
  SelectorReading reading;
  std::vector<SeriesMeta> series;  // empty if nobody asks for their labels
};

class SelectorRows : public BatchFiller {
 public:
  // The set may belong to somebody else.
  SelectorRows(const SelectorCall& call, tsdb::SeriesSet* set, std::unique_ptr<tsdb::SeriesSet> owned)
      : call_(call),
        set_(set),
        owned_(std::move(owned)),
        state_(call.state),
        steps_(call.steps),
        shift_(call.shift),
        reading_(call.reading) {}

  absl::Status Fill(size_t first, size_t count, Batch* batch, FillNotes* notes) override {
    notes_ = notes;
    const size_t row_bytes = sizeof(double) * static_cast<size_t>(std::max(steps_.count, 1));
    const size_t at_once = std::clamp(kBytesAtOnce / row_bytes, kFewestAtOnce, kBatchSeries);
    for (size_t r = 0; r < count; r += at_once) {
      RETURN_IF_ERROR(state_->Check());
      RETURN_IF_ERROR(FillRows(first + r, std::min(at_once, count - r), r, batch));
    }
    return absl::OkStatus();
  }

 private:
  // So few rows that their samples stay in the cache.
  static constexpr size_t kBytesAtOnce = 128 << 10, kFewestAtOnce = 16;

  // Series [first, first + count) into the rows from `to` on.
  absl::Status FillRows(size_t first, size_t count, size_t to, Batch* batch) {
    RETURN_IF_ERROR(set_->ReadBlock(first, count, &rows_));
    shared_times_ = {};
    for (size_t k = 0; k < count; ++k) {
      const tsdb::Row& row = rows_[k];
      if (call_.selector.smoothed && reading_ == SelectorReading::kValue) {
        FillSmoothed(row, first + k, to + k, batch);
      } else if (row.h.empty() && reading_ == SelectorReading::kValue) {
        FillFloats(row, to + k, batch);
      } else {
        FillAny(row, to + k, batch);
      }
    }
    return absl::OkStatus();
  }

  void Count(size_t step, int64_t samples) {
    notes_->counts.Add(step, samples);
    notes_->held += samples;
  }

  // Which sample of a row with these times each step shows.
  void SetTimes(std::span<const int64_t> t) {
    shared_times_ = t;
    sample_of_.resize(static_cast<size_t>(steps_.count));
    uint32_t next = 0;
    int64_t reference = shift_.Reference(steps_.Time(0));
    const int64_t step = shift_.fixed ? 0 : steps_.step_ms;
    for (size_t i = 0; i < sample_of_.size(); ++i) {
      if (i > 0) reference += step;
      while (next < t.size() && t[next] <= reference) ++next;
      const bool some = next > 0 && t[next - 1] > reference - state_->lookback_ms;
      sample_of_[i] = some ? next - 1 : kNone;
    }
    SetRun();
  }

  // The longest run of steps that show one sample each behind those at the beginning that show none.
  void SetRun() {
    run_begin_ = 0;
    while (run_begin_ < sample_of_.size() && sample_of_[run_begin_] == kNone) ++run_begin_;
    run_end_ = run_begin_;
    while (run_end_ < sample_of_.size() &&
           sample_of_[run_end_] == sample_of_[run_begin_] + (run_end_ - run_begin_)) {
      ++run_end_;
    }
  }

  void FillFloats(const tsdb::Row& row, size_t r, Batch* batch) {
    if (row.v.empty()) return;
    if (row.t.data() != shared_times_.data() || row.t.size() != shared_times_.size()) SetTimes(row.t);
    Batch::Cell* cells = batch->cells(r);
    double* values = batch->values(r);
    const size_t run = run_end_ - run_begin_;
    const double* in_run = run == 0 ? nullptr : row.v.data() + sample_of_[run_begin_];
    const bool plain = run > 0 && !MachineKernels().has_stale(in_run, run);
    if (plain) {
      std::memcpy(values + run_begin_, in_run, run * sizeof(double));
      std::memset(cells + run_begin_, Batch::kFloat, run);
    }
    int64_t all = plain ? static_cast<int64_t>(run) : 0;
    for (size_t i = plain ? run_end_ : run_begin_; i < sample_of_.size(); ++i) {
      if (sample_of_[i] == kNone) continue;
      values[i] = row.v[sample_of_[i]];
      const bool some = !IsStale(values[i]);
      cells[i] = some ? Batch::kFloat : Batch::kEmpty;
      all += some ? 1 : 0;
    }
    notes_->held += all;
    notes_->counts.total += all;
    std::vector<int64_t>& per_step = notes_->counts.per_step;
    for (size_t i = 0; i < per_step.size(); ++i) per_step[i] += cells[i] == Batch::kFloat ? 1 : 0;
  }

  void FillAny(const tsdb::Row& row, size_t r, Batch* batch) {
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
      Count(static_cast<size_t>(i), is_histogram ? SampleCount(*row.h[h - 1].h) : 1);
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
    context.labels = &call_.series[series].labels;
    context.pos = call_.selector.pos;
    context.annotations = &notes_->annotations;
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
        Count(static_cast<size_t>(i), 1);
      } else if (std::optional<FloatHistogram> h = Smoothed(near_histograms, reference, &context)) {
        Count(static_cast<size_t>(i), SampleCount(*h));
        batch->SetHistogram(r, static_cast<size_t>(i), std::make_shared<const FloatHistogram>(*std::move(h)));
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

  const SelectorCall& call_;
  tsdb::SeriesSet* const set_;
  const std::unique_ptr<tsdb::SeriesSet> owned_;
  const QueryState* const state_;
  const Steps steps_;
  const TimeShift shift_;
  const SelectorReading reading_;
  FillNotes* notes_ = nullptr;  // of the batch
  std::vector<tsdb::Row> rows_;
  static constexpr uint32_t kNone = 0xffffffff;
  std::span<const int64_t> shared_times_;  // those that sample_of_ was made for, while they are valid
  std::vector<uint32_t> sample_of_;
  size_t run_begin_ = 0, run_end_ = 0;  // most steps, as storage has left out what none of them shows
};

class InstantSelector : public Operator {
 public:
  InstantSelector(const Expr& selector, QueryState* state, Steps steps, SelectorReading reading)
      : call_{selector, state, steps, ShiftOf(selector, state->steps), reading, {}}, counts_(state->counts) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    ASSIGN_OR_RETURN(call_.series, Select());
    return &call_.series;
  }

  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    ASSIGN_OR_RETURN(std::vector<SeriesMeta> series, Select());
    if (call_.selector.smoothed) call_.series = series;  // annotations name them
    return series;
  }

  // needed_labels are those of the aggregation above.
  absl::StatusOr<bool> TakeGroups(Groups* groups) override {
    if (!call_.selector.needed_labels) return false;
    RETURN_IF_ERROR(Open(/*grouped=*/true));
    std::vector<Labels> labels;
    if (!set_->TakeGroups(&labels, &groups->of)) {
      *groups = GroupSeries(TakeLabels(), *call_.selector.needed_labels, /*without=*/false);
      return true;
    }
    for (Labels& one : labels) groups->series.push_back({std::move(one), false});
    return true;
  }

  absl::StatusOr<bool> Next(Batch* batch) override { return stream_->Next(batch); }

  void Close() override {
    stream_.reset();
    set_.reset();
  }

  bool SeriesDiffer() const override { return true; }

  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "InstantSelector ", ToString(call_.selector), "\n");
  }

 private:
  absl::StatusOr<std::vector<SeriesMeta>> Select() {
    RETURN_IF_ERROR(Open(/*grouped=*/false));
    return TakeLabels();
  }

  std::vector<SeriesMeta> TakeLabels() {
    std::vector<SeriesMeta> series(set_->size());
    for (size_t i = 0; i < series.size(); ++i) series[i].labels = set_->TakeLabels(i);
    return series;
  }

  absl::Status Open(bool grouped) {
    const Expr& selector = call_.selector;
    const Steps& steps = call_.steps;
    const int64_t first = call_.shift.Reference(steps.Time(0));
    const int64_t last = call_.shift.Reference(steps.Time(steps.count - 1));
    tsdb::SelectHints hints;
    hints.start = first - call_.state->lookback_ms + 1;
    hints.end = selector.smoothed ? last + call_.state->lookback_ms : last;
    hints.step = steps.step_ms;
    hints.labels = selector.needed_labels;
    hints.grouped = grouped;
    if (!selector.smoothed && call_.reading != SelectorReading::kStartTimestamp) {
      hints.instants = {first, call_.shift.fixed ? 0 : steps.step_ms, call_.shift.fixed ? 1 : steps.count};
    }
    hints.readers = BatchStream::ReadersWanted(*call_.state, last - first);
    ASSIGN_OR_RETURN(set_, call_.state->Select(selector.matchers, &hints));
    MakeStream(last - first);
    return absl::OkStatus();
  }

  void MakeStream(int64_t span_ms) {
    std::vector<std::unique_ptr<BatchFiller>> fillers;
    fillers.push_back(std::make_unique<SelectorRows>(call_, set_.get(), nullptr));
    const int wanted = BatchStream::FillersWanted(*call_.state, set_->size(), span_ms);
    while (static_cast<int>(fillers.size()) < wanted) {
      std::unique_ptr<tsdb::SeriesSet> reader = set_->NewReader();
      if (reader == nullptr) break;
      tsdb::SeriesSet* const set = reader.get();
      fillers.push_back(std::make_unique<SelectorRows>(call_, set, std::move(reader)));
    }
    stream_.emplace(call_.state, counts_, set_->size(), call_.steps, std::move(fillers));
  }

  SelectorCall call_;
  SampleCounts* const counts_;
  std::unique_ptr<tsdb::SeriesSet> set_;
  std::optional<BatchStream> stream_;
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
