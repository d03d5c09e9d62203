// topk, bottomk, limitk, limit_ratio: series chosen step by step, passed on as they are.
#include <algorithm>
#include <cmath>

#include "base/go_format.h"
#include "model/upstream_hash.h"
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
    ASSIGN_OR_RETURN(Matrix input, Input(1));
    ASSIGN_OR_RETURN(bool some, CheckParameter(RangeOf(parameter)));
    if (!some) return Matrix();
    Groups groups = GroupSeries(input.series, aggregate_.grouping, aggregate_.without);
    std::vector<std::vector<size_t>> members(groups.series.size());
    for (size_t s = 0; s < groups.of.size(); ++s) members[groups.of[s]].push_back(s);
    Matrix out;
    out.rows.Reset(input.series.size(), columns());
    std::vector<size_t> order;  // rows in the order of choice, for one step
    for (size_t i = 0; i < columns(); ++i) {
      RETURN_IF_ERROR(state_->Check());
      for (const std::vector<size_t>& group : members) {
        for (size_t s : Choose(input, group, i, parameter[i])) {
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

  // False if nothing is chosen at any step. A bad parameter is an error even where there is nothing to choose
  // from.
  absl::StatusOr<bool> CheckParameter(ParameterRange p) {
    if (aggregate_.aggregation == Aggregation::kLimitRatio) return CheckRatio(p);
    if (p.max < 1) return false;
    if (std::isnan(p.max)) return absl::FailedPreconditionError("Parameter value is NaN");
    if (p.min <= -0x1p63) {
      return absl::FailedPreconditionError(StrCat("Scalar value ", FormatFloatG(p.min), " underflows int64"));
    }
    if (p.max >= 0x1p63 - 1024) {  // the largest double below 2^63
      return absl::FailedPreconditionError(StrCat("Scalar value ", FormatFloatG(p.max), " overflows int64"));
    }
    return true;
  }

  absl::StatusOr<bool> CheckRatio(ParameterRange ratio) {
    if (ratio.max == 0 && ratio.min == 0) return false;
    if (std::isnan(ratio.max)) return absl::FailedPreconditionError("Ratio value is NaN");
    const auto warn = [this](double value, double capped) {
      state_->annotations.Add(InvalidRatioText(value, capped), ArgumentPosition(*aggregate_.children[0]),
                              aggregate_.pos);
    };
    if (ratio.max > 1) warn(ratio.max, 1);
    if (ratio.min < -1) warn(ratio.min, -1);
    return true;
  }

  std::vector<size_t> Choose(const Matrix& input, const std::vector<size_t>& group, size_t step,
                             double parameter) {
    Aggregation kind = aggregate_.aggregation;
    if (kind == Aggregation::kLimitRatio) return ChooseRatio(input, group, step, parameter);
    int64_t k = static_cast<int64_t>(parameter);
    std::vector<size_t> chosen;
    if (k < 1) return chosen;
    for (size_t s : group) {
      Batch::Cell cell = input.rows.cells(s)[step];
      if (cell == Batch::kEmpty) continue;
      if (kind != Aggregation::kLimitk && cell == Batch::kHistogram) {
        state_->annotations.Add(HistogramIgnoredInAggregationText(AggregationName(kind)), aggregate_.pos);
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
  static std::vector<size_t> ChooseRatio(const Matrix& input, const std::vector<size_t>& group, size_t step,
                                         double ratio) {
    const double capped = std::clamp(ratio, -1.0, 1.0);
    std::vector<size_t> chosen;
    if (ratio == 0) return chosen;
    for (size_t s : group) {
      if (input.rows.cells(s)[step] == Batch::kEmpty) continue;
      double offset = static_cast<double>(UpstreamHash(input.series[s].labels)) / 0x1p64;
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
