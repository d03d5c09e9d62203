#include "model/histogram.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "model/histogram_slots.h"
#include "model/sample.h"

namespace narthex {

namespace {

using histogram_internal::Expand;
using histogram_internal::Slot;
using histogram_internal::Slots;
using histogram_internal::ZeroBucket;

constexpr int32_t kMinSchema = -4;
constexpr int32_t kMaxSchema = 8;

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return SameBits(x, y); });
}

// Spans of length 0 only shift what follows; two layouts are equal if they differ in nothing else.
bool SameLayout(const std::vector<HistogramSpan>& a, const std::vector<HistogramSpan>& b) {
  if (a == b) return true;
  auto normal = [](const std::vector<HistogramSpan>& spans) {
    std::vector<HistogramSpan> out;
    int32_t shift = 0;
    for (const HistogramSpan& span : spans) {
      shift = static_cast<int32_t>(int64_t{shift} + span.offset);
      if (span.length == 0) continue;
      out.push_back({shift, span.length});
      shift = 0;
    }
    return out;
  };
  return normal(a) == normal(b);
}

void CompactSide(std::vector<HistogramSpan>* spans, std::vector<double>* buckets) {
  const bool empty_bucket = std::find(buckets->begin(), buckets->end(), 0.0) != buckets->end();
  const bool odd_span = std::any_of(spans->begin(), spans->end(), [&](const HistogramSpan& span) {
    return span.length == 0 || (span.offset == 0 && &span != &spans->front());
  });
  if (!empty_bucket && !odd_span) return;
  Slots slots = Expand(*spans, *buckets);
  std::erase_if(slots, [](const Slot& slot) { return slot.count == 0; });
  Collapse(slots, spans, buckets);
}

// Whether a bucket of `previous` has more observations than the same bucket of `current`.
bool AnyDecrease(const Slots& current, const Slots& previous) {
  size_t i = 0;
  for (const Slot& slot : previous) {
    while (i < current.size() && current[i].index < slot.index) ++i;
    if (i < current.size() && current[i].index == slot.index) {
      if (current[i].count < slot.count) return true;
    } else if (slot.count != 0) {
      return true;
    }
  }
  return false;
}

absl::Status CheckSpans(const std::vector<HistogramSpan>& spans, size_t buckets) {
  uint64_t total = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0) {
      return absl::InvalidArgumentError(absl::StrCat("span number ", i + 1, " with offset ", spans[i].offset,
                                                     ": histogram has a span whose offset is negative"));
    }
    total += spans[i].length;
  }
  if (total == buckets) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("spans need ", total, " buckets, have ", buckets,
                   " buckets: histogram spans specify different number of buckets than "
                   "provided"));
}

absl::Status CheckCustomBounds(const FloatHistogram& h) {
  double previous = -std::numeric_limits<double>::infinity();
  for (double bound : h.custom_values) {
    if (std::isnan(bound)) return absl::InvalidArgumentError("histogram custom bounds must not be NaN");
    if (bound == std::numeric_limits<double>::infinity()) {
      return absl::InvalidArgumentError(absl::StrCat("last bound is ", FormatFloat(bound, 'g', -1),
                                                     ": histogram custom bounds must be finite"));
    }
    if (bound <= previous) {
      return absl::InvalidArgumentError(absl::StrCat(
          "previous bound is ", FormatFloat(previous, 'f', 6), " and current is ", FormatFloat(bound, 'f', 6),
          ": histogram custom bounds must be in strictly increasing order"));
    }
    previous = bound;
  }
  uint64_t needed = 0;
  uint64_t total = 0;
  for (const HistogramSpan& span : h.positive_spans) {
    if (span.offset < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("span with offset ", span.offset, ": histogram has a span whose offset is negative"));
    }
    total += span.length;
    needed += static_cast<uint64_t>(span.offset) + span.length;
  }
  if (total != h.positive_buckets.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("spans need ", total, " buckets, have ", h.positive_buckets.size(),
                     " buckets: histogram spans specify different number of buckets than "
                     "provided"));
  }
  if (needed > h.custom_values.size() + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("only ", h.custom_values.size(),
                     " custom bounds defined which is insufficient to cover total span "
                     "length of ",
                     needed, ": histogram custom bounds are too few"));
  }
  return absl::OkStatus();
}

