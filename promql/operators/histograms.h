// histogram_quantile, histogram_quantiles and histogram_fraction over classic and native histograms.
#pragma once

#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

OperatorPtr NewHistogramQuantile(const Expr& call, OperatorPtr quantile, OperatorPtr vector,
                                 QueryState* state, Steps steps);
OperatorPtr NewHistogramFraction(const Expr& call, OperatorPtr lower, OperatorPtr upper, OperatorPtr vector,
                                 QueryState* state, Steps steps);
// Each quantile gives a series of its own, with the quantile as the value of `label`.
OperatorPtr NewHistogramQuantiles(const Expr& call, std::string label, std::vector<OperatorPtr> quantiles,
                                  OperatorPtr vector, QueryState* state, Steps steps);

}  // namespace narthex::promql
