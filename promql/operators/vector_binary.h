// Operations between two vectors.
#pragma once

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
};
MatchGroups MatchSeries(const std::vector<SeriesMeta>& left, const std::vector<SeriesMeta>& right,
                        const VectorMatching& matching);
// The labels that two series are matched by.
Labels MatchLabels(const Labels& labels, const VectorMatching& matching);

}  // namespace narthex::promql
