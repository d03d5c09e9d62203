// Operators without labels: constants, time(), pi(), scalar(), arithmetic of scalars, vector().
#pragma once

#include <functional>

#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// The same value at each step, or a value by the step's time.
OperatorPtr NewScalar(Steps steps, std::string text, std::function<double(int64_t time_ms)> value);
// scalar(v): the value of the only element, else NaN.
OperatorPtr NewScalarOfVector(OperatorPtr child, QueryState* state, Steps steps);
// left op right; comparisons give 0 or 1.
OperatorPtr NewScalarBinary(Op op, OperatorPtr left, OperatorPtr right, Steps steps);
// vector(s): the scalar as one element without labels. Scalars have that shape already; this only names the
// node.
OperatorPtr NewNegatedScalar(OperatorPtr child, Steps steps);

// Arithmetic and comparisons (1 or 0) of two floats as Go does them.
double FloatOp(Op op, double left, double right);

}  // namespace narthex::promql
