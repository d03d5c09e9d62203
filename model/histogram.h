// Native histograms. One value type for all: float counts, standard exponential schemas (-4..8) and custom
// buckets
// (-53). Semantics follow Prometheus model/histogram.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace narthex {

inline constexpr int32_t kCustomBucketsSchema = -53;

enum class CounterResetHint : uint8_t {
  kUnknown = 0,
  kReset = 1,
  kNotReset = 2,
  kGauge = 3
};  // on disk, never renumber

struct HistogramSpan {
  int32_t offset = 0;  // gap to the previous span (first: index of the first bucket)
  uint32_t length = 0;
  bool operator==(const HistogramSpan&) const = default;
};

struct HistogramBucket {
  double lower = 0, upper = 0;
  bool lower_inclusive = false, upper_inclusive = false;
  double count = 0;
  int32_t index = 0;
};

// A value; copy freely. Buckets hold absolute (not delta) counts, one per span slot.
struct FloatHistogram {
  CounterResetHint hint = CounterResetHint::kUnknown;
  int32_t schema = 0;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;
  std::vector<HistogramSpan> positive_spans, negative_spans;
  std::vector<double> positive_buckets, negative_buckets;
  std::vector<double> custom_values;  // upper bounds without +Inf, only with kCustomBucketsSchema

  bool UsesCustomBuckets() const { return schema == kCustomBucketsSchema; }
  bool IsStaleMarker() const;  // sum is the stale NaN
  // Bit-exact equality of all fields but the hint, spans compared as laid out.
  bool Equals(const FloatHistogram& other) const;
  // Merges adjacent spans, drops empty buckets (upstream Compact(0)).
  void Compact();
  void Scale(double factor);    // Mul
  void Divide(double divisor);  // Div: x/0 as upstream
  // Add/Sub reconcile schemas, zero buckets and custom bounds. Errors: incompatible schemas (exponential with
  // custom). *nhcb_reconciled is set when custom bounds differed; *reset_collision when the hints contradict
  // each other.
  absl::Status Add(const FloatHistogram& other, bool* reset_collision, bool* nhcb_reconciled,
                   bool subtract = false);
  // Compensated addition, as sum and avg use it: *low keeps this histogram's shape and carries the lost low
  // parts. *low starts as a default FloatHistogram; the total is Add(*low) at the end. The flags as in Add.
  absl::Status KahanAdd(const FloatHistogram& other, FloatHistogram* low, bool* reset_collision,
                        bool* nhcb_reconciled);
  bool HasOverflow() const;                      // any infinite count, sum or bucket
  void ReduceResolution(int32_t target_schema);  // REQUIRES: exponential, target_schema <= schema
  bool DetectReset(const FloatHistogram& previous) const;
  // The histogram without the observations above (TrimUpper, `</`) or below (TrimLower, `>/`) the limit,
  // interpolated inside a bucket; count and sum are estimated anew if anything was cut.
  FloatHistogram TrimUpper(double limit) const;
  FloatHistogram TrimLower(double limit) const;
  // All non-empty-span buckets from lowest to highest, zero bucket in its place.
  std::vector<HistogramBucket> AllBuckets() const;
  std::vector<HistogramBucket> AllBucketsReverse() const;
  // One side in index order, from zero outwards; bounds not clipped at the zero threshold.
  std::vector<HistogramBucket> PositiveBuckets() const;
  std::vector<HistogramBucket> NegativeBuckets() const;
  absl::Status Validate() const;
  std::string ToString() const;        // {count:10, sum:5, [-2,-1):3, ...} as upstream String()
  std::string TestExpression() const;  // {{schema:0 count:..}} as upstream
};

using HistogramPtr = std::shared_ptr<const FloatHistogram>;

// Upper bound of bucket `index` in an exponential schema.
double BucketBound(int32_t index, int32_t schema);

}  // namespace narthex
