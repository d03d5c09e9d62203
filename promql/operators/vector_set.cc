// Matching of series, and the set operators built on nothing else.
#include "absl/container/flat_hash_map.h"
#include "promql/operators/grouping.h"
#include "promql/operators/vector_binary.h"
#include "promql/operators/whole_matrix.h"

namespace narthex::promql {
namespace {

class VectorSet : public WholeMatrixOperator {
 public:
  VectorSet(const Expr& binary, OperatorPtr left, OperatorPtr right, QueryState* state, Steps steps)
      : WholeMatrixOperator(StrCat("VectorSet ", OpName(binary.op)), state, steps), binary_(binary) {
    children_.push_back(std::move(left));
    children_.push_back(std::move(right));
  }

 private:
  absl::StatusOr<Matrix> Compute() override {
    ASSIGN_OR_RETURN(Matrix left, Input(0));
    ASSIGN_OR_RETURN(Matrix right, Input(1));
    MatchGroups groups = MatchSeries(left.series, right.series, *binary_.matching);
    bool unite = binary_.op == Op::kOr;
    Matrix out;
    out.series = left.series;
    if (unite) out.series.insert(out.series.end(), right.series.begin(), right.series.end());
    out.rows.Reset(out.series.size(), columns());
    std::vector<char> present(groups.count);
    for (size_t i = 0; i < columns(); ++i) {
      RETURN_IF_ERROR(state_->Check());
      present.assign(groups.count, 0);
      const Matrix& known = unite ? left : right;
      const std::vector<size_t>& of = unite ? groups.left : groups.right;
      for (size_t s = 0; s < known.series.size(); ++s) {
        if (known.rows.cells(s)[i] != Batch::kEmpty) present[of[s]] = 1;
      }
      for (size_t s = 0; s < left.series.size(); ++s) {
        bool keep = unite || (present[groups.left[s]] != 0) == (binary_.op == Op::kAnd);
        if (keep) out.rows.CopyCell(s, i, left.rows, s, i);
      }
      if (!unite) continue;
      for (size_t s = 0; s < right.series.size(); ++s) {
        if (present[groups.right[s]] == 0) out.rows.CopyCell(left.series.size() + s, i, right.rows, s, i);
      }
    }
    return out;
  }

  const Expr& binary_;
};

}  // namespace

Labels MatchLabels(const Labels& labels, const VectorMatching& matching) {
  return GroupLabels(labels, matching.labels, !matching.on);
}

MatchGroups MatchSeries(const std::vector<SeriesMeta>& left, const std::vector<SeriesMeta>& right,
                        const VectorMatching& matching) {
  MatchGroups out;
  absl::flat_hash_map<std::string_view, size_t> index;  // by their texts
  size_t most = 0;
  for (const SeriesMeta& meta : left) most += meta.labels.encoded().size();
  for (const SeriesMeta& meta : right) most += meta.labels.encoded().size();
  std::string& texts = out.texts;
  texts.reserve(most);  // so that they stay where they are
  auto number = [&](const std::vector<SeriesMeta>& side, std::vector<size_t>* of) {
    of->reserve(side.size());
    for (const SeriesMeta& meta : side) {
      const size_t begin = texts.size();
      AppendGroup(meta.labels, matching.labels, !matching.on, &texts);
      const auto [it, fresh] = index.try_emplace(std::string_view(texts).substr(begin), index.size());
      of->push_back(it->second);
      if (fresh)
        out.ends.push_back(texts.size());
      else
        texts.resize(begin);
    }
  };
  index.reserve(left.size());
  number(left, &out.left);
  number(right, &out.right);
  out.count = index.size();
  return out;
}

OperatorPtr NewVectorSet(const Expr& binary, OperatorPtr left, OperatorPtr right, QueryState* state,
                         Steps steps) {
  return std::make_unique<VectorSet>(binary, std::move(left), std::move(right), state, steps);
}

}  // namespace narthex::promql
