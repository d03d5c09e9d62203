// A wrapper round every operator of a plan.
#pragma once

#include "promql/operator.h"
#include "promql/query_state.h"

namespace narthex::promql {

// Charges the operator's batch to the query's memory budget; with QueryState::profile, counts its series,
// samples and time and adds them to its line of Explain(). Debug builds assert the call order of operator.h.
OperatorPtr NewObserved(OperatorPtr inner, QueryState* state, int steps);

}  // namespace narthex::promql
