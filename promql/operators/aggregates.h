// Aggregation operators.
#pragma once

#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// sum avg count min max group stddev stdvar: one accumulator a group and step, input streamed.
OperatorPtr NewAggregate(const Expr& aggregate, OperatorPtr child, QueryState* state, Steps steps);
// quantile(q, v) and count_values(label, v).
OperatorPtr NewQuantileAggregate(const Expr& aggregate, OperatorPtr parameter, OperatorPtr child,
                                 QueryState* state, Steps steps);
OperatorPtr NewCountValues(const Expr& aggregate, std::string label, OperatorPtr child, QueryState* state,
                           Steps steps);
// topk bottomk limitk limit_ratio: chosen input series, as they are. With one step the order is that of the
// values.
OperatorPtr NewRanked(const Expr& aggregate, OperatorPtr parameter, OperatorPtr child, QueryState* state,
                      Steps steps);

// A finished matrix, delivered in batches: what operators that must see everything first hand out.
class MatrixOutput {
 public:
  // Call one of them first.
  const std::vector<SeriesMeta>* Start(Matrix matrix) {
    matrix_ = std::move(matrix);
    count_ = matrix_.series.size();
    return &matrix_.series;
  }
  std::vector<SeriesMeta> TakeSeries(Matrix matrix) {
    Start(std::move(matrix));
    return std::move(matrix_.series);
  }
  bool Next(Batch* batch);

 private:
  Matrix matrix_;
  size_t count_ = 0, at_ = 0;
};

}  // namespace narthex::promql
