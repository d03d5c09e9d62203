#include "promql/functions/math_functions.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "model/sample.h"

namespace narthex::promql {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// Unlike std::fmax and std::fmin a NaN wins, except over the infinity that beats everything.
double MaxOf(double a, double b) {
  if (a == kInf || b == kInf) return kInf;
  if (std::isnan(a) || std::isnan(b)) return NormalNan();
  return std::fmax(a, b);
}

double MinOf(double a, double b) {
  if (a == -kInf || b == -kInf) return -kInf;
  if (std::isnan(a) || std::isnan(b)) return NormalNan();
  return std::fmin(a, b);
}

}  // namespace

double Sign(double v) {
  if (v < 0) return -1;
  if (v > 0) return 1;
  return v;
}

double Radians(double degrees) { return degrees * std::numbers::pi / 180; }

double Degrees(double radians) { return radians * 180 / std::numbers::pi; }

double RoundTo(double v, double nearest) {
  // Multiplying by the inverse loses less than dividing.
  const double inverse = 1.0 / nearest;
  return std::floor(v * inverse + 0.5) / inverse;
}

double SinhOf(double v) {
  return std::fabs(v) > 21 ? std::copysign(std::exp(std::fabs(v)) * 0.5, v) : std::sinh(v);
}

double CoshOf(double v) { return std::fabs(v) > 21 ? std::exp(std::fabs(v)) * 0.5 : std::cosh(v); }

double Clamp(double v, double min, double max) { return MaxOf(min, MinOf(max, v)); }

}  // namespace narthex::promql
