// Where range vectors come from: storage, or the steps of an inner query.
#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/operators/batch_stream.h"
#include "promql/operators/selectors.h"

namespace narthex::promql {
namespace {

bool HasTypeOrUnit(const tsdb::SeriesSet& set) {
  for (size_t i = 0; i < set.size(); ++i) {
    const Labels& labels = set.labels(i);
    if (i > 0 && labels == set.labels(i - 1)) continue;
    for (auto it = labels.begin(); !(it == labels.end()) && it->name <= kUnitLabel; ++it) {
      if (it->name == kTypeLabel || it->name == kUnitLabel) return true;
    }
  }
  return false;
}

class MatrixSource : public RangeSource {
 public:
  MatrixSource(const Expr& matrix, QueryState* state, Steps steps)
      : matrix_(matrix), selector_(*matrix.children[0]), state_(state), steps_(steps) {
    shift = ShiftOf(selector_, state->steps);
    range_ms = matrix.range_ms;
    anchored = selector_.anchored;
    smoothed = selector_.smoothed;
  }

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override {
    ASSIGN_OR_RETURN(series_, TakeSeries());
    return &series_;
  }

  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    int64_t first = shift.Reference(steps_.Time(0)), last = shift.Reference(steps_.Time(steps_.count - 1));
    tsdb::SelectHints hints;
    // anchored and smoothed also look at the sample before the range (and smoothed at the one after it).
    hints.start = first - range_ms + 1 - (anchored || smoothed ? state_->lookback_ms : 0);
    hints.end = last + (smoothed ? state_->lookback_ms : 0);
    hints.range = range_ms;
    hints.step = steps_.step_ms;
    if (const auto made = state_->selected.find(&selector_); made != state_->selected.end()) {
      set_ = std::move(made->second);
      state_->selected.erase(made);
    } else {
      hints.labels = selector_.needed_labels;
      hints.readers = BatchStream::ReadersWanted(*state_, hints.end - hints.start);
      ASSIGN_OR_RETURN(set_, state_->Select(selector_.matchers, &hints));
    }
    if (hints.labels && HasTypeOrUnit(*set_)) {
      // These go together with the name; series may become one without them.
      hints.labels.reset();
      ASSIGN_OR_RETURN(set_, state_->Select(selector_.matchers, &hints));
    }
    std::vector<SeriesMeta> series(set_->size());
    for (size_t i = 0; i < series.size(); ++i) series[i].labels = set_->TakeLabels(i);
    return series;
  }

  absl::Status Read(size_t first, size_t count, std::vector<Points>* out) override {
    ASSIGN_OR_RETURN(const std::vector<tsdb::Row>* rows, ReadRows(first, count));
    out->clear();
    for (const tsdb::Row& row : *rows) out->push_back(PointsOf(row, state_->use_start_timestamps));
    return absl::OkStatus();
  }

  absl::StatusOr<const std::vector<tsdb::Row>*> ReadRows(size_t first, size_t count) override {
    RETURN_IF_ERROR(state_->Check());
    RETURN_IF_ERROR(set_->ReadBlock(first, count, &rows_));
    return &rows_;
  }

  std::unique_ptr<RangeSource> NewReader() override {
    std::unique_ptr<tsdb::SeriesSet> set = set_->NewReader();
    if (set == nullptr) return nullptr;
    auto reader = std::make_unique<MatrixSource>(matrix_, state_, steps_);
    reader->set_ = std::move(set);
    return reader;
  }

  void Close() override { set_.reset(); }
  bool SeriesDiffer() const override { return true; }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "MatrixSelector ", ToString(matrix_), "\n");
  }

 private:
  const Expr& matrix_;
  const Expr& selector_;
  QueryState* const state_;
  const Steps steps_;
  std::unique_ptr<tsdb::SeriesSet> set_;
  std::vector<SeriesMeta> series_;
  std::vector<tsdb::Row> rows_;
};

class SubquerySource : public RangeSource {
 public:
  SubquerySource(const Expr& subquery, OperatorPtr inner, QueryState* state, Steps inner_steps)
      : subquery_(subquery), inner_(std::move(inner)), state_(state), inner_steps_(inner_steps) {
    shift = ShiftOf(subquery, state->steps);
    range_ms = subquery.range_ms;
  }

