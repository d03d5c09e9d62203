// From operators to the result of a query.
#pragma once

#include "absl/status/status.h"
#include "promql/operators/selectors.h"
#include "promql/promql.h"
#include "promql/query_state.h"

namespace narthex::promql {

// Runs `root` to its end into result->series (or result->scalar). Range queries come sorted by labels; an
// instant vector keeps the operator's order.
absl::Status CollectSeries(Operator* root, bool range_query, QueryState* state, Result* result);
// The same for a range query whose series may go to `sink`.
absl::Status CollectRange(Operator* root, ResultSink* sink, QueryState* state, Result* result);
// The whole points of a range vector (an instant query for `x[5m]`), sorted by labels.
absl::Status CollectMatrix(RangeSource* source, QueryState* state, Result* result);
// Adds the annotations, with their line and column in `query`.
void CollectAnnotations(const Annotations& annotations, std::string_view query, Result* result);

}  // namespace narthex::promql