absl::Status CheckCounts(const char* side, const std::vector<double>& buckets) {
  for (size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i] < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          side, " side: bucket number ", i + 1, " has observation count of ",
          FormatFloat(buckets[i], 'g', -1), ": histogram has a bucket whose observation count is negative"));
    }
  }
  return absl::OkStatus();
}

absl::Status Prefixed(const char* prefix, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(prefix, status.message()));
}

absl::Status ValidateCustom(const FloatHistogram& h) {
  RETURN_IF_ERROR(Prefixed("custom buckets: ", CheckCustomBounds(h)));
  if (h.zero_count != 0) return absl::InvalidArgumentError("custom buckets: must have zero count of 0");
  if (h.zero_threshold != 0)
    return absl::InvalidArgumentError("custom buckets: must have zero threshold of 0");
  if (!h.negative_spans.empty())
    return absl::InvalidArgumentError("custom buckets: must not have negative spans");
  if (!h.negative_buckets.empty())
    return absl::InvalidArgumentError("custom buckets: must not have negative buckets");
  return absl::OkStatus();
}

absl::Status ValidateExponential(const FloatHistogram& h) {
  RETURN_IF_ERROR(Prefixed("positive side: ", CheckSpans(h.positive_spans, h.positive_buckets.size())));
  RETURN_IF_ERROR(Prefixed("negative side: ", CheckSpans(h.negative_spans, h.negative_buckets.size())));
  RETURN_IF_ERROR(CheckCounts("negative", h.negative_buckets));
  if (h.zero_count < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("zero bucket has observation count of ", FormatFloat(h.zero_count, 'g', -1),
                     ": histogram has a bucket whose observation count is negative"));
  }
  if (!h.custom_values.empty()) {
    return absl::InvalidArgumentError("histogram with exponential schema must not have custom bounds");
  }
  return absl::OkStatus();
}

}  // namespace

double BucketBound(int32_t index, int32_t schema) {
  // Fractions of a power of two in [0.5, 1) at the finest schema; coarser schemas use every 2^n-th. Each is a
  // product of roots of two, rounded as Prometheus's table is: not always the double next to the exact value.
  static const std::array<double, 256> kFractions = [] {
    std::array<double, 256> out;
    out[0] = 0.5;
    double root = 2 / std::sqrt(2.0);
    for (size_t step = out.size() / 2; step > 0; step /= 2, root = std::sqrt(root)) {
      for (size_t i = step; i < out.size(); i += 2 * step) out[i] = out[i - step] * root;
    }
    return out;
  }();
  // The bucket that holds the largest floats ends at the largest float rather than at infinity.
  if (schema <= 0) {
    const int64_t exponent = int64_t{index} * (int64_t{1} << std::min(-schema, 31));
    if (exponent == 1024) return std::numeric_limits<double>::max();
    return std::ldexp(1.0, static_cast<int>(std::clamp<int64_t>(exponent, -5000, 5000)));
  }
  schema = std::min(schema, kMaxSchema);
  const double fraction = kFractions[(index & ((1 << schema) - 1)) << (kMaxSchema - schema)];
  const int exponent = (index >> schema) + 1;
  if (fraction == 0.5 && exponent == 1025) return std::numeric_limits<double>::max();
  return std::ldexp(fraction, exponent);
}

bool FloatHistogram::IsStaleMarker() const { return IsStale(sum); }

bool FloatHistogram::Equals(const FloatHistogram& other) const {
  return schema == other.schema && SameBits(count, other.count) && SameBits(sum, other.sum) &&
         custom_values == other.custom_values && zero_threshold == other.zero_threshold &&
         SameBits(zero_count, other.zero_count) && SameLayout(negative_spans, other.negative_spans) &&
         SameBits(negative_buckets, other.negative_buckets) &&
         SameLayout(positive_spans, other.positive_spans) &&
         SameBits(positive_buckets, other.positive_buckets);
}

void FloatHistogram::Compact() {
  CompactSide(&positive_spans, &positive_buckets);
  CompactSide(&negative_spans, &negative_buckets);
}

