#include <algorithm>
#include <optional>

#include "base/status_macros.h"
#include "base/strings.h"
#include "model/sample.h"
#include "promql/functions/annotation_texts.h"
#include "promql/kernels.h"
#include "promql/operators/batch_stream.h"
#include "promql/operators/row_functions.h"
#include "promql/operators/row_windows.h"
#include "promql/operators/selectors.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

// The metric names of all series, for annotations, and their types, where the engine goes by them. Mostly
// they all have the same.
class MetricNames {
 public:
  explicit MetricNames(const std::vector<SeriesMeta>& series = {}, bool with_types = false) {
    const Labels* last = nullptr;
    for (size_t i = 0; i < series.size(); ++i) {
      const Labels& labels = series[i].labels;
      if (last != nullptr && labels == *last) continue;
      last = &labels;
      const std::string_view name = labels.MetricName();
      const std::string_view type = with_types ? labels.Get(kTypeLabel) : std::string_view();
      if (!names_.empty() && names_.back().MetricName() == name && names_.back().Get(kTypeLabel) == type)
        continue;
      names_.push_back(LabelsBuilder(Labels()).Set(kMetricName, name).Set(kTypeLabel, type).Build());
      first_.push_back(i);
    }
  }
  // As labels: nothing but these.
  const Labels& Of(size_t series) const {
    const auto after = std::upper_bound(first_.begin(), first_.end(), series);
    return names_[static_cast<size_t>(after - first_.begin()) - 1];
  }

 private:
  std::vector<Labels> names_;
  std::vector<size_t> first_;  // the series from which on each holds
};

// What does not change from row to row.
struct RangeCall {
  const Expr& call;
  const FunctionImpl& function;
  QueryState* state;
  Steps steps;
  bool wants_counter;
  size_t series_count;
  MetricNames names;
  std::vector<std::vector<double>> scalar_rows;
};

class RangeRows : public BatchFiller {
 public:
  // The source may belong to somebody else.
  RangeRows(const RangeCall& call, RangeSource* source, std::unique_ptr<RangeSource> owned)
      : call_(call),
        source_(source),
        owned_(std::move(owned)),
        state_(call.state),
        steps_(call.steps),
        rows_at_once_(RowsAtOnce(steps_.end_ms - steps_.start_ms + source_->range_ms)),
        row_function_(source_->anchored || source_->smoothed ? nullptr : NewRowFunction(call.function.name)),
        windows_(steps_, source_->shift, source_->range_ms) {}

  absl::Status Fill(size_t first, size_t count, Batch* batch, FillNotes* notes) override {
    notes_ = notes;
    for (size_t r = 0; r < count; r += rows_at_once_) {
      RETURN_IF_ERROR(FillRows(first + r, std::min(rows_at_once_, count - r), r, batch));
    }
    return absl::OkStatus();
  }

 private:
  // So few that their samples stay in the cache.
  static size_t RowsAtOnce(int64_t span_ms) {
    constexpr int64_t kShortMs = 900'000;
    return span_ms <= kShortMs ? kBatchSeries : kBatchSeries / 4;
  }

  // Series [first, first + count) into the rows from `to` on.
  absl::Status FillRows(size_t first, size_t count, size_t to, Batch* batch) {
    RETURN_IF_ERROR(state_->Check());
    const std::vector<tsdb::Row>* rows = nullptr;
    if (row_function_ != nullptr) {
      ASSIGN_OR_RETURN(rows, source_->ReadRows(first, count));
    }
    if (rows == nullptr) {
      RETURN_IF_ERROR(source_->Read(first, count, &points_));
      for (size_t r = 0; r < count; ++r) {
        notes_->held += static_cast<int64_t>(points_[r].floats.size() + points_[r].histograms.size());
        RETURN_IF_ERROR(FillPoints(points_[r], first + r, to + r, batch));
      }
      return absl::OkStatus();
    }
    shared_times_ = {};
    for (size_t r = 0; r < count; ++r) {
      const tsdb::Row& row = (*rows)[r];
      notes_->held += static_cast<int64_t>(row.v.size() + row.h.size());
      const bool starts = state_->use_start_timestamps && !row.start_t.empty();
      if (row.h.empty() && !starts) {
        FillRow(row, first + r, to + r, batch);
      } else {
        const RangeSource::Points points = PointsOf(row, state_->use_start_timestamps);
        RETURN_IF_ERROR(FillPoints(points, first + r, to + r, batch));
      }
    }
    return absl::OkStatus();
  }

