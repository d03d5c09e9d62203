// Compensated (Kahan-Neumaier) summation, the one that sums and averages in PromQL use.
#pragma once

#include <cmath>

namespace narthex {

// Adds `increment` to *sum; what rounding lost goes to *compensation. The total is *sum + *compensation. An
// infinite sum has no compensation.
inline void KahanAdd(double increment, double* sum, double* compensation) {
  const double total = *sum + increment;
  if (std::isinf(total)) {
    *compensation = 0;
  } else if (std::fabs(*sum) >= std::fabs(increment)) {
    *compensation += (*sum - total) + increment;
  } else {
    *compensation += (increment - total) + *sum;
  }
  *sum = total;
}

}  // namespace narthex
