// quantile and count_values: aggregations that need all values of a step.
#include <map>

#include "absl/container/flat_hash_map.h"
#include "base/go_format.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/quantile.h"
#include "promql/operators/grouping.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

class QuantileAggregate : public WholeMatrixOperator {
 public:
  QuantileAggregate(const Expr& aggregate, OperatorPtr parameter, OperatorPtr child, QueryState* state,
                    Steps steps)
      : WholeMatrixOperator("Aggregate quantile", state, steps), aggregate_(aggregate) {
    children_.push_back(std::move(parameter));
    children_.push_back(std::move(child));
  }

 private:
  absl::StatusOr<Matrix> Compute() override {
    ASSIGN_OR_RETURN(std::vector<double> q, ReadScalar(children_[0].get(), steps_.count));
    ASSIGN_OR_RETURN(Matrix input, Input(1));
    CheckParameter(RangeOf(q));
    Groups groups = GroupSeries(input.series, aggregate_.grouping, aggregate_.without);
    std::vector<std::vector<size_t>> members(groups.series.size());
    for (size_t s = 0; s < groups.of.size(); ++s) members[groups.of[s]].push_back(s);
    Matrix out;
    out.rows.Reset(groups.series.size(), columns());
    for (size_t i = 0; i < columns(); ++i) {
      RETURN_IF_ERROR(state_->Check());
      for (size_t g = 0; g < members.size(); ++g) Fill(input, members[g], i, q[i], g, &out.rows);
    }
    out.series = std::move(groups.series);
    return out;
  }

  // Once a query, and even where there is nothing to aggregate.
  void CheckParameter(ParameterRange q) {
    const auto warn = [this](double bad) {
      state_->annotations.Add(InvalidQuantileText(bad), ArgumentPosition(*aggregate_.children[0]),
                              aggregate_.pos);
    };
    if (!(q.max <= 1)) warn(q.max);
    if (q.min < 0) warn(q.min);
  }

  void Fill(const Matrix& input, const std::vector<size_t>& members, size_t step, double q, size_t row,
            Batch* out) {
    std::vector<double> values;
    for (size_t s : members) {
      Batch::Cell cell = input.rows.cells(s)[step];
      if (cell == Batch::kFloat) values.push_back(input.rows.values(s)[step]);
      if (cell == Batch::kHistogram) {
        state_->annotations.Add(HistogramIgnoredInAggregationText("quantile"),
                                ArgumentPosition(*aggregate_.children.back()), aggregate_.pos);
      }
    }
    if (!values.empty()) out->SetFloat(row, step, Quantile(q, &values));
  }

  const Expr& aggregate_;
};

class CountValues : public WholeMatrixOperator {
 public:
  CountValues(const Expr& aggregate, std::string label, OperatorPtr child, QueryState* state, Steps steps)
      : WholeMatrixOperator("Aggregate count_values", state, steps),
        aggregate_(aggregate),
        label_(std::move(label)) {
    children_.push_back(std::move(child));
  }
  ~CountValues() override {
    if (charged_ > 0) state_->budget->Release(charged_);
  }

 private:
  absl::StatusOr<Matrix> Compute() override {
    if (label_.empty() || !IsValidUtf8(label_)) {
      return absl::FailedPreconditionError(StrCat("invalid label name ", GoQuote(label_)));
    }
    ASSIGN_OR_RETURN(Matrix input, Input(0));
    std::vector<std::string> grouping = aggregate_.grouping;
    if (!aggregate_.without) grouping.push_back(label_);
    std::map<Labels, std::vector<double>> counts;  // by output labels; one count a step
    for (size_t s = 0; s < input.series.size(); ++s) {
      RETURN_IF_ERROR(state_->Check());
      for (size_t i = 0; i < columns(); ++i) {
        Batch::Cell cell = input.rows.cells(s)[i];
        if (cell == Batch::kEmpty) continue;
        std::string value = cell == Batch::kHistogram ? input.rows.histogram(s, i)->ToString()
                                                      : FormatFloatF(input.rows.values(s)[i]);
        // The value is a label like any other when it comes to groups.
        const Labels labels = LabelsBuilder(input.series[s].labels).Set(label_, value).Build();
        std::vector<double>& row = counts[GroupLabels(labels, grouping, aggregate_.without)];
        if (row.empty()) RETURN_IF_ERROR(MakeRow(&row));
        ++row[i];
      }
    }
    Matrix out;
    out.rows.Reset(counts.size(), columns());
    for (auto& [labels, row] : counts) {
      for (size_t i = 0; i < columns(); ++i) {
        if (row[i] > 0) out.rows.SetFloat(out.series.size(), i, row[i]);
      }
      out.series.push_back({labels, false});
    }
    return out;
  }

  // There may be a row for every sample: far more than the input.
  absl::Status MakeRow(std::vector<double>* row) {
    // Here, and in the result with a cell's kind.
    constexpr size_t kBytes = 2 * sizeof(double) + sizeof(Batch::Cell);
    const int64_t bytes = static_cast<int64_t>(columns() * kBytes);
    if (state_->budget != nullptr) {
      RETURN_IF_ERROR(state_->budget->Charge(bytes));
      charged_ += bytes;
    }
    row->resize(columns());
    return absl::OkStatus();
  }

  const Expr& aggregate_;
  const std::string label_;
  int64_t charged_ = 0;
};

}  // namespace

OperatorPtr NewQuantileAggregate(const Expr& aggregate, OperatorPtr parameter, OperatorPtr child,
                                 QueryState* state, Steps steps) {
  return std::make_unique<QuantileAggregate>(aggregate, std::move(parameter), std::move(child), state, steps);
}
OperatorPtr NewCountValues(const Expr& aggregate, std::string label, OperatorPtr child, QueryState* state,
                           Steps steps) {
  return std::make_unique<CountValues>(aggregate, std::move(label), std::move(child), state, steps);
}

}  // namespace narthex::promql
