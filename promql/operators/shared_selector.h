// Equal selectors of one query that read storage once.
#pragma once

#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// The selector's samples, for one of those with the same `shared_read`. Whoever comes first reads; what
// others have not had yet is kept, if all of it is small enough to be kept. Else each reads for itself.
OperatorPtr NewSharedSelector(const Expr& selector, QueryState* state, Steps steps);

}  // namespace narthex::promql
