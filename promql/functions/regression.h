// The functions that fit a trend. RangeFn each.
#pragma once

#include "promql/functions/call.h"

namespace narthex::promql {

bool Deriv(const Window& window, CallContext* context, Value* out);
bool PredictLinear(const Window& window, CallContext* context, Value* out);
bool DoubleExponentialSmoothingOverTime(const Window& window, CallContext* context, Value* out);

}  // namespace narthex::promql
