// Equal selectors of one query, and equal functions of range selectors, that read storage once.
#pragma once

#include <functional>

#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// What `make` gives, for one of those with the same `shared_read`: a selector or a call. Whoever comes first
// reads; what others have not had yet is kept, if all of it is small enough to be kept. Else each reads for
// itself.
OperatorPtr NewShared(const Expr& e, QueryState* state, Steps steps, std::function<OperatorPtr()> make);

}  // namespace narthex::promql
