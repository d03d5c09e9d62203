// rate(), increase() and delta() over ranges with `anchored` or `smoothed`: values at the borders of the
// range instead of extrapolation.
#pragma once

#include <optional>

#include "promql/functions/call.h"

namespace narthex::promql {

// The window holds the samples beyond its borders, too, as far as the lookback goes.
bool ExtendedRate(const Window& window, bool is_counter, bool is_rate, CallContext* context, Value* out);

// The float at `t` on the straight line between two points.
double Interpolate(const FloatPoint& a, const FloatPoint& b, int64_t t, bool is_counter);
// The same for histograms; nullopt, with a warning, if they do not fit together.
std::optional<FloatHistogram> Interpolate(const HistogramPoint& a, const HistogramPoint& b, int64_t t,
                                          bool is_counter, CallContext* context);

}  // namespace narthex::promql
