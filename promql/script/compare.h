// Whether a result is what a script expects. The answers are "" or what is wrong.
#pragma once

#include <string>

#include "promql/promql.h"
#include "promql/script/commands.h"

namespace narthex::promql::script {

// Equal up to a relative 1e-6; NaN equals NaN, a stale marker only a stale marker.
bool AlmostEqual(double a, double b);
bool AlmostEqual(const FloatHistogram& expected, const FloatHistogram& actual);

// The whole result of an eval that was expected to succeed.
std::string CompareResult(const EvalCommand& eval, const Result& result);
// A range result of which only the points at `t_ms` count, with the instant eval's expectation.
std::string CompareAt(const EvalCommand& eval, const Result& result, int64_t t_ms);
// The error of an eval that was expected to fail.
std::string CompareError(const EvalCommand& eval, const absl::Status& status);
std::string CompareAnnotations(const EvalCommand& eval, const Result& result);

}  // namespace narthex::promql::script
