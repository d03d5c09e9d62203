// Histogram arithmetic inside the functions over ranges: what does not fit becomes an annotation.
#pragma once

#include "model/histogram.h"
#include "promql/functions/call.h"

namespace narthex::promql {

// Adds `other` to *h (or takes it away). False, with a warning, if their buckets cannot be combined. Hints
// that contradict each other are what resets are made of here: no warning.
bool Accumulate(const FloatHistogram& other, bool subtract, CallContext* context, FloatHistogram* h);

}  // namespace narthex::promql
