#include "promql/functions/math_functions.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "model/sample.h"

namespace narthex::promql {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

}  // namespace

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

double PowOf(double base, double exponent) {
  if (!std::isfinite(base) || base == 0) return std::pow(base, exponent);
  if (exponent == 0.5) return std::sqrt(base);
  if (exponent == -0.5) return 1 / std::sqrt(base);
  if (exponent != std::trunc(exponent) || !(std::fabs(exponent) < 0x1p63)) return std::pow(base, exponent);
  double power = 1;  // the result is power * 2^shift
  int64_t shift = 0;
  int square_shift = 0;
  double square = std::frexp(base, &square_shift);
  int64_t wide_shift = square_shift;
  for (auto left = static_cast<uint64_t>(std::fabs(exponent)); left != 0; left >>= 1) {
    constexpr int64_t kOverflow = 1 << 12;
    if (wide_shift < -kOverflow || wide_shift > kOverflow) {
      shift += wide_shift;
      break;
    }
    if ((left & 1) != 0) {
      power *= square;
      shift += wide_shift;
    }
    square *= square;
    wide_shift *= 2;
    if (square < 0.5) {
      square += square;
      --wide_shift;
    }
  }
  if (exponent < 0) {
    power = 1 / power;
    shift = -shift;
  }
  return std::ldexp(power, static_cast<int>(shift));
}

double Clamp(double v, double min, double max) { return MaxOf(min, MinOf(max, v)); }

}  // namespace narthex::promql