  // A row of floats, with stale markers or not.
  void FillRow(const tsdb::Row& row, size_t series, size_t r, Batch* batch) {
    if (row.v.empty()) return;
    const double* v = row.v.data();
    if (MachineKernels().has_stale(row.v.data(), row.v.size())) {
      own_times_.clear();
      own_values_.clear();
      for (size_t i = 0; i < row.v.size(); ++i) {
        if (IsStale(row.v[i])) continue;
        own_times_.push_back(row.t[i]);
        own_values_.push_back(row.v[i]);
      }
      v = own_values_.data();
      SetTimes(own_times_);
      shared_times_ = {};
    } else if (row.t.data() != shared_times_.data() || row.t.size() != shared_times_.size()) {
      SetTimes(row.t);
      shared_times_ = row.t;
    }
    notes_->counts.Add(window_sizes_, all_windows_);
    row_function_->Fill(v, batch->cells(r), batch->values(r));
    if (call_.wants_counter) NoteNonCounter(call_.names.Of(series), batch->cells(r), batch->steps());
  }

  void SetTimes(std::span<const int64_t> t) {
    windows_.Set(t);
    row_function_->SetWindows(windows_);
    window_sizes_.resize(windows_.steps());
    all_windows_ = 0;
    for (size_t i = 0; i < window_sizes_.size(); ++i) {
      all_windows_ += window_sizes_[i] = windows_.hi(i) - windows_.lo(i);
    }
  }

  void NoteNonCounter(const Labels& labels, const Batch::Cell* cells, size_t steps) {
    std::string text = NonCounterText(labels, state_->type_and_unit_labels);
    if (text.empty() || std::find(cells, cells + steps, Batch::kFloat) == cells + steps) return;
    notes_->annotations.Add(std::move(text), ArgumentPosition(*call_.call.children[0]), call_.call.pos);
  }

  // The window of a step. anchored and smoothed also look before the range, as far as the lookback goes, and
  // smoothed as far behind it.
  Window WindowOf(const RangeSource::Points& points, int64_t end_ms) const {
    Window window;
    window.end_ms = end_ms;
    window.start_ms = end_ms - source_->range_ms;
    window.range_ms = source_->range_ms;
    window.anchored = source_->anchored;
    window.smoothed = source_->smoothed;
    int64_t from = window.start_ms, to = window.end_ms;
    if (window.anchored || window.smoothed) from -= state_->lookback_ms;
    if (window.smoothed) to += state_->lookback_ms;
    window.floats = FloatWindow(points.floats, from, to);
    window.histograms = HistogramWindow(points.histograms, from, to);
    window.float_starts = StartsOf(window.floats, points.floats, points.float_starts);
    window.histogram_starts = StartsOf(window.histograms, points.histograms, points.histogram_starts);
    return window;
  }

  template <typename Point>
  static std::span<const int64_t> StartsOf(std::span<const Point> window, const std::vector<Point>& points,
                                           const std::vector<int64_t>& starts) {
    if (starts.empty() || window.empty()) return {};
    return std::span(starts).subspan(static_cast<size_t>(window.data() - points.data()), window.size());
  }

  absl::Status FillPoints(const RangeSource::Points& points, size_t series, size_t r, Batch* batch) {
    if (points.floats.empty() && points.histograms.empty()) return absl::OkStatus();
    std::vector<double> scalars(call_.scalar_rows.size());
    CallContext context;
    context.labels = &call_.names.Of(series);
    context.pos = ArgumentPosition(*call_.call.children[0]);
    context.node = call_.call.pos;
    context.annotations = &notes_->annotations;
    for (int i = 0; i < steps_.count; ++i) {
      Window window = WindowOf(points, source_->shift.Reference(steps_.Time(i)));
      if (window.floats.empty() && window.histograms.empty()) continue;
      CountSamples(window, static_cast<size_t>(i));
      for (size_t k = 0; k < scalars.size(); ++k) scalars[k] = call_.scalar_rows[k][static_cast<size_t>(i)];
      context.scalars = scalars;
      context.time_ms = steps_.Time(i);
      Value out;
      bool some = call_.function.range(window, &context, &out);
      if (!context.status.ok()) return context.status;
      if (!some) continue;
      NoteNonCounter(context, window);
      if (out.h) {
        batch->SetHistogram(r, static_cast<size_t>(i), std::move(out.h));
      } else {
        batch->SetFloat(r, static_cast<size_t>(i), out.v);
      }
    }
    return absl::OkStatus();
  }

