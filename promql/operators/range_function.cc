#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "model/sample.h"
#include "promql/functions/annotation_texts.h"
#include "promql/kernels.h"
#include "promql/operators/row_functions.h"
#include "promql/operators/row_windows.h"
#include "promql/operators/selectors.h"
#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

bool LooksLikeCounter(std::string_view name) {
  return name.empty() || name.ends_with("_total") || name.ends_with("_sum") || name.ends_with("_count") ||
         name.ends_with("_bucket");
}

class RangeFunction : public Operator {
 public:
  RangeFunction(const Expr& call, const FunctionImpl& function, std::unique_ptr<RangeSource> source,
                std::vector<OperatorPtr> scalars, QueryState* state, Steps steps)
      : call_(call),
        function_(function),
        source_(std::move(source)),
        scalars_(std::move(scalars)),
        state_(state),
        steps_(steps),
        wants_counter_(call.function->name == "rate" || call.function->name == "increase"),
        row_function_(source_->anchored || source_->smoothed ? nullptr : NewRowFunction(function.name)),
        windows_(steps, source_->shift, source_->range_ms) {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    for (OperatorPtr& scalar : scalars_) {
      ASSIGN_OR_RETURN(std::vector<double> row, ReadScalar(scalar.get(), steps_.count));
      scalar_rows_.push_back(std::move(row));
    }
    ASSIGN_OR_RETURN(series_, source_->TakeSeries());
    if (!function_.keeps_name) {
      for (SeriesMeta& meta : series_) meta.drop_name = true;
    }
    return &series_;
  }

  absl::StatusOr<bool> Next(Batch* batch) override {
    const size_t count = std::min(kBatchSeries, series_.size() - at_);
    if (count == 0) return false;
    batch->Reset(count, static_cast<size_t>(steps_.count));
    int64_t held = 0;
    absl::Status status;
    for (size_t r = 0; r < count && status.ok(); r += kRowsAtOnce) {
      status = FillRows(r, std::min(kRowsAtOnce, count - r), batch, &held);
    }
    state_->Release(held);
    RETURN_IF_ERROR(status);
    at_ += count;
    return true;
  }