  absl::StatusOr<const std::vector<SeriesMeta>*> Series() override { return inner_->Series(); }
  absl::StatusOr<std::vector<SeriesMeta>> TakeSeries() override {
    ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* series, inner_->Series());
    return *series;
  }

  // The inner operator's batches arrive in the order in which they are read here.
  absl::Status Read(size_t first, size_t count, std::vector<Points>* out) override {
    out->assign(count, Points());
    for (size_t r = 0; r < count; ++r) {
      if (batch_row_ >= batch_.series()) {
        ASSIGN_OR_RETURN(bool more, inner_->Next(&batch_));
        if (!more) return absl::InternalError("subquery ended before its last series");
        batch_row_ = 0;
      }
      Fill(batch_row_++, &(*out)[r]);
    }
    return absl::OkStatus();
  }

  void Close() override { inner_->Close(); }
  bool SeriesDiffer() const override { return inner_->SeriesDiffer(); }
  void Explain(int depth, std::string* out) const override {
    StrAppend(out, ExplainIndent(depth), "Subquery [", subquery_.range_ms, "ms:", inner_steps_.step_ms,
              "ms]\n");
    inner_->Explain(depth + 1, out);
  }

 private:
  void Fill(size_t row, Points* out) {
    for (int i = 0; i < inner_steps_.count; ++i) {
      size_t step = static_cast<size_t>(i);
      Batch::Cell cell = batch_.cells(row)[step];
      if (cell == Batch::kFloat) out->floats.push_back({inner_steps_.Time(i), batch_.values(row)[step]});
      if (cell == Batch::kHistogram) {
        out->histograms.push_back({inner_steps_.Time(i), WithoutResetHint(batch_.histogram(row, step))});
      }
    }
  }

  // A hint speaks of the sample before it in storage, which a subquery may have passed over.
  static HistogramPtr WithoutResetHint(const HistogramPtr& h) {
    if (h->hint != CounterResetHint::kReset && h->hint != CounterResetHint::kNotReset) return h;
    auto out = std::make_shared<FloatHistogram>(*h);
    out->hint = CounterResetHint::kUnknown;
    return out;
  }

  const Expr& subquery_;
  OperatorPtr inner_;
  QueryState* const state_;
  const Steps inner_steps_;
  Batch batch_;
  size_t batch_row_ = 0;
};

}  // namespace

std::unique_ptr<RangeSource> NewMatrixSource(const Expr& matrix, QueryState* state, Steps steps) {
  return std::make_unique<MatrixSource>(matrix, state, steps);
}

std::unique_ptr<RangeSource> NewSubquerySource(const Expr& subquery, OperatorPtr inner, QueryState* state,
                                               Steps inner_steps, const SampleCounts* counts) {
  auto source = std::make_unique<SubquerySource>(subquery, std::move(inner), state, inner_steps);
  source->inner_counts = counts;
  return source;
}

RangeSource::Points PointsOf(const tsdb::Row& row, bool use_start_timestamps) {
  RangeSource::Points points;
  const bool starts = use_start_timestamps && !row.start_t.empty();
  points.floats.reserve(row.t.size());
  for (size_t i = 0; i < row.t.size(); ++i) {
    if (IsStale(row.v[i])) continue;
    points.floats.push_back({row.t[i], row.v[i]});
    if (starts) points.float_starts.push_back(row.start_t[i]);
  }
  const bool histogram_starts = use_start_timestamps && !row.h_start_t.empty();
  for (size_t i = 0; i < row.h.size(); ++i) {
    if (row.h[i].h->IsStaleMarker()) continue;
    points.histograms.push_back(row.h[i]);
    if (histogram_starts) points.histogram_starts.push_back(row.h_start_t[i]);
  }
  return points;
}

std::span<const FloatPoint> FloatWindow(const std::vector<FloatPoint>& points, int64_t start_ms,
                                        int64_t end_ms) {
  auto after = [](int64_t t, const FloatPoint& p) { return t < p.t; };
  auto lo = std::upper_bound(points.begin(), points.end(), start_ms, after);
  auto hi = std::upper_bound(lo, points.end(), end_ms, after);
  return {lo, hi};
}

std::span<const HistogramPoint> HistogramWindow(const std::vector<HistogramPoint>& points, int64_t start_ms,
                                                int64_t end_ms) {
  auto after = [](int64_t t, const HistogramPoint& p) { return t < p.t; };
  auto lo = std::upper_bound(points.begin(), points.end(), start_ms, after);
  auto hi = std::upper_bound(lo, points.end(), end_ms, after);
  return {lo, hi};
}

}  // namespace narthex::promql
