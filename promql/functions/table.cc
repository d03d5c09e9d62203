// Which implementation belongs to which name. Functions of whole vectors (sort, absent, label_replace,
// histogram_quantile, ...) are not here: the engine does them, with the helpers of this folder.

#include <algorithm>
#include <array>
#include <cmath>

#include "promql/functions/call.h"
#include "promql/functions/changes.h"
#include "promql/functions/math_functions.h"
#include "promql/functions/over_time.h"
#include "promql/functions/quantile.h"
#include "promql/functions/rate.h"
#include "promql/functions/regression.h"
#include "promql/functions/time_functions.h"

namespace narthex::promql {

namespace {

// A function of the float alone; histograms give nothing.
template <double (*function)(double)>
bool OfFloat(const Value& in, CallContext*, Value* out) {
  if (in.h != nullptr) return false;
  out->v = function(in.v);
  return true;
}

// A function of the histogram alone; floats give nothing.
template <double (*function)(const FloatHistogram&)>
bool OfHistogram(const Value& in, CallContext*, Value* out) {
  if (in.h == nullptr) return false;
  out->v = function(*in.h);
  return true;
}

bool RoundValue(const Value& in, CallContext* context, Value* out) {
  if (in.h != nullptr) return false;
  out->v = RoundTo(in.v, context->scalars.empty() ? 1 : context->scalars[0]);
  return true;
}

bool ClampBetween(const Value& in, double min, double max, Value* out) {
  if (in.h != nullptr || max < min) return false;
  out->v = Clamp(in.v, min, max);
  return true;
}

bool ClampValue(const Value& in, CallContext* context, Value* out) {
  return ClampBetween(in, context->scalars[0], context->scalars[1], out);
}

bool ClampMin(const Value& in, CallContext* context, Value* out) {
  return ClampBetween(in, context->scalars[0], HUGE_VAL, out);
}

bool ClampMax(const Value& in, CallContext* context, Value* out) {
  return ClampBetween(in, -HUGE_VAL, context->scalars[0], out);
}

double HistogramCount(const FloatHistogram& h) { return h.count; }
double HistogramSum(const FloatHistogram& h) { return h.sum; }
double HistogramAvg(const FloatHistogram& h) { return h.sum / h.count; }
double HistogramStddev(const FloatHistogram& h) { return std::sqrt(HistogramVariance(h)); }

constexpr FunctionImpl Range(std::string_view name, RangeFn function, bool keeps_name = false) {
  return {.name = name, .range = function, .keeps_name = keeps_name};
}

constexpr FunctionImpl Instant(std::string_view name, InstantFn function) {
  return {.name = name, .instant = function};
}

constexpr FunctionImpl OfHistograms(std::string_view name, InstantFn function) {
  return {.name = name, .instant = function, .keeps_types = true};
}

// Sorted by name.
constexpr auto kFunctions = std::to_array<FunctionImpl>({
    Instant("abs", OfFloat<std::fabs>),
    Instant("acos", OfFloat<std::acos>),
    Instant("acosh", OfFloat<std::acosh>),
    Instant("asin", OfFloat<std::asin>),
    Instant("asinh", OfFloat<std::asinh>),
    Instant("atan", OfFloat<std::atan>),
    Instant("atanh", OfFloat<std::atanh>),
    Range("avg_over_time", AvgOverTime),
    Instant("ceil", OfFloat<std::ceil>),
    Range("changes", Changes),
    Instant("clamp", ClampValue),
    Instant("clamp_max", ClampMax),
    Instant("clamp_min", ClampMin),
    Instant("cos", OfFloat<std::cos>),
    Instant("cosh", OfFloat<CoshOf>),
    Range("count_over_time", CountOverTime),
    Instant("day_of_month", OfFloat<DayOfMonth>),
    Instant("day_of_week", OfFloat<DayOfWeek>),
    Instant("day_of_year", OfFloat<DayOfYear>),
    Instant("days_in_month", OfFloat<DaysInMonth>),
    Instant("deg", OfFloat<Degrees>),
    Range("delta", Delta),
    Range("deriv", Deriv),
    Range("double_exponential_smoothing", DoubleExponentialSmoothingOverTime),
    Instant("exp", OfFloat<std::exp>),
    Range("first_over_time", FirstOverTime, /*keeps_name=*/true),
    Instant("floor", OfFloat<std::floor>),
    OfHistograms("histogram_avg", OfHistogram<HistogramAvg>),
    OfHistograms("histogram_count", OfHistogram<HistogramCount>),
    OfHistograms("histogram_stddev", OfHistogram<HistogramStddev>),
    OfHistograms("histogram_stdvar", OfHistogram<HistogramVariance>),
    OfHistograms("histogram_sum", OfHistogram<HistogramSum>),
    Instant("hour", OfFloat<Hour>),
    Range("idelta", Idelta),
    Range("increase", Increase),
    Range("irate", Irate),
    Range("last_over_time", LastOverTime, /*keeps_name=*/true),
    Instant("ln", OfFloat<std::log>),
    Instant("log10", OfFloat<std::log10>),
    Instant("log2", OfFloat<std::log2>),
    Range("mad_over_time", MadOverTime),
    Range("max_over_time", MaxOverTime),
    Range("min_over_time", MinOverTime),
    Instant("minute", OfFloat<Minute>),
    Instant("month", OfFloat<Month>),
    Range("predict_linear", PredictLinear),
    Range("present_over_time", PresentOverTime),
    Range("quantile_over_time", QuantileOverTime),
    Instant("rad", OfFloat<Radians>),
    Range("rate", Rate),
    Range("resets", Resets),
    Instant("round", RoundValue),
    Instant("sgn", OfFloat<Sign>),
    Instant("sin", OfFloat<std::sin>),
    Instant("sinh", OfFloat<SinhOf>),
    Instant("sqrt", OfFloat<std::sqrt>),
    Range("stddev_over_time", StddevOverTime),
    Range("stdvar_over_time", StdvarOverTime),
    Range("sum_over_time", SumOverTime),
    Instant("tan", OfFloat<std::tan>),
    Instant("tanh", OfFloat<std::tanh>),
    Range("ts_of_first_over_time", TsOfFirstOverTime),
    Range("ts_of_last_over_time", TsOfLastOverTime),
    Range("ts_of_max_over_time", TsOfMaxOverTime),
    Range("ts_of_min_over_time", TsOfMinOverTime),
    Instant("year", OfFloat<Year>),
});

}  // namespace

const FunctionImpl* FindFunctionImpl(std::string_view name) {
  const auto found =
      std::lower_bound(kFunctions.begin(), kFunctions.end(), name,
                       [](const FunctionImpl& row, std::string_view key) { return row.name < key; });
  return found != kFunctions.end() && found->name == name ? &*found : nullptr;
}

}  // namespace narthex::promql
