// deriv(), predict_linear() and double_exponential_smoothing().

#include "promql/functions/regression.h"

#include "base/go_format.h"
#include "base/strings.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/statistics.h"

namespace narthex::promql {

namespace {

// A trend takes two floats; histograms beside floats are ignored with a note.
bool HasTrend(const Window& window, CallContext* context) {
  if (!window.floats.empty() && !window.histograms.empty()) {
    context->Annotate(HistogramIgnoredInMixedRangeText(context->MetricName()));
  }
  return window.floats.size() >= 2;
}

}  // namespace

bool Deriv(const Window& window, CallContext* context, Value* out) {
  if (!HasTrend(window, context)) return false;
  // Any time near the values will do; one far away would cost precision.
  out->v = LinearRegression(window.floats, window.floats[0].t).slope;
  return true;
}

bool PredictLinear(const Window& window, CallContext* context, Value* out) {
  if (!HasTrend(window, context)) return false;
  const Line line = LinearRegression(window.floats, context->time_ms);
  out->v = line.slope * context->scalars[0] + line.intercept;
  return true;
}

bool DoubleExponentialSmoothingOverTime(const Window& window, CallContext* context, Value* out) {
  const double smoothing = context->scalars[0];
  const double trend = context->scalars[1];
  if (smoothing <= 0 || smoothing >= 1) {
    context->Fail(
        StrCat("invalid smoothing factor. Expected: 0 < sf < 1, got: ", FormatFloat(smoothing, 'f', 6)));
    return false;
  }
  if (trend <= 0 || trend >= 1) {
    context->Fail(StrCat("invalid trend factor. Expected: 0 < tf < 1, got: ", FormatFloat(trend, 'f', 6)));
    return false;
  }
  if (!HasTrend(window, context)) return false;
  out->v = DoubleExponentialSmoothing(window.floats, smoothing, trend);
  return true;
}

}  // namespace narthex::promql
