// Private to model/histogram*.cc: one side of a histogram as a list of indexed counts, which is simpler to
// merge than spans.
#pragma once

#include <cstdint>
#include <vector>

#include "model/histogram.h"

namespace narthex::histogram_internal {

struct Slot {
  int64_t index = 0;
  double count = 0;
  double low = 0;  // lost low part in compensated sums, else 0
};
using Slots = std::vector<Slot>;

// The bounds of a bucket by its absolute value; custom_values only with the custom schema.
double UpperBound(int64_t index, int32_t schema, const std::vector<double>& custom_values);

// Calls f(index, slot number) for each bucket. Tolerates spans that promise more buckets than there are.
template <typename F>
void ForEachBucket(const std::vector<HistogramSpan>& spans, size_t buckets, F f) {
  int64_t index = 0;
  size_t slot = 0;
  for (const HistogramSpan& span : spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; ++i, ++index, ++slot) {
      if (slot >= buckets) return;
      f(index, slot);
    }
  }
}

// `low` may be null, else it runs parallel to `buckets`.
Slots Expand(const std::vector<HistogramSpan>& spans, const std::vector<double>& buckets,
             const std::vector<double>* low = nullptr);
// Writes slots (sorted, unique) back. `low` may be null.
void Collapse(const Slots& slots, std::vector<HistogramSpan>* spans, std::vector<double>* buckets,
              std::vector<double>* low = nullptr);
// Merges exponential buckets down by `from - to` schema steps.
void ReduceSlots(int32_t from, int32_t to, bool compensated, Slots* slots);
// The buckets with custom bounds `from` in the coarser layout `to` (a subset of `from`).
Slots MapToBounds(const Slots& slots, const std::vector<double>& from, const std::vector<double>& to,
                  bool compensated);
std::vector<double> IntersectBounds(const std::vector<double>& a, const std::vector<double>& b);
// Drops the leading slots whose upper bound does not exceed `threshold`: they are in the zero bucket.
void SkipBelow(double threshold, int32_t schema, Slots* slots);

// The zero bucket widened to at least `threshold`; a threshold inside a populated bucket grows to that
// bucket's end.
struct ZeroBucket {
  double threshold = 0;
  double count = 0;
  double low = 0;
};
ZeroBucket WidenZeroBucket(ZeroBucket zero, double threshold, int32_t schema, const Slots& positive,
                           const Slots& negative, bool compensated);

}  // namespace narthex::histogram_internal