  void NoteNonCounter(const CallContext& context, const Window& window) {
    if (!call_.wants_counter || window.floats.empty()) return;
    std::string text = NonCounterText(*context.labels, state_->type_and_unit_labels);
    if (!text.empty()) notes_->annotations.Add(std::move(text), context.pos, context.node);
  }

  void CountSamples(const Window& window, size_t step) {
    int64_t samples = static_cast<int64_t>(window.floats.size());
    for (const HistogramPoint& point : window.histograms) samples += SampleCount(*point.h);
    notes_->counts.Add(step, samples);
  }

  const RangeCall& call_;
  RangeSource* const source_;
  const std::unique_ptr<RangeSource> owned_;
  const QueryState* const state_;
  const Steps steps_;
  FillNotes* notes_ = nullptr;  // of the batch
  std::vector<RangeSource::Points> points_;
  const size_t rows_at_once_;
  const std::unique_ptr<RowFunction> row_function_;  // null: window by window
  RowWindows windows_;
  std::vector<int64_t> window_sizes_;
  int64_t all_windows_ = 0;
  std::span<const int64_t> shared_times_;  // those that windows_ was set to, while they are valid
  std::vector<int64_t> own_times_;
  std::vector<double> own_values_;
};

class RangeFunction : public Operator {
 public:
  RangeFunction(const Expr& call, const FunctionImpl& function, std::unique_ptr<RangeSource> source,
                std::vector<OperatorPtr> scalars, QueryState* state, Steps steps)
      : call_{call, function, state, steps, IsRate(call), 0, MetricNames(), {}},
        source_(std::move(source)),
        scalars_(std::move(scalars)),
        counts_(state->counts) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    ASSIGN_OR_RETURN(series_, TakeSeries());
    return &series_;
  }

  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    for (OperatorPtr& scalar : scalars_) {
      ASSIGN_OR_RETURN(std::vector<double> row, ReadScalar(scalar.get(), call_.steps.count));
      call_.scalar_rows.push_back(std::move(row));
    }
    ASSIGN_OR_RETURN(std::vector<SeriesMeta> series, source_->TakeSeries());
    if (!call_.function.keeps_name) {
      for (SeriesMeta& meta : series) meta.drop_name = true;
    }
    call_.series_count = series.size();
    call_.names = MetricNames(series, call_.state->type_and_unit_labels);
    MakeStream();
    return series;
  }

  absl::StatusOr<bool> Next(Batch* batch) override { return stream_->Next(batch); }

  void Close() override {
    stream_.reset();
    source_->Close();
  }
  bool SeriesDiffer() const override { return source_->SeriesDiffer(); }

  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "RangeFunction ", call_.call.function->name, "\n");
    source_->Explain(depth + 1, out);
  }

 private:
  static bool IsRate(const Expr& call) {
    return call.function->name == "rate" || call.function->name == "increase";
  }

  void MakeStream() {
    std::vector<std::unique_ptr<BatchFiller>> fillers;
    fillers.push_back(std::make_unique<RangeRows>(call_, source_.get(), nullptr));
    const int64_t span_ms = call_.steps.end_ms - call_.steps.start_ms + source_->range_ms;
    const int wanted = BatchStream::FillersWanted(*call_.state, call_.series_count, span_ms);
    while (static_cast<int>(fillers.size()) < wanted) {
      std::unique_ptr<RangeSource> reader = source_->NewReader();
      if (reader == nullptr) break;
      RangeSource* const source = reader.get();
      fillers.push_back(std::make_unique<RangeRows>(call_, source, std::move(reader)));
    }
    stream_.emplace(call_.state, counts_, call_.series_count, call_.steps, std::move(fillers));
  }

  RangeCall call_;
  std::unique_ptr<RangeSource> source_;
  std::vector<OperatorPtr> scalars_;
  std::vector<SeriesMeta> series_;  // if somebody only looks at it
  SampleCounts* const counts_;
  std::optional<BatchStream> stream_;
};

}  // namespace

OperatorPtr NewRangeFunction(const Expr& call, const FunctionImpl& function,
                             std::unique_ptr<RangeSource> source, std::vector<OperatorPtr> scalars,
                             QueryState* state, Steps steps) {
  return std::make_unique<RangeFunction>(call, function, std::move(source), std::move(scalars), state, steps);
}

}  // namespace narthex::promql
