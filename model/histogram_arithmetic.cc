// FloatHistogram::Add and KahanAdd.

#include <algorithm>

#include "model/histogram.h"
#include "model/histogram_slots.h"
#include "model/kahan_sum.h"

namespace narthex {

namespace {

using histogram_internal::Expand;
using histogram_internal::Slot;
using histogram_internal::Slots;
using histogram_internal::ZeroBucket;

// The hint of a sum. True if one operand claims a reset and the other denies it.
bool CombineHints(CounterResetHint other, CounterResetHint* hint) {
  if (other == *hint || *hint == CounterResetHint::kGauge) return false;
  if (other == CounterResetHint::kGauge) {
    *hint = CounterResetHint::kGauge;
    return false;
  }
  const bool collision = *hint != CounterResetHint::kUnknown && other != CounterResetHint::kUnknown;
  *hint = CounterResetHint::kUnknown;
  return collision;
}

// Adds sign * other to *slots, both sorted by index.
void MergeSlots(const Slots& other, double sign, bool compensated, Slots* slots) {
  Slots out;
  out.reserve(slots->size() + other.size());
  size_t i = 0;
  for (const Slot& add : other) {
    while (i < slots->size() && (*slots)[i].index < add.index) out.push_back((*slots)[i++]);
    if (i == slots->size() || (*slots)[i].index != add.index) {
      out.push_back({add.index, sign * add.count, 0});
      continue;
    }
    Slot sum = (*slots)[i++];
    if (compensated) {
      KahanAdd(sign * add.count, &sum.count, &sum.low);
    } else {
      sum.count += sign * add.count;
    }
    out.push_back(sum);
  }
  out.insert(out.end(), slots->begin() + static_cast<ptrdiff_t>(i), slots->end());
  *slots = std::move(out);
}

// Widens both zero buckets until they agree. The receiver loses the buckets that went into its zero bucket.
ZeroBucket ReconcileZeroBuckets(int32_t schema, bool compensated, ZeroBucket* zero, Slots* positive,
                                Slots* negative, const FloatHistogram& other) {
  const Slots other_positive = Expand(other.positive_spans, other.positive_buckets);
  const Slots other_negative = Expand(other.negative_spans, other.negative_buckets);
  const ZeroBucket original{other.zero_threshold, other.zero_count, 0};
  ZeroBucket theirs = original;
  while (theirs.threshold != zero->threshold) {
    if (zero->threshold > theirs.threshold) {
      theirs =
          WidenZeroBucket(original, zero->threshold, other.schema, other_positive, other_negative, false);
    }
    if (theirs.threshold > zero->threshold) {
      *zero = WidenZeroBucket(*zero, theirs.threshold, schema, *positive, *negative, compensated);
      SkipBelow(zero->threshold, schema, positive);
      SkipBelow(zero->threshold, schema, negative);
    } else if (!(theirs.threshold == zero->threshold)) {
      break;  // NaN
    }
  }
  return theirs;
}

// One addition: `low` is null for the plain one.
class Addition {
 public:
  Addition(FloatHistogram* h, FloatHistogram* low, double sign) : h_(h), low_(low), sign_(sign) {}

  // True if custom bounds had to be reconciled.
  bool Run(const FloatHistogram& other) {
    AddScalars(other);
    if (h_->UsesCustomBuckets()) return AddCustom(other);
    if (!SameShape(other)) {
      AddExponential(other);
      return false;
    }
    if (low_ != nullptr) {
      KahanAdd(sign_ * other.zero_count, &h_->zero_count, &low_->zero_count);
    } else {
      h_->zero_count += sign_ * other.zero_count;
    }
    AddInPlace(other.positive_buckets, &h_->positive_buckets, low_ ? &low_->positive_buckets : nullptr);
    AddInPlace(other.negative_buckets, &h_->negative_buckets, low_ ? &low_->negative_buckets : nullptr);
    CopyShape();
    return false;
  }

 private:
  bool compensated() const { return low_ != nullptr; }

  void AddScalars(const FloatHistogram& other) {
    if (!compensated()) {
      h_->count += sign_ * other.count;
      h_->sum += sign_ * other.sum;
      return;
    }
    KahanAdd(sign_ * other.count, &h_->count, &low_->count);
    KahanAdd(sign_ * other.sum, &h_->sum, &low_->sum);
  }

  static bool BucketsInsideZero(const FloatHistogram& h) {
    auto inside = [&](const std::vector<HistogramSpan>& spans) {
      return !spans.empty() && BucketBound(spans[0].offset, h.schema) <= h.zero_threshold;
    };
    return inside(h.positive_spans) || inside(h.negative_spans);
  }

  bool SameShape(const FloatHistogram& other) const {
    return h_->schema == other.schema && h_->zero_threshold == other.zero_threshold &&
           h_->positive_spans == other.positive_spans && h_->negative_spans == other.negative_spans &&
           h_->positive_buckets.size() == other.positive_buckets.size() &&
           h_->negative_buckets.size() == other.negative_buckets.size() && !BucketsInsideZero(other);
  }

  void AddInPlace(const std::vector<double>& other, std::vector<double>* buckets,
                  std::vector<double>* low) const {
    if (low != nullptr) low->resize(buckets->size());
    for (size_t i = 0; i < other.size(); ++i) {
      if (low != nullptr) {
        KahanAdd(sign_ * other[i], &(*buckets)[i], &(*low)[i]);
      } else {
        (*buckets)[i] += sign_ * other[i];
      }
    }
  }

