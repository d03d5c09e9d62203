// changes() and resets(): how often a series differs from the sample before. RangeFn each.
#pragma once

#include "promql/functions/call.h"

namespace narthex::promql {

bool Changes(const Window& window, CallContext* context, Value* out);
bool Resets(const Window& window, CallContext* context, Value* out);

}  // namespace narthex::promql
