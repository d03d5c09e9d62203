// The inner loops of range functions and aggregations, on plain arrays: the seam behind which a machine's
// vector units work. Every function gives, bit for bit, what the loop in its comment gives; KahanAdd is that
// of model/kahan_sum.h. Arrays may have any length and alignment and do not overlap, unless said otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace narthex::promql {

// What rate(), increase() and delta() know of the window of each step before they see a value.
struct RateSteps {
  size_t n = 0;
  const double* sampled = nullptr;   // seconds from the first to the last sample
  const double* to_start = nullptr;  // seconds by which to extrapolate to each side
  const double* to_end = nullptr;
  const double* factor = nullptr;  // (sampled + to_start + to_end) / sampled, for rate() / range_seconds
  double range_seconds = 0;        // 0: not rate()
  bool is_counter = false;
};

struct Kernels {
  // Writes the i > 0 with v[i] < v[i - 1] to at[0..n), ascending; returns how many there are.
  size_t (*drops)(const double* v, size_t n, uint32_t* at);
  bool (*has_stale)(const double* v, size_t n);
  // out[i] = change[i] * factor[i], where a counter does not reach zero inside the extrapolated time; else
  // with to_start cut to sampled * (first / change). out may be change.
  void (*rates)(const RateSteps& steps, const double* first, const double* change, double* out);
  // KahanAdd(v[i], &sum[i], &low[i])
  void (*add)(const double* v, size_t n, double* sum, double* low);
  // The same if all sums stay finite; else false, and nothing has changed.
  bool (*add_finite)(const double* v, size_t n, double* sum, double* low);
  // if (v[i] > best[i] || isnan(best[i])) best[i] = v[i]
  void (*max)(const double* v, size_t n, double* best);
  void (*min)(const double* v, size_t n, double* best);  // the same with <

  // Windows k < n of `width` > 0 values from v[k * stride] on, `stride` > 0. `scratch` needs
  // WindowScratch(n, stride, width) doubles.
  //
  // sum[k] = first value, low[k] = 0, then KahanAdd of the others. Where not finite: undefined.
  void (*window_sums)(const double* v, size_t n, size_t stride, size_t width, double* scratch, double* sum,
                      double* low);
  // best[k] = first value, then as `max` and `min`.
  void (*window_max)(const double* v, size_t n, size_t stride, size_t width, double* scratch, double* best);
  void (*window_min)(const double* v, size_t n, size_t stride, size_t width, double* scratch, double* best);
};

// Enough for the three functions above.
constexpr size_t WindowScratch(size_t n, size_t stride, size_t width) {
  return stride == 1 ? 0 : stride * (n + width / stride + 1);
}

// Those for the best vector unit of this machine.
const Kernels& MachineKernels();
// For tests: of each instruction set that this machine has, with its name.
std::vector<std::pair<std::string, Kernels>> AllKernels();

}  // namespace narthex::promql
