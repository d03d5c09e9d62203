// A sample of a window that may mix floats and histograms.
#pragma once

#include <cstdint>

#include "promql/functions/call.h"

namespace narthex::promql {

struct AnySample {
  int64_t t = 0;
  int64_t start = 0;  // 0 = none
  double v = 0;
  const FloatHistogram* h = nullptr;  // null: a float
};

inline AnySample FloatSample(const Window& window, size_t i) {
  return {window.floats[i].t, i < window.float_starts.size() ? window.float_starts[i] : 0, window.floats[i].v,
          nullptr};
}

inline AnySample HistogramSample(const Window& window, size_t i) {
  return {window.histograms[i].t, i < window.histogram_starts.size() ? window.histogram_starts[i] : 0, 0,
          window.histograms[i].h.get()};
}

}  // namespace narthex::promql
