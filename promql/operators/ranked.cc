// topk, bottomk, limitk, limit_ratio: series chosen step by step, passed on as they are.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/go_format.h"
#include "promql/functions/annotation_texts.h"
#include "promql/operators/grouping.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

class Ranked : public WholeMatrixOperator {
 public:
  Ranked(const Expr& aggregate, OperatorPtr parameter, OperatorPtr child, QueryState* state, Steps steps)
      : WholeMatrixOperator(StrCat("Ranked ", AggregationName(aggregate.aggregation)), state, steps),
        aggregate_(aggregate) {
    children_.push_back(std::move(parameter));
    children_.push_back(std::move(child));
  }

 private:
  absl::StatusOr<Matrix> Compute() override {
    ASSIGN_OR_RETURN(std::vector<double> parameter, ReadScalar(children_[0].get(), steps_.count));
    for (double p : parameter) RETURN_IF_ERROR(CheckParameter(p));
    ASSIGN_OR_RETURN(Matrix input, Input(1));
    Groups groups = GroupSeries(input.series, aggregate_.grouping, aggregate_.without);
    std::vector<std::vector<size_t>> members(groups.series.size());
    for (size_t s = 0; s < groups.of.size(); ++s) members[groups.of[s]].push_back(s);
    Matrix out;
    out.rows.Reset(input.series.size(), columns());
    std::vector<size_t> order;  // rows in the order of choice, for one step
    for (size_t i = 0; i < columns(); ++i) {
      RETURN_IF_ERROR(state_->Check());
      for (const std::vector<size_t>& group : members) {
        ASSIGN_OR_RETURN(std::vector<size_t> chosen, Choose(input, group, i, parameter[i]));
        for (size_t s : chosen) {
          out.rows.CopyCell(s, i, input.rows, s, i);
          order.push_back(s);
        }
      }
    }
    if (columns() == 1) return InOrder(input, out.rows, order);
    out.series = std::move(input.series);
    return out;
  }

  // An instant query shows the elements by rank.
  static Matrix InOrder(const Matrix& input, const Batch& rows, const std::vector<size_t>& order) {
    Matrix out;
    out.rows.Reset(order.size(), 1);
    for (size_t r = 0; r < order.size(); ++r) {
      out.series.push_back(input.series[order[r]]);
      out.rows.CopyCell(r, 0, rows, order[r], 0);
    }
    return out;
  }

  // A bad parameter is an error even where there is nothing to choose from.
  absl::Status CheckParameter(double parameter) const {
    if (aggregate_.aggregation == Aggregation::kLimitRatio) {
      return std::isnan(parameter) ? absl::FailedPreconditionError("Ratio value is NaN") : absl::OkStatus();
    }
    if (std::isnan(parameter)) return absl::FailedPreconditionError("Parameter value is NaN");
    if (parameter <= static_cast<double>(std::numeric_limits<int64_t>::min())) {
      return absl::FailedPreconditionError(
          StrCat("Scalar value ", FormatFloatG(parameter), " underflows int64"));
    }
    if (parameter >= static_cast<double>(std::numeric_limits<int64_t>::max())) {
      return absl::FailedPreconditionError(
          StrCat("Scalar value ", FormatFloatG(parameter), " overflows int64"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<size_t>> Choose(const Matrix& input, const std::vector<size_t>& group,
                                             size_t step, double parameter) {
    Aggregation kind = aggregate_.aggregation;
    if (kind == Aggregation::kLimitRatio) return ChooseRatio(input, group, step, parameter);
    int64_t k = static_cast<int64_t>(parameter);
    std::vector<size_t> chosen;
    if (k < 1) return chosen;
    for (size_t s : group) {
      Batch::Cell cell = input.rows.cells(s)[step];
      if (cell == Batch::kEmpty) continue;
      if (kind != Aggregation::kLimitk && cell == Batch::kHistogram) {
        state_->annotations.Add(HistogramIgnoredInAggregationText(AggregationName(kind)),
                                aggregate_.children.back()->pos);
        continue;
      }
      chosen.push_back(s);
    }
    size_t limit = std::min<size_t>(chosen.size(), static_cast<size_t>(k));
    if (kind != Aggregation::kLimitk) Sort(input, step, kind == Aggregation::kTopk, limit, &chosen);
    chosen.resize(limit);
    return chosen;
  }

  // The first `limit` in order. NaN ranks last in both directions; equal values keep the order of the input.
  static void Sort(const Matrix& input, size_t step, bool top, size_t limit, std::vector<size_t>* chosen) {
    const auto before = [&](size_t a, size_t b) {
      const double x = input.rows.values(a)[step], y = input.rows.values(b)[step];
      if (std::isnan(x) || std::isnan(y)) return std::isnan(x) && std::isnan(y) ? a < b : std::isnan(y);
      if (x == y) return a < b;
      return top ? x > y : x < y;
    };
    std::partial_sort(chosen->begin(), chosen->begin() + static_cast<ptrdiff_t>(limit), chosen->end(),
                      before);
  }

  // A sample is in or out by the hash of its labels, so that r and -(1 - r) are complements.
  absl::StatusOr<std::vector<size_t>> ChooseRatio(const Matrix& input, const std::vector<size_t>& group,
                                                  size_t step, double ratio) {
    double capped = std::clamp(ratio, -1.0, 1.0);
    if (capped != ratio)
      state_->annotations.Add(InvalidRatioText(ratio, capped), aggregate_.children[0]->pos);
    std::vector<size_t> chosen;
    for (size_t s : group) {
      if (input.rows.cells(s)[step] == Batch::kEmpty) continue;
      double offset = static_cast<double>(input.series[s].labels.Hash()) / 18446744073709551616.0;
      if (capped >= 0 ? offset < capped : offset >= 1 + capped) chosen.push_back(s);
    }
    return chosen;
  }

  const Expr& aggregate_;
};

}  // namespace

OperatorPtr NewRanked(const Expr& aggregate, OperatorPtr parameter, OperatorPtr child, QueryState* state,
                      Steps steps) {
  return std::make_unique<Ranked>(aggregate, std::move(parameter), std::move(child), state, steps);
}

}  // namespace narthex::promql
