// Operators that look at one series at a time: functions of a value, arithmetic with a scalar, labels,
// repeats.
#pragma once

#include <functional>

#include "promql/functions/call.h"
#include "promql/functions/label.h"
#include "promql/operator.h"
#include "promql/query_state.h"
#include "promql/syntax/ast.h"

namespace narthex::promql {

// abs(v), round(v, s) ...: `scalars` are the scalar arguments in order.
OperatorPtr NewInstantFunction(const Expr& call, const FunctionImpl& function, OperatorPtr child,
                               std::vector<OperatorPtr> scalars, QueryState* state, Steps steps);
// -v
OperatorPtr NewNegate(OperatorPtr child, Steps steps);
// vector op scalar (or, with `swapped`, scalar op vector).
OperatorPtr NewVectorScalar(const Expr& binary, OperatorPtr vector, OperatorPtr scalar, bool swapped,
                            QueryState* state, Steps steps);
// label_replace, label_join: `edit` gives the new labels of a series.
OperatorPtr NewLabelEdit(std::string text, OperatorPtr child,
                         std::function<SeriesMeta(const SeriesMeta&)> edit);
// Evaluates `child` (built for one step) once and shows its result at every step.
OperatorPtr NewStepInvariant(OperatorPtr child, Steps steps, const SampleCounts* inner, SampleCounts* outer);
// Takes the names away that were marked for it. Series that become equal are merged; two values at one step
// are an error.
// With the names go types and units, unless they are kept.
OperatorPtr NewDropNames(OperatorPtr child, QueryState* state, Steps steps, bool keep_types = false);
// Merges series that have equal labels, names left alone; two values at one step are an error.
OperatorPtr NewMergeSeries(OperatorPtr child, QueryState* state, Steps steps);

// One binary operation on two cells. Comparisons without bool keep the left value.
struct BinaryCell {
  Batch::Cell kind = Batch::kEmpty;
  double v = 0;
  HistogramPtr h;
};
enum class Applied : uint8_t { kValue, kFiltered, kImpossible };  // of these types, which is annotated
Applied ApplyBinary(const Expr& binary, const BinaryCell& left, const BinaryCell& right,
                    Annotations* annotations, BinaryCell* out);
BinaryCell CellOf(const Batch& batch, size_t row, size_t step);
void StoreCell(const BinaryCell& cell, size_t row, size_t step, Batch* batch);
bool IsArithmetic(Op op);
// Arithmetic drops the metric name, comparisons and set operators keep it.
bool DropsName(const Expr& binary);

}  // namespace narthex::promql
