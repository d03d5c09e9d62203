#include "model/histogram_slots.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/kahan_sum.h"

namespace narthex::histogram_internal {

namespace {

void AddCount(double count, double low, bool compensated, Slot* slot) {
  if (compensated) {
    KahanAdd(count, &slot->count, &slot->low);
    slot->low += low;
  } else {
    slot->count += count;
  }
}

}  // namespace

double UpperBound(int64_t index, int32_t schema, const std::vector<double>& custom_values) {
  if (schema != kCustomBucketsSchema) {
    const int64_t clamped =
        std::clamp<int64_t>(index, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
    return BucketBound(static_cast<int32_t>(clamped), schema);
  }
  if (index < 0) return -std::numeric_limits<double>::infinity();
  if (index >= static_cast<int64_t>(custom_values.size())) return std::numeric_limits<double>::infinity();
  return custom_values[index];
}

Slots Expand(const std::vector<HistogramSpan>& spans, const std::vector<double>& buckets,
             const std::vector<double>* low) {
  Slots slots;
  slots.reserve(buckets.size());
  ForEachBucket(spans, buckets.size(), [&](int64_t index, size_t i) {
    slots.push_back({index, buckets[i], low != nullptr && i < low->size() ? (*low)[i] : 0.0});
  });
  return slots;
}

void Collapse(const Slots& slots, std::vector<HistogramSpan>* spans, std::vector<double>* buckets,
              std::vector<double>* low) {
  spans->clear();
  buckets->clear();
  if (low != nullptr) low->clear();
  int64_t next = 0;
  for (const Slot& slot : slots) {
    if (spans->empty() || slot.index != next) {
      spans->push_back({static_cast<int32_t>(slot.index - next), 0});
    }
    ++spans->back().length;
    next = slot.index + 1;
    buckets->push_back(slot.count);
    if (low != nullptr) low->push_back(slot.low);
  }
}

void ReduceSlots(int32_t from, int32_t to, bool compensated, Slots* slots) {
  if (from <= to) return;
  const int32_t shift = std::min(from - to, 62);
  Slots merged;
  merged.reserve(slots->size());
  for (const Slot& slot : *slots) {
    const int64_t index = ((slot.index - 1) >> shift) + 1;
    if (merged.empty() || merged.back().index != index) {
      merged.push_back({index, slot.count, slot.low});
    } else {
      AddCount(slot.count, slot.low, compensated, &merged.back());
    }
  }
  *slots = std::move(merged);
}

Slots MapToBounds(const Slots& slots, const std::vector<double>& from, const std::vector<double>& to,
                  bool compensated) {
  Slots mapped;
  for (const Slot& slot : slots) {
    int64_t index = static_cast<int64_t>(to.size());
    if (slot.index >= 0 && slot.index < static_cast<int64_t>(from.size())) {
      index = std::lower_bound(to.begin(), to.end(), from[slot.index]) - to.begin();
    }
    if (mapped.empty() || mapped.back().index != index) {
      mapped.push_back({index, slot.count, slot.low});
    } else {
      AddCount(slot.count, slot.low, compensated, &mapped.back());
    }
  }
  return mapped;
}

std::vector<double> IntersectBounds(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

void SkipBelow(double threshold, int32_t schema, Slots* slots) {
  static const std::vector<double> kNoBounds;
  if (schema == kCustomBucketsSchema) return;
  size_t first = 0;
  while (first < slots->size() && UpperBound((*slots)[first].index, schema, kNoBounds) <= threshold) ++first;
  slots->erase(slots->begin(), slots->begin() + static_cast<ptrdiff_t>(first));
}

namespace {

// Adds the buckets of one side that begin below zero->threshold. True if the threshold had to grow.
bool AbsorbSide(int32_t schema, const Slots& side, bool compensated, ZeroBucket* zero) {
  static const std::vector<double> kNoBounds;
  for (const Slot& slot : side) {
    if (UpperBound(slot.index - 1, schema, kNoBounds) >= zero->threshold) return false;
    if (compensated) {
      KahanAdd(slot.count, &zero->count, &zero->low);
      zero->low += slot.low;
    } else {
      zero->count += slot.count;
    }
    const double upper = UpperBound(slot.index, schema, kNoBounds);
    if (upper <= zero->threshold) continue;
    if (slot.count == 0) return false;
    zero->threshold = upper;
    return true;
  }
  return false;
}

}  // namespace

ZeroBucket WidenZeroBucket(ZeroBucket zero, double threshold, int32_t schema, const Slots& positive,
                           const Slots& negative, bool compensated) {
  if (threshold <= zero.threshold) return zero;
  for (;;) {
    ZeroBucket widened{threshold, zero.count, zero.low};
    AbsorbSide(schema, positive, compensated, &widened);
    // A negative bucket that moves the threshold makes what was taken from the positive side too little.
    if (!AbsorbSide(schema, negative, compensated, &widened)) return widened;
    threshold = widened.threshold;
  }
}

}  // namespace narthex::histogram_internal
