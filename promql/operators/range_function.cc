#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "model/sample.h"
#include "promql/functions/annotation_texts.h"
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
        wants_counter_(call.function->name == "rate" || call.function->name == "increase") {}

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    for (OperatorPtr& scalar : scalars_) {
      ASSIGN_OR_RETURN(std::vector<double> row, ReadScalar(scalar.get(), steps_.count));
      scalar_rows_.push_back(std::move(row));
    }
    ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* inner, source_->Series());
    inner_ = inner;
    series_ = *inner;
    for (SeriesMeta& meta : series_) meta.drop_name |= !function_.keeps_name;
    return &series_;
  }

  absl::StatusOr<bool> Next(Batch* batch) override {
    size_t count = std::min(kBatchSeries, series_.size() - at_);
    if (count == 0) return false;
    RETURN_IF_ERROR(state_->Check());
    RETURN_IF_ERROR(source_->Read(at_, count, &points_));
    int64_t samples = 0;
    for (const RangeSource::Points& p : points_)
      samples += static_cast<int64_t>(p.floats.size() + p.histograms.size());
    RETURN_IF_ERROR(state_->Hold(samples));
    batch->Reset(count, static_cast<size_t>(steps_.count));
    absl::Status status;
    for (size_t r = 0; r < count && status.ok(); ++r) status = Fill(points_[r], at_ + r, r, batch);
    state_->Release(samples);
    RETURN_IF_ERROR(status);
    at_ += count;
    return true;
  }

  void Close() override { source_->Close(); }

  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "RangeFunction ", call_.function->name, "\n");
    source_->Explain(depth + 1, out);
  }

 private:
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
    context.labels = &(*inner_)[series].labels;
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
  const std::vector<SeriesMeta>* inner_ = nullptr;
  std::vector<SeriesMeta> series_;
  std::vector<std::vector<double>> scalar_rows_;
  std::vector<RangeSource::Points> points_;
  size_t at_ = 0;
};

}  // namespace

OperatorPtr NewRangeFunction(const Expr& call, const FunctionImpl& function,
                             std::unique_ptr<RangeSource> source, std::vector<OperatorPtr> scalars,
                             QueryState* state, Steps steps) {
  return std::make_unique<RangeFunction>(call, function, std::move(source), std::move(scalars), state, steps);
}

}  // namespace narthex::promql
