#include <set>

#include "promql/operators/selectors.h"
#include "promql/operators/whole.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

class Absent : public WholeMatrixOperator {
 public:
  Absent(const Expr& call, OperatorPtr child, QueryState* state, Steps steps)
      : WholeMatrixOperator("Absent", state, steps), labels_(AbsentLabels(*call.children[0])) {
    children_.push_back(std::move(child));
  }

 private:
  absl::StatusOr<Matrix> Compute() override {
    std::vector<char> present(columns(), 0);
    RETURN_IF_ERROR(children_[0]->Series().status());
    Batch batch;
    while (true) {
      RETURN_IF_ERROR(state_->Check());
      ASSIGN_OR_RETURN(bool more, children_[0]->Next(&batch));
      if (!more) break;
      for (size_t r = 0; r < batch.series(); ++r) {
        for (size_t i = 0; i < columns(); ++i) present[i] |= batch.cells(r)[i] != Batch::kEmpty;
      }
    }
    Matrix out;
    out.series.push_back({labels_, false});
    out.rows.Reset(1, columns());
    for (size_t i = 0; i < columns(); ++i) {
      if (!present[i]) out.rows.SetFloat(0, i, 1);
    }
    return out;
  }

  const Labels labels_;
};

class AbsentOverTime : public WholeMatrixOperator {
 public:
  AbsentOverTime(const Expr& call, std::unique_ptr<RangeSource> source, QueryState* state, Steps steps)
      : WholeMatrixOperator("AbsentOverTime", state, steps),
        labels_(AbsentLabels(*call.children[0])),
        source_(std::move(source)),
        counts_(state->counts) {}

 private:
  absl::StatusOr<Matrix> Compute() override {
    std::vector<char> present(columns(), 0);
    ASSIGN_OR_RETURN(const std::vector<SeriesMeta>* series, source_->Series());
    std::vector<RangeSource::Points> points;
    for (size_t at = 0; at < series->size(); at += points.size()) {
      RETURN_IF_ERROR(state_->Check());
      RETURN_IF_ERROR(source_->Read(at, std::min(kBatchSeries, series->size() - at), &points));
      for (const RangeSource::Points& p : points) {
        for (int i = 0; i < steps_.count; ++i) {
          int64_t end = source_->shift.Reference(steps_.Time(i)), start = end - source_->range_ms;
          const size_t floats = FloatWindow(p.floats, start, end).size();
          const std::span<const HistogramPoint> histograms = HistogramWindow(p.histograms, start, end);
          present[static_cast<size_t>(i)] |= floats > 0 || !histograms.empty();
          counts_->Add(static_cast<size_t>(i), static_cast<int64_t>(floats));
          for (const HistogramPoint& point : histograms) {
            counts_->Add(static_cast<size_t>(i), SampleCount(*point.h));
          }
        }
      }
    }
    source_->Close();
    Matrix out;
    // As upstream, types and units go in the end, as if there had been a name.
    out.series.push_back({labels_, state_->delayed_name_removal});
    out.rows.Reset(1, columns());
    for (size_t i = 0; i < columns(); ++i) {
      if (!present[i]) out.rows.SetFloat(0, i, 1);
    }
    return out;
  }

  const Labels labels_;
  std::unique_ptr<RangeSource> source_;
  SampleCounts* const counts_;
};

}  // namespace

Labels AbsentLabels(const Expr& argument) {
  const Expr* selector = &argument;
  while (selector->kind == ExprKind::kParen || selector->kind == ExprKind::kStepInvariant) {
    selector = selector->children[0].get();
  }
  if (selector->kind == ExprKind::kMatrixSelector) selector = selector->children[0].get();
  if (selector->kind != ExprKind::kVectorSelector) return Labels();
  LabelsBuilder labels;
  std::set<std::string> seen;
  for (const Matcher& matcher : selector->matchers) {
    if (matcher.name() == kMetricName) continue;
    // A name that is matched twice, or not by equality, says nothing for sure.
    if (matcher.op() == MatchOp::kEqual && seen.insert(matcher.name()).second) {
      labels.Set(matcher.name(), matcher.value());
    } else {
      seen.insert(matcher.name());
      labels.Del(matcher.name());
    }
  }
  return labels.Build();
}

OperatorPtr NewAbsent(const Expr& call, OperatorPtr child, QueryState* state, Steps steps) {
  return std::make_unique<Absent>(call, std::move(child), state, steps);
}

OperatorPtr NewAbsentOverTime(const Expr& call, std::unique_ptr<RangeSource> source, QueryState* state,
                              Steps steps) {
  return std::make_unique<AbsentOverTime>(call, std::move(source), state, steps);
}

}  // namespace narthex::promql
