// Operations between two vectors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// Arithmetic and comparisons: one to one, many to one, one to many, with fill values.
OperatorPtr NewVectorBinary(const Expr& binary, OperatorPtr left, OperatorPtr right, QueryState* state,
                            Steps steps);
// and, or, unless.
OperatorPtr NewVectorSet(const Expr& binary, OperatorPtr left, OperatorPtr right, QueryState* state,
                         Steps steps);

// Match groups of both sides: equal numbers match.
struct MatchGroups {
  std::vector<size_t> left, right;
  size_t count = 0;
  // The encoded labels of the groups, one behind the other, and where those of each end.
  std::string texts;
  std::vector<size_t> ends;
  std::string_view Text(size_t group) const {
    const size_t begin = group == 0 ? 0 : ends[group - 1];
    return std::string_view(texts).substr(begin, ends[group] - begin);
  }
};
MatchGroups MatchSeries(const std::vector<SeriesMeta>& left, const std::vector<SeriesMeta>& right,
                        const VectorMatching& matching);
// The labels that two series are matched by.
Labels MatchLabels(const Labels& labels, const VectorMatching& matching);

}  // namespace narthex::promql
