// FloatHistogram's buckets with their bounds, and trimming at a limit.

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/histogram.h"
#include "model/histogram_slots.h"

namespace narthex {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

HistogramBucket MakeBucket(const FloatHistogram& h, int64_t index, double count, bool positive) {
  using histogram_internal::UpperBound;
  HistogramBucket bucket;
  bucket.count = count;
  bucket.index = static_cast<int32_t>(index);
  bucket.upper = UpperBound(index, h.schema, h.custom_values);
  bucket.lower = UpperBound(index - 1, h.schema, h.custom_values);
  if (!positive) {
    std::swap(bucket.lower, bucket.upper);
    bucket.lower = -bucket.lower;
    bucket.upper = -bucket.upper;
  }
  if (h.UsesCustomBuckets()) {
    bucket.lower_inclusive = index == 0;
    bucket.upper_inclusive = true;
  } else {
    bucket.lower_inclusive = bucket.lower < 0;
    bucket.upper_inclusive = bucket.upper > 0;
  }
  return bucket;
}

std::vector<HistogramBucket> Side(const FloatHistogram& h, bool positive) {
  const std::vector<HistogramSpan>& spans = positive ? h.positive_spans : h.negative_spans;
  const std::vector<double>& counts = positive ? h.positive_buckets : h.negative_buckets;
  std::vector<HistogramBucket> out;
  out.reserve(counts.size());
  histogram_internal::ForEachBucket(spans, counts.size(), [&](int64_t index, size_t i) {
    out.push_back(MakeBucket(h, index, counts[i], positive));
  });
  return out;
}

// A bucket that reaches into the zero bucket ends at its edge.
HistogramBucket Clipped(HistogramBucket bucket, double zero_threshold) {
  if (bucket.upper < 0 && bucket.upper > -zero_threshold) {
    bucket.upper = -zero_threshold;
  } else if (bucket.lower > 0 && bucket.lower < zero_threshold) {
    bucket.lower = zero_threshold;
  }
  return bucket;
}

// What trimming leaves of a bucket: how many observations, and where they are on average.
struct Kept {
  double count = 0;
  double midpoint = 0;
};

double FiniteOrZero(double v) { return std::isinf(v) ? 0 : v; }

double Midpoint(double lower, double upper, bool positive, bool linear) {
  if (std::isinf(lower)) {
    if (std::isinf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (std::isinf(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const double geometric = std::sqrt(std::fabs(lower * upper));
  return positive ? geometric : -geometric;
}

// Observations of the bucket at or below the limit, which lies inside it.
double CountBelow(const HistogramBucket& b, double limit, bool positive, bool linear) {
  if (limit <= b.lower) return 0;
  if (limit >= b.upper) return b.count;
  if (linear) return b.count * ((limit - b.lower) / (b.upper - b.lower));
  const double log_lower = std::log2(std::fabs(b.lower));
  const double log_upper = std::log2(std::fabs(b.upper));
  const double log_limit = std::log2(std::fabs(limit));
  const double fraction = positive ? (log_limit - log_lower) / (log_upper - log_lower)
                                   : 1 - (log_limit - log_upper) / (log_lower - log_upper);
  return b.count * fraction;
}

// Buckets without a lower end are taken to begin at 0 if they reach above it; else nothing is known of where
// in them the observations lie.
Kept TrimUnboundedBelow(const HistogramBucket& b, double limit, bool upper_trim) {
  if (upper_trim) {
    if (limit >= b.upper) return {b.count, 0};
    if (limit > 0 && b.upper > 0 && b.upper != kInf) return {b.count * limit / b.upper, limit / 2};
    if (b.upper <= 0) return {b.count, limit};
    return {0, FiniteOrZero(b.upper)};
  }
  if (limit <= b.lower) return {b.count, 0};
  if (limit >= 0 && b.upper > limit && b.upper != kInf) {
    return {b.count * (1 - limit / b.upper), (limit + b.upper) / 2};
  }
  return {0, FiniteOrZero(b.upper)};
}

Kept TrimInside(const HistogramBucket& b, double limit, bool upper_trim, bool positive, bool linear) {
  if (b.lower == -kInf) return TrimUnboundedBelow(b, limit, upper_trim);
  if (b.upper == kInf) {
    if (!upper_trim && limit >= b.lower) return {b.count, limit};
    return {0, FiniteOrZero(b.lower)};
  }
  const double below = CountBelow(b, limit, positive, linear);
  if (upper_trim) return {below, Midpoint(b.lower, limit, positive, linear)};
  return {b.count - below, Midpoint(limit, b.upper, positive, linear)};
}

Kept TrimZeroBucket(const FloatHistogram& h, double limit, bool upper_trim, bool any_negative,
                    bool any_positive) {
  double lower = -h.zero_threshold;
  double upper = h.zero_threshold;
  if (any_negative && !any_positive) upper = 0;
  if (any_positive && !any_negative) lower = 0;
  const double middle = (lower + upper) / 2;
  if (limit <= lower) return upper_trim ? Kept{0, 0} : Kept{h.zero_count, middle};
  if (limit >= upper) return upper_trim ? Kept{h.zero_count, middle} : Kept{0, 0};
  if (upper_trim) return {h.zero_count * ((limit - lower) / (upper - lower)), (lower + limit) / 2};
  return {h.zero_count * ((upper - limit) / (upper - lower)), (limit + upper) / 2};
}

class Trimmer {
 public:
  Trimmer(const FloatHistogram& h, double limit, bool upper_trim)
      : out_(h), limit_(limit), upper_trim_(upper_trim) {}

  FloatHistogram Run() {
    const bool any_positive = TrimSide(out_.PositiveBuckets(), true, &out_.positive_buckets);
    const bool any_negative = TrimSide(out_.NegativeBuckets(), false, &out_.negative_buckets);
    if (out_.zero_count > 0) {
      const Kept kept = TrimZeroBucket(out_, limit_, upper_trim_, any_negative, any_positive);
      Store(kept, &out_.zero_count);
    }
    if (changed_) {
      out_.count = count_;
      out_.sum = sum_;
      out_.Compact();
    }
    return std::move(out_);
  }

 private:
  void Store(Kept kept, double* bucket) {
    sum_ += kept.midpoint * kept.count;
    count_ += kept.count;
    if (*bucket == kept.count) return;
    *bucket = kept.count;
    changed_ = true;
  }

  // True if the side has observations.
  bool TrimSide(const std::vector<HistogramBucket>& buckets, bool positive, std::vector<double>* counts) {
    const bool linear = out_.UsesCustomBuckets();
    bool any = false;
    for (size_t i = 0; i < buckets.size(); ++i) {
      const HistogramBucket& b = buckets[i];
      if (b.count == 0) continue;
      any = true;
      const bool whole = upper_trim_ ? b.upper <= limit_ : b.lower >= limit_;
      const bool part = upper_trim_ ? b.lower < limit_ : b.upper > limit_;
      if (whole) {
        Store({b.count, Midpoint(b.lower, b.upper, positive, linear)}, &(*counts)[i]);
      } else if (part) {
        Store(TrimInside(b, limit_, upper_trim_, positive, linear), &(*counts)[i]);
      } else {
        (*counts)[i] = 0;
        changed_ = true;
      }
    }
    return any;
  }

  FloatHistogram out_;
  const double limit_;
  const bool upper_trim_;
  double count_ = 0;
  double sum_ = 0;
  bool changed_ = false;
};

}  // namespace

std::vector<HistogramBucket> FloatHistogram::PositiveBuckets() const { return Side(*this, true); }

std::vector<HistogramBucket> FloatHistogram::NegativeBuckets() const { return Side(*this, false); }

std::vector<HistogramBucket> FloatHistogram::AllBuckets() const {
  std::vector<HistogramBucket> out = Side(*this, false);
  std::reverse(out.begin(), out.end());
  if (zero_count > 0 && !UsesCustomBuckets()) {
    out.push_back({-zero_threshold, zero_threshold, true, true, zero_count, 0});
  }
  const std::vector<HistogramBucket> positive = Side(*this, true);
  out.insert(out.end(), positive.begin(), positive.end());
  if (!UsesCustomBuckets()) {
    for (HistogramBucket& bucket : out) bucket = Clipped(bucket, zero_threshold);
  }
  return out;
}

std::vector<HistogramBucket> FloatHistogram::AllBucketsReverse() const {
  std::vector<HistogramBucket> out = AllBuckets();
  std::reverse(out.begin(), out.end());
  return out;
}

FloatHistogram FloatHistogram::TrimUpper(double limit) const { return Trimmer(*this, limit, true).Run(); }

FloatHistogram FloatHistogram::TrimLower(double limit) const { return Trimmer(*this, limit, false).Run(); }

}  // namespace narthex
