// How a series moves over a range: the functions for counters and their gauge counterparts. RangeFn each.
#pragma once

#include "promql/functions/call.h"

namespace narthex::promql {

bool Rate(const Window& window, CallContext* context, Value* out);
bool Increase(const Window& window, CallContext* context, Value* out);
bool Delta(const Window& window, CallContext* context, Value* out);
bool Irate(const Window& window, CallContext* context, Value* out);
bool Idelta(const Window& window, CallContext* context, Value* out);

}  // namespace narthex::promql
