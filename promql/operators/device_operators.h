// Operators that run on the device where it is there and worth it, and else are the operator they are given.
#pragma once

#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// `cpu` computes `aggregate`; it comes back as it is if the device cannot.
OperatorPtr MaybeAggregateOnDevice(const Expr& aggregate, OperatorPtr cpu, QueryState* state, Steps steps);
// The same for histogram_quantile() and histogram_fraction() of an aggregation by le.
OperatorPtr MaybeHistogramOnDevice(const Expr& call, OperatorPtr cpu, QueryState* state, Steps steps);

}  // namespace narthex::promql
