// Functions of whole vectors: absent, sort, sort_by_label, info.
#pragma once

#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// absent(v): 1 where v is empty, with the labels that v's selector fixes.
OperatorPtr NewAbsent(const Expr& call, OperatorPtr child, QueryState* state, Steps steps);
// The labels of absent(): those that equality matchers give once.
Labels AbsentLabels(const Expr& argument);
// sort, sort_desc: by value (instant queries; ranges stay sorted by labels).
OperatorPtr NewSort(OperatorPtr child, bool descending, QueryState* state, Steps steps);
// sort_by_label, sort_by_label_desc: by these labels in natural order, then by all.
OperatorPtr NewSortByLabel(OperatorPtr child, std::vector<std::string> labels, bool descending,
                           QueryState* state, Steps steps);
// info(v, selector): v, evaluated by `child`, with the labels of the info series (target_info, ...) of the
// same instance and job.
OperatorPtr NewInfo(const Expr& v, const Matchers& selector, OperatorPtr child, QueryState* state,
                    Steps steps);

}  // namespace narthex::promql