  bool AddCustom(const FloatHistogram& other) {
    const bool same_bounds = h_->custom_values == other.custom_values;
    if (same_bounds && h_->positive_spans == other.positive_spans &&
        h_->positive_buckets.size() == other.positive_buckets.size()) {
      AddInPlace(other.positive_buckets, &h_->positive_buckets, low_ ? &low_->positive_buckets : nullptr);
      CopyShape();
      return false;
    }
    Slots mine = Expand(h_->positive_spans, h_->positive_buckets, low_ ? &low_->positive_buckets : nullptr);
    Slots theirs = Expand(other.positive_spans, other.positive_buckets);
    if (!same_bounds) {
      std::vector<double> bounds =
          histogram_internal::IntersectBounds(h_->custom_values, other.custom_values);
      mine = MapToBounds(mine, h_->custom_values, bounds, compensated());
      theirs = MapToBounds(theirs, other.custom_values, bounds, false);
      h_->custom_values = std::move(bounds);
    }
    MergeSlots(theirs, sign_, compensated(), &mine);
    if (!same_bounds) std::erase_if(mine, [](const Slot& slot) { return slot.count == 0 && slot.low == 0; });
    Collapse(mine, &h_->positive_spans, &h_->positive_buckets, low_ ? &low_->positive_buckets : nullptr);
    CopyShape();
    return !same_bounds;
  }

  void AddExponential(const FloatHistogram& other) {
    Slots positive =
        Expand(h_->positive_spans, h_->positive_buckets, low_ ? &low_->positive_buckets : nullptr);
    Slots negative =
        Expand(h_->negative_spans, h_->negative_buckets, low_ ? &low_->negative_buckets : nullptr);
    ZeroBucket zero{h_->zero_threshold, h_->zero_count, low_ ? low_->zero_count : 0};
    const ZeroBucket theirs =
        ReconcileZeroBuckets(h_->schema, compensated(), &zero, &positive, &negative, other);
    if (compensated()) {
      KahanAdd(sign_ * theirs.count, &zero.count, &zero.low);
      low_->zero_count = zero.low;
    } else {
      zero.count += sign_ * theirs.count;
    }
    h_->zero_threshold = zero.threshold;
    h_->zero_count = zero.count;

    const int32_t schema = std::min(h_->schema, other.schema);
    MergeSide(other.positive_spans, other.positive_buckets, other.schema, schema, &positive);
    MergeSide(other.negative_spans, other.negative_buckets, other.schema, schema, &negative);
    h_->schema = schema;
    Collapse(positive, &h_->positive_spans, &h_->positive_buckets, low_ ? &low_->positive_buckets : nullptr);
    Collapse(negative, &h_->negative_spans, &h_->negative_buckets, low_ ? &low_->negative_buckets : nullptr);
    CopyShape();
  }

  void MergeSide(const std::vector<HistogramSpan>& spans, const std::vector<double>& buckets,
                 int32_t other_schema, int32_t schema, Slots* side) const {
    Slots theirs = Expand(spans, buckets);
    histogram_internal::ReduceSlots(other_schema, schema, false, &theirs);
    histogram_internal::SkipBelow(h_->zero_threshold, schema, &theirs);
    histogram_internal::ReduceSlots(h_->schema, schema, compensated(), side);
    MergeSlots(theirs, sign_, compensated(), side);
  }

  void CopyShape() const {
    if (low_ == nullptr) return;
    low_->schema = h_->schema;
    low_->zero_threshold = h_->zero_threshold;
    low_->custom_values = h_->custom_values;
    low_->positive_spans = h_->positive_spans;
    low_->negative_spans = h_->negative_spans;
    low_->hint = h_->hint;  // so that adding it at the end leaves the hint as it is
  }

  FloatHistogram* h_;
  FloatHistogram* low_;
  double sign_;
};

absl::Status AddImpl(FloatHistogram* h, const FloatHistogram& other, FloatHistogram* low, double sign,
                     bool* reset_collision, bool* nhcb_reconciled) {
  if (h->UsesCustomBuckets() != other.UsesCustomBuckets()) {
    return absl::InvalidArgumentError(
        "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas");
  }
  if (CombineHints(other.hint, &h->hint) && reset_collision != nullptr) *reset_collision = true;
  if (Addition(h, low, sign).Run(other) && nhcb_reconciled != nullptr) *nhcb_reconciled = true;
  return absl::OkStatus();
}

}  // namespace

absl::Status FloatHistogram::Add(const FloatHistogram& other, bool* reset_collision, bool* nhcb_reconciled,
                                 bool subtract) {
  if (&other == this) {
    const FloatHistogram copy = other;
    return AddImpl(this, copy, nullptr, subtract ? -1.0 : 1.0, reset_collision, nhcb_reconciled);
  }
  return AddImpl(this, other, nullptr, subtract ? -1.0 : 1.0, reset_collision, nhcb_reconciled);
}

absl::Status FloatHistogram::KahanAdd(const FloatHistogram& other, FloatHistogram* low, bool* reset_collision,
                                      bool* nhcb_reconciled) {
  return AddImpl(this, other, low, 1.0, reset_collision, nhcb_reconciled);
}

}  // namespace narthex
