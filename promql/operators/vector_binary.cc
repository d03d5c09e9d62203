#include "promql/operators/vector_binary.h"

#include <algorithm>
#include <optional>

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
        one_to_one_(matching_.card == Cardinality::kOneToOne),
        drops_name_at_once_(IsArithmetic(binary.op) || (binary.return_bool && !state->delayed_name_removal)),
        row_is_group_(one_to_one_ && drops_name_at_once_ && matching_.include.empty() &&
                      !NamesTheName(matching_)) {
    children_.push_back(std::move(left));
    children_.push_back(std::move(right));
  }

  bool SeriesDiffer() const override { return true; }

 private:
  static bool IsMetadataLabel(std::string_view name) {
    return name == kMetricName || name == kTypeLabel || name == kUnitLabel;
  }

  static bool NamesTheName(const VectorMatching& matching) {
    return std::find(matching.labels.begin(), matching.labels.end(), kMetricName) != matching.labels.end();
  }

  absl::StatusOr<Matrix> Compute() override {
    ASSIGN_OR_RETURN(many_, Input(swapped_ ? 1 : 0));
    ASSIGN_OR_RETURN(one_, Input(swapped_ ? 0 : 1));
    groups_ = MatchSeries(many_.series, one_.series, matching_);
    last_pair_.assign(many_.series.size(), {kNone, kNone});
    row_of_group_.assign(row_is_group_ ? groups_.count : 0, kNone);
    out_.rows.Reset(0, columns());
    for (size_t i = 0; i < columns(); ++i) RETURN_IF_ERROR(Step(i));
    out_.rows.Grow(out_.series.size());
    return std::move(out_);
  }

  absl::Status Step(size_t i) {
    RETURN_IF_ERROR(state_->Check());
    if (MatchesNothing(i)) return absl::OkStatus();
    last_note_.reset();
    RETURN_IF_ERROR(PairAll(i));
    // As upstream: of what the pairs of a step have to tell only the last is heard.
    if (last_note_.has_value()) state_->annotations.Add(*std::move(last_note_));
    return absl::OkStatus();
  }

  absl::Status PairAll(size_t i) {
    one_at_.assign(groups_.count, kNone);
    for (size_t s = 0; s < one_.series.size(); ++s) {
      if (one_.rows.cells(s)[i] == Batch::kEmpty) continue;
      size_t group = groups_.right[s];
      if (one_at_[group] != kNone) return Duplicate(one_at_[group], s);
      one_at_[group] = s;
    }
    matched_.assign(groups_.count, 0);
    row_used_.assign(out_.series.size(), 0);
    for (size_t s = 0; s < many_.series.size(); ++s) {
      if (many_.rows.cells(s)[i] == Batch::kEmpty) continue;
      RETURN_IF_ERROR(Pair(s, one_at_[groups_.left[s]], i));
    }
    // A "one" without a "many": only with a fill value for the many side.
    if (!matching_.fill_left) return absl::OkStatus();
    for (size_t group = 0; group < groups_.count; ++group) {
      if (one_at_[group] != kNone && !matched_[group]) RETURN_IF_ERROR(Pair(kNone, one_at_[group], i));
    }
    return absl::OkStatus();
  }

  // Then even what is ambiguous is no error.
  bool MatchesNothing(size_t i) const {
    const bool many = HasAny(many_, i), one = HasAny(one_, i);
    return (!many && !one) || ((!many || !one) && !matching_.fill_left && !matching_.fill_right);
  }

  static bool HasAny(const Matrix& matrix, size_t i) {
    for (size_t s = 0; s < matrix.series.size(); ++s) {
      if (matrix.rows.cells(s)[i] != Batch::kEmpty) return true;
    }
    return false;
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
    Annotations notes;
    const Applied applied =
        ApplyBinary(binary_, swapped_ ? one_cell : many_cell, swapped_ ? many_cell : one_cell, &notes, &out);
    if (!notes.entries().empty()) last_note_ = notes.entries().back();
    if (applied == Applied::kImpossible) return absl::OkStatus();
    // Ambiguity is an error even where a comparison filters the result away.
    const size_t row = RowOf(many, one);
    RETURN_IF_ERROR(UseOnce(many != kNone ? groups_.left[many] : groups_.right[one], row));
    if (applied == Applied::kFiltered) return absl::OkStatus();
    RETURN_IF_ERROR(held_.Add(1));
    if (row < out_.rows.series() && out_.rows.cells(row)[i] != Batch::kEmpty) {
      return absl::FailedPreconditionError("vector cannot contain metrics with the same labelset");
    }
    StoreCell(out, row, i, &out_.rows);
    return absl::OkStatus();
  }

  absl::Status UseOnce(size_t group, size_t row) {
    char& used = one_to_one_ ? matched_[group] : row_used_[row];
    if (used) {
      return absl::FailedPreconditionError(
          one_to_one_
              ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
              : "multiple matches for labels: grouping labels must ensure unique matches");
    }
    used = matched_[group] = 1;
    return absl::OkStatus();
  }

  // The output row of a pair, made when it is first seen.
  size_t RowOf(size_t many, size_t one) {
    // From step to step a series mostly meets the same partner.
    if (many != kNone && last_pair_[many].row != kNone && last_pair_[many].one == one)
      return last_pair_[many].row;
    if (row_is_group_) {
      size_t& row = row_of_group_[many != kNone ? groups_.left[many] : groups_.right[one]];
      if (row == kNone) row = RowFor(ResultSeries(many, one));
      if (many != kNone) last_pair_[many] = {one, row};
      return row;
    }
    auto [pair, is_new] = row_of_pair_.try_emplace({many, one}, 0);
    if (is_new) pair->second = RowFor(ResultSeries(many, one));
    if (many != kNone) last_pair_[many] = {one, pair->second};
    return pair->second;
  }

  size_t RowFor(SeriesMeta meta) {
    auto [labels, added] = row_of_labels_.try_emplace(meta.labels, out_.series.size());
    if (added) AddRow(std::move(meta));
    return labels->second;
  }

  void AddRow(SeriesMeta meta) {
    out_.series.push_back(std::move(meta));
    row_used_.push_back(0);
    // Mostly every series of the "many" side gives one row.
    if (out_.rows.series() < out_.series.size()) {
      out_.rows.Grow(std::max(many_.series.size(), out_.series.size() * 2));
    }
  }

  SeriesMeta ResultSeries(size_t many, size_t one) const {
    const SeriesMeta& base = many != kNone ? many_.series[many] : one_.series[one];
    if (row_is_group_) {
      const size_t group = many != kNone ? groups_.left[many] : groups_.right[one];
      return {WithoutMetadata(Labels::FromEncoded(std::string(groups_.Text(group)))), false};
    }
    std::string kept;
    const Labels matched = many != kNone ? Labels() : MatchLabels(base.labels, matching_);
    const Labels& from = many != kNone ? base.labels : matched;
    for (auto it = from.begin(); !(it == from.end()); ++it) {
      if (drops_name_at_once_ && IsMetadataLabel(it->name)) continue;
      const bool named =
          std::find(matching_.labels.begin(), matching_.labels.end(), it->name) != matching_.labels.end();
      if (one_to_one_ && matching_.on != named) continue;
      kept.append(it.encoded());
    }
    Labels labels = Labels::FromEncoded(std::move(kept));
    if (!matching_.include.empty()) {
      // Who is filled in has the labels that its partner is matched by.
      const Labels other = one != kNone ? one_.series[one].labels : MatchLabels(base.labels, matching_);
      LabelsBuilder more(labels);
      for (const std::string& name : matching_.include) more.Set(name, other.Get(name));
      labels = more.Build();
    }
    // As upstream: what was to be dropped from the operands is forgotten.
    return {std::move(labels), binary_.return_bool && !drops_name_at_once_};
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
  const bool
      drops_name_at_once_;   // before labels of the "one" side are included, the name perhaps among them
  const bool row_is_group_;  // the labels of a result are those of its match group
  Matrix many_, one_;
  MatchGroups groups_;
  std::vector<size_t> one_at_;
  std::vector<char> matched_, row_used_;  // at the current step
  std::optional<Annotations::Entry> last_note_;
  struct Partner {
    size_t one, row;
  };
  std::vector<Partner> last_pair_;    // of each series of the "many" side
  std::vector<size_t> row_of_group_;  // if row_is_group_
  absl::flat_hash_map<std::pair<size_t, size_t>, size_t> row_of_pair_;
  absl::flat_hash_map<Labels, size_t> row_of_labels_;
  Matrix out_;
};

}  // namespace

OperatorPtr NewVectorBinary(const Expr& binary, OperatorPtr left, OperatorPtr right, QueryState* state,
                            Steps steps) {
  return std::make_unique<VectorBinary>(binary, std::move(left), std::move(right), state, steps);
}

}  // namespace narthex::promql