  void Close() override { source_->Close(); }
  bool SeriesDiffer() const override { return source_->SeriesDiffer(); }

  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "RangeFunction ", call_.function->name, "\n");
    source_->Explain(depth + 1, out);
  }

 private:
  // So few that their samples stay in the cache.
  static constexpr size_t kRowsAtOnce = 16;

  absl::Status Hold(size_t samples, int64_t* held) {
    RETURN_IF_ERROR(state_->Hold(static_cast<int64_t>(samples)));
    *held += static_cast<int64_t>(samples);
    return absl::OkStatus();
  }

  // Rows [first, first + count) of the batch.
  absl::Status FillRows(size_t first, size_t count, Batch* batch, int64_t* held) {
    RETURN_IF_ERROR(state_->Check());
    const std::vector<tsdb::Row>* rows = nullptr;
    if (row_function_ != nullptr) {
      ASSIGN_OR_RETURN(rows, source_->ReadRows(at_ + first, count));
    }
    if (rows == nullptr) {
      RETURN_IF_ERROR(source_->Read(at_ + first, count, &points_));
      for (size_t r = 0; r < count; ++r) {
        RETURN_IF_ERROR(Hold(points_[r].floats.size() + points_[r].histograms.size(), held));
        RETURN_IF_ERROR(Fill(points_[r], at_ + first + r, first + r, batch));
      }
      return absl::OkStatus();
    }
    shared_times_ = {};
    size_t floats = 0;
    for (const tsdb::Row& row : *rows) floats += row.v.size();
    RETURN_IF_ERROR(Hold(floats, held));
    for (size_t r = 0; r < count; ++r) {
      const tsdb::Row& row = (*rows)[r];
      const bool starts = state_->use_start_timestamps && !row.start_t.empty();
      if (row.h.empty() && !starts) {
        FillRow(row, at_ + first + r, first + r, batch);
        continue;
      }
      const RangeSource::Points points = PointsOf(row, state_->use_start_timestamps);
      const size_t samples = points.floats.size() + points.histograms.size();
      state_->samples_read += static_cast<int64_t>(samples);
      RETURN_IF_ERROR(Hold(points.histograms.size(), held));
      RETURN_IF_ERROR(Fill(points, at_ + first + r, first + r, batch));
    }
    return absl::OkStatus();
  }

  // A row of floats, with stale markers or not.
  void FillRow(const tsdb::Row& row, size_t series, size_t r, Batch* batch) {
    if (row.v.empty()) return;
    const double* v = row.v.data();
    state_->samples_read += static_cast<int64_t>(row.v.size());
    if (MachineKernels().has_stale(row.v.data(), row.v.size())) {
      own_times_.clear();
      own_values_.clear();
      for (size_t i = 0; i < row.v.size(); ++i) {
        if (IsStale(row.v[i])) continue;
        own_times_.push_back(row.t[i]);
        own_values_.push_back(row.v[i]);
      }
      state_->samples_read -= static_cast<int64_t>(row.v.size() - own_values_.size());
      v = own_values_.data();
      SetTimes(own_times_);
      shared_times_ = {};
    } else if (row.t.data() != shared_times_.data() || row.t.size() != shared_times_.size()) {
      SetTimes(row.t);
      shared_times_ = row.t;
    }
    row_function_->Fill(v, batch->cells(r), batch->values(r));
    if (wants_counter_) NoteNonCounter(series_[series].labels, batch->cells(r), batch->steps());
  }

  void SetTimes(std::span<const int64_t> t) {
    windows_.Set(t);
    row_function_->SetWindows(windows_);
  }

  void NoteNonCounter(const Labels& labels, const Batch::Cell* cells, size_t steps) {
    if (LooksLikeCounter(labels.MetricName())) return;
    if (std::find(cells, cells + steps, Batch::kFloat) == cells + steps) return;
    state_->annotations.Add(PossibleNonCounterText(labels.MetricName()), call_.children[0]->pos);
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

  absl::Status Fill(const RangeSource::Points& points, size_t series, size_t r, Batch* batch) {
    if (points.floats.empty() && points.histograms.empty()) return absl::OkStatus();
    std::vector<double> scalars(scalar_rows_.size());
    CallContext context;
    context.labels = &series_[series].labels;
    context.pos = call_.children[0]->pos;
    context.annotations = &state_->annotations;
    for (int i = 0; i < steps_.count; ++i) {
      Window window = WindowOf(points, source_->shift.Reference(steps_.Time(i)));
      if (window.floats.empty() && window.histograms.empty()) continue;
      for (size_t k = 0; k < scalars.size(); ++k) scalars[k] = scalar_rows_[k][static_cast<size_t>(i)];
      context.scalars = scalars;
      context.time_ms = steps_.Time(i);
      Value out;
      bool some = function_.range(window, &context, &out);
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
    if (!wants_counter_ || window.floats.empty() || LooksLikeCounter(context.MetricName())) return;
    state_->annotations.Add(PossibleNonCounterText(context.MetricName()), context.pos);
  }

  const Expr& call_;
  const FunctionImpl& function_;
  std::unique_ptr<RangeSource> source_;
  std::vector<OperatorPtr> scalars_;
  QueryState* const state_;
  const Steps steps_;
  const bool wants_counter_;
  std::vector<SeriesMeta> series_;
  std::vector<std::vector<double>> scalar_rows_;
  std::vector<RangeSource::Points> points_;
  size_t at_ = 0;
  const std::unique_ptr<RowFunction> row_function_;  // null: window by window
  RowWindows windows_;
  std::span<const int64_t> shared_times_;  // those that windows_ was set to, while they are valid
  std::vector<int64_t> own_times_;
  std::vector<double> own_values_;
};

}  // namespace

OperatorPtr NewRangeFunction(const Expr& call, const FunctionImpl& function,
                             std::unique_ptr<RangeSource> source, std::vector<OperatorPtr> scalars,
                             QueryState* state, Steps steps) {
  return std::make_unique<RangeFunction>(call, function, std::move(source), std::move(scalars), state, steps);
}

}  // namespace narthex::promql
