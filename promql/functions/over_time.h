// The *_over_time() functions. RangeFn each.
#pragma once

#include "promql/functions/call.h"

namespace narthex::promql {

bool SumOverTime(const Window& window, CallContext* context, Value* out);
bool AvgOverTime(const Window& window, CallContext* context, Value* out);
bool CountOverTime(const Window& window, CallContext* context, Value* out);
bool PresentOverTime(const Window& window, CallContext* context, Value* out);
bool MaxOverTime(const Window& window, CallContext* context, Value* out);
bool MinOverTime(const Window& window, CallContext* context, Value* out);
bool TsOfMaxOverTime(const Window& window, CallContext* context, Value* out);
bool TsOfMinOverTime(const Window& window, CallContext* context, Value* out);
bool StdvarOverTime(const Window& window, CallContext* context, Value* out);
bool StddevOverTime(const Window& window, CallContext* context, Value* out);
bool FirstOverTime(const Window& window, CallContext* context, Value* out);
bool LastOverTime(const Window& window, CallContext* context, Value* out);
bool TsOfFirstOverTime(const Window& window, CallContext* context, Value* out);
bool TsOfLastOverTime(const Window& window, CallContext* context, Value* out);
bool QuantileOverTime(const Window& window, CallContext* context, Value* out);
bool MadOverTime(const Window& window, CallContext* context, Value* out);

}  // namespace narthex::promql
