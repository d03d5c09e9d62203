// The functions of one number (and limits) that are not in the C++ library as PromQL wants them.
#pragma once

namespace narthex::promql {

double Sign(double v);
double Radians(double degrees);
double Degrees(double radians);
// Ties round up.
double RoundTo(double v, double nearest);
// As in Go: infinite from where exp(v) is, which is a little before the result would be.
double SinhOf(double v);
double CoshOf(double v);
// As in Go to the last bit where the exponent is whole: by squaring, with rounding at each step.
double PowOf(double base, double exponent);
// Unlike in the C++ library a NaN wins, except over the infinity that beats everything.
double MaxOf(double a, double b);
double MinOf(double a, double b);
// NaN values stay NaN; infinite limits do nothing.
double Clamp(double v, double min, double max);

}  // namespace narthex::promql