void FloatHistogram::Scale(double factor) {
  zero_count *= factor;
  count *= factor;
  sum *= factor;
  for (double& bucket : positive_buckets) bucket *= factor;
  for (double& bucket : negative_buckets) bucket *= factor;
  if (factor < 0) hint = CounterResetHint::kGauge;
}

void FloatHistogram::Divide(double divisor) {
  zero_count /= divisor;
  count /= divisor;
  sum /= divisor;
  if (divisor == 0) {  // infinite buckets would mean nothing
    positive_spans.clear();
    negative_spans.clear();
    positive_buckets.clear();
    negative_buckets.clear();
    return;
  }
  for (double& bucket : positive_buckets) bucket /= divisor;
  for (double& bucket : negative_buckets) bucket /= divisor;
  if (divisor < 0) hint = CounterResetHint::kGauge;
}

void FloatHistogram::ReduceResolution(int32_t target_schema) {
  if (UsesCustomBuckets() || target_schema >= schema) return;
  Slots positive = Expand(positive_spans, positive_buckets);
  Slots negative = Expand(negative_spans, negative_buckets);
  ReduceSlots(schema, target_schema, false, &positive);
  ReduceSlots(schema, target_schema, false, &negative);
  Collapse(positive, &positive_spans, &positive_buckets);
  Collapse(negative, &negative_spans, &negative_buckets);
  schema = target_schema;
}

bool FloatHistogram::HasOverflow() const {
  auto infinite = [](double v) { return std::isinf(v); };
  return infinite(zero_count) || infinite(count) || infinite(sum) ||
         std::any_of(positive_buckets.begin(), positive_buckets.end(), infinite) ||
         std::any_of(negative_buckets.begin(), negative_buckets.end(), infinite);
}

bool FloatHistogram::DetectReset(const FloatHistogram& previous) const {
  if (hint == CounterResetHint::kReset) return true;
  if (hint == CounterResetHint::kNotReset) return false;
  if (count < previous.count) return true;
  if (UsesCustomBuckets() != previous.UsesCustomBuckets()) return true;
  Slots now = Expand(positive_spans, positive_buckets);
  Slots before = Expand(previous.positive_spans, previous.positive_buckets);
  if (UsesCustomBuckets()) {
    if (custom_values != previous.custom_values) {
      const std::vector<double> bounds =
          histogram_internal::IntersectBounds(custom_values, previous.custom_values);
      now = MapToBounds(now, custom_values, bounds, false);
      before = MapToBounds(before, previous.custom_values, bounds, false);
    }
    return AnyDecrease(now, before);
  }
  // A finer resolution or a narrower zero bucket comes only with a fresh start.
  if (schema > previous.schema || zero_threshold < previous.zero_threshold) return true;
  Slots negative = Expand(negative_spans, negative_buckets);
  Slots negative_before = Expand(previous.negative_spans, previous.negative_buckets);
  const ZeroBucket zero = WidenZeroBucket({previous.zero_threshold, previous.zero_count, 0}, zero_threshold,
                                          previous.schema, before, negative_before, false);
  if (zero.threshold != zero_threshold || zero_count < zero.count) return true;
  for (Slots* side : {&before, &negative_before}) ReduceSlots(previous.schema, schema, false, side);
  for (Slots* side : {&now, &negative, &before, &negative_before}) SkipBelow(zero_threshold, schema, side);
  return AnyDecrease(now, before) || AnyDecrease(negative, negative_before);
}

absl::Status FloatHistogram::Validate() const {
  if (UsesCustomBuckets()) {
    RETURN_IF_ERROR(ValidateCustom(*this));
  } else if (schema >= kMinSchema && schema <= kMaxSchema) {
    RETURN_IF_ERROR(ValidateExponential(*this));
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 "
        "for custom buckets, got schema ",
        schema));
  }
  if (count < 0) {
    return absl::InvalidArgumentError(absl::StrCat("observation count is  ", FormatFloat(count, 'g', -1),
                                                   ": histogram's observation count is negative"));
  }
  return CheckCounts("positive", positive_buckets);
}

}  // namespace narthex
