#include "promql/operators/vector_binary.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "promql/operators/maps.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

constexpr size_t kNone = static_cast<size_t>(-1);

// Works in terms of the "many" and the "one" side: with group_right the sides are swapped, and swapped back
// for the arithmetic.
class VectorBinary : public WholeMatrixOperator {
 public:
  VectorBinary(const Expr& binary, OperatorPtr left, OperatorPtr right, QueryState* state, Steps steps)
      : WholeMatrixOperator(StrCat("VectorBinary ", OpName(binary.op)), state, steps),
        binary_(binary),
        matching_(*binary.matching),
        swapped_(matching_.card == Cardinality::kOneToMany),
        one_to_one_(matching_.card == Cardinality::kOneToOne) {
    children_.push_back(std::move(left));
    children_.push_back(std::move(right));
  }

 private:
  absl::StatusOr<Matrix> Compute() override {
    ASSIGN_OR_RETURN(many_, Input(swapped_ ? 1 : 0));
    ASSIGN_OR_RETURN(one_, Input(swapped_ ? 0 : 1));
    groups_ = MatchSeries(many_.series, one_.series, matching_);
    for (size_t i = 0; i < columns(); ++i) RETURN_IF_ERROR(Step(i));
    Matrix out;
    out.series = std::move(series_);
    out.rows.Reset(out.series.size(), columns());
    for (const Result& result : results_) StoreCell(result.cell, result.row, result.step, &out.rows);
    return out;
  }

  struct Result {
    size_t row, step;
    BinaryCell cell;
  };

  absl::Status Step(size_t i) {
    one_at_.assign(groups_.count, kNone);
    for (size_t s = 0; s < one_.series.size(); ++s) {
      if (one_.rows.cells(s)[i] == Batch::kEmpty) continue;
      size_t group = groups_.right[s];
      if (one_at_[group] != kNone) return Duplicate(one_at_[group], s);
      one_at_[group] = s;
    }
    used_.assign(groups_.count, 0);
    rows_used_.clear();
    for (size_t s = 0; s < many_.series.size(); ++s) {
      if (many_.rows.cells(s)[i] == Batch::kEmpty) continue;
      RETURN_IF_ERROR(Pair(s, one_at_[groups_.left[s]], i));
    }
    // A "one" without a "many": only with a fill value for the many side.
    if (!matching_.fill_left) return absl::OkStatus();
    matched_many_.assign(groups_.count, 0);
    for (size_t s = 0; s < many_.series.size(); ++s) {
      if (many_.rows.cells(s)[i] != Batch::kEmpty) matched_many_[groups_.left[s]] = 1;
    }
    for (size_t group = 0; group < groups_.count; ++group) {
      if (one_at_[group] != kNone && !matched_many_[group]) RETURN_IF_ERROR(Pair(kNone, one_at_[group], i));
    }
    return absl::OkStatus();
  }

  absl::Status Pair(size_t many, size_t one, size_t i) {
    // As upstream: the fill values belong to the sides after the swap, fill_left to the "many" side.
    const std::optional<double>&fill_many = matching_.fill_left, &fill_one = matching_.fill_right;
    if (one == kNone && !fill_one) return absl::OkStatus();
    BinaryCell many_cell =
        many == kNone ? BinaryCell{Batch::kFloat, *fill_many, nullptr} : CellOf(many_.rows, many, i);
    BinaryCell one_cell =
        one == kNone ? BinaryCell{Batch::kFloat, *fill_one, nullptr} : CellOf(one_.rows, one, i);
    BinaryCell out;
    ASSIGN_OR_RETURN(bool some, ApplyBinary(binary_, swapped_ ? one_cell : many_cell,
                                            swapped_ ? many_cell : one_cell, &state_->annotations, &out));
    // Ambiguity is an error even where a comparison filters the result away.
    size_t group = many != kNone ? groups_.left[many] : groups_.right[one];
    size_t row = RowOf(many, one);
    if (one_to_one_) {
      if (used_[group]) {
        return absl::FailedPreconditionError(
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
      }
      used_[group] = 1;
    } else if (!rows_used_.insert(row).second) {
      return absl::FailedPreconditionError(
          "multiple matches for labels: grouping labels must ensure unique matches");
    }
    if (!some) return absl::OkStatus();
    RETURN_IF_ERROR(held_.Add(1));
    results_.push_back({row, i, std::move(out)});
    return absl::OkStatus();
  }

  // The output series of a pair, made when it is first seen.
  size_t RowOf(size_t many, size_t one) {
    auto [pair, is_new] = row_of_pair_.try_emplace({many, one}, 0);
    if (!is_new) return pair->second;
    SeriesMeta meta = ResultSeries(many, one);
    auto [labels, added] = row_of_labels_.try_emplace({meta.labels, meta.drop_name}, series_.size());
    if (added) series_.push_back(std::move(meta));
    return pair->second = labels->second;
  }

  SeriesMeta ResultSeries(size_t many, size_t one) const {
    const SeriesMeta& base = many != kNone ? many_.series[many] : one_.series[one];
    LabelsBuilder labels(many != kNone ? base.labels : MatchLabels(base.labels, matching_));
    bool drop = DropsName(binary_);
    if (drop && !state_->delayed_name_removal) labels.Del(kMetricName);
    if (one_to_one_) {
      std::vector<std::pair<std::string, std::string>> pairs = labels.pairs();
      for (const auto& [name, value] : pairs) {
        bool named =
            std::find(matching_.labels.begin(), matching_.labels.end(), name) != matching_.labels.end();
        if (matching_.on != named) labels.Del(name);
      }
    }
    for (const std::string& name : matching_.include) {
      labels.Set(name, one != kNone ? one_.series[one].labels.Get(name) : std::string_view());
    }
    return {labels.Build(), drop || base.drop_name};
  }

  absl::Status Duplicate(size_t first, size_t second) const {
    const Labels& labels = one_.series[second].labels;
    return absl::FailedPreconditionError(
        StrCat("found duplicate series for the match group ", Braced(MatchLabels(labels, matching_)),
               " on the ", swapped_ ? "left" : "right", " hand-side of the operation: [", Braced(labels),
               ", ", Braced(one_.series[first].labels),
               "];many-to-many matching not allowed: matching labels must be unique on one side"));
  }

  // Labels as Go's Labels.String(): the name is a label like the others.
  static std::string Braced(const Labels& labels) {
    std::string out;
    for (LabelView label : labels) {
      StrAppend(&out, out.empty() ? "" : ", ", Matcher::Equal(label.name, label.value).ToString());
    }
    return StrCat("{", out, "}");
  }

  const Expr& binary_;
  const VectorMatching& matching_;
  const bool swapped_, one_to_one_;
  Matrix many_, one_;
  MatchGroups groups_;
  std::vector<size_t> one_at_;
  std::vector<char> used_, matched_many_;
  std::set<size_t> rows_used_;
  std::map<std::pair<size_t, size_t>, size_t> row_of_pair_;
  std::map<std::pair<Labels, bool>, size_t> row_of_labels_;
  std::vector<SeriesMeta> series_;
  std::vector<Result> results_;
};

}  // namespace

OperatorPtr NewVectorBinary(const Expr& binary, OperatorPtr left, OperatorPtr right, QueryState* state,
                            Steps steps) {
  return std::make_unique<VectorBinary>(binary, std::move(left), std::move(right), state, steps);
}

}  // namespace narthex::promql
