#include "promql/functions/quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/kahan_sum.h"
#include "model/sample.h"

namespace narthex::promql {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
// Counts that differ by less, relative to their sum, differ by rounding only.
constexpr double kSmallDelta = 1e-12;

bool AlmostEqual(double a, double b, double epsilon) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  const double sum = std::fabs(a) + std::fabs(b);
  const double diff = std::fabs(a - b);
  constexpr double kMinNormal = std::numeric_limits<double>::min();
  if (a == 0 || b == 0 || sum < kMinNormal) return diff < epsilon * kMinNormal;
  return diff / std::min(sum, std::numeric_limits<double>::max()) < epsilon;
}

// Sorts and adds up equal bounds. False if the +Inf bucket is missing.
bool Normalize(std::vector<ClassicBucket>* buckets) {
  const auto below = [](const ClassicBucket& a, const ClassicBucket& b) {
    return a.upper_bound < b.upper_bound;
  };
  if (!std::is_sorted(buckets->begin(), buckets->end(), below)) {
    std::stable_sort(buckets->begin(), buckets->end(), below);
  }
  if (buckets->empty() || buckets->back().upper_bound != kInf) return false;
  size_t last = 0;
  for (size_t i = 1; i < buckets->size(); ++i) {
    if ((*buckets)[i].upper_bound == (*buckets)[last].upper_bound) {
      (*buckets)[last].count += (*buckets)[i].count;
    } else {
      (*buckets)[++last] = (*buckets)[i];
    }
  }
  buckets->resize(last + 1);
  return true;
}

// Makes cumulative counts never fall.
void EnsureMonotonic(std::vector<ClassicBucket>* buckets, BucketQuantileResult* result) {
  result->min_bucket = kInf;
  result->max_bucket = -kInf;
  double previous = buckets->front().count;
  for (size_t i = 1; i < buckets->size(); ++i) {
    ClassicBucket& bucket = (*buckets)[i];
    if (bucket.count == previous) continue;
    if (AlmostEqual(previous, bucket.count, kSmallDelta)) {
      bucket.count = previous;
    } else if (bucket.count < previous) {
      result->forced_monotonicity = true;
      result->min_bucket = std::min(result->min_bucket, bucket.upper_bound);
      result->max_bucket = std::max(result->max_bucket, bucket.upper_bound);
      result->max_diff = std::max(result->max_diff, previous - bucket.count);
      bucket.count = previous;
    } else {
      previous = bucket.count;
    }
  }
}

// If all observations outside the zero bucket are on one side, those in it are taken to be on that side too.
void NarrowZeroBucket(const FloatHistogram& h, HistogramBucket* bucket) {
  if (h.negative_buckets.empty() && !h.positive_buckets.empty()) {
    bucket->lower = 0;
  } else if (h.positive_buckets.empty() && !h.negative_buckets.empty()) {
    bucket->upper = 0;
  }
}

// The quantile that lies `fraction` into the bucket.
double InterpolateQuantile(const FloatHistogram& h, const HistogramBucket& b, double fraction) {
  if (h.UsesCustomBuckets() || (b.lower <= 0 && b.upper >= 0))
    return b.lower + (b.upper - b.lower) * fraction;
  const double log_lower = std::log2(std::fabs(b.lower));
  const double log_upper = std::log2(std::fabs(b.upper));
  if (b.lower > 0) return std::exp2(log_lower + (log_upper - log_lower) * fraction);
  return -std::exp2(log_upper + (log_lower - log_upper) * (1 - fraction));
}

// The rank of `v`, which lies strictly inside the bucket; `rank` is that of the bucket's begin.
double InterpolateRank(const HistogramBucket& b, bool linear, double rank, double v) {
  if (linear) {
    // Where a bucket without lower end has its observations is unknown: all of them are below.
    if (b.lower == -kInf) return b.count;
    return rank + b.count * (v - b.lower) / (b.upper - b.lower);
  }
  const double log_lower = std::log2(std::fabs(b.lower));
  const double log_upper = std::log2(std::fabs(b.upper));
  const double log_v = std::log2(std::fabs(v));
  const double fraction = v > 0 ? (log_v - log_lower) / (log_upper - log_lower)
                                : 1 - (log_v - log_upper) / (log_lower - log_upper);
  return rank + b.count * fraction;
}

// The ranks of the two limits of a fraction, found while walking over the buckets from below.
class RankFinder {
 public:
  RankFinder(double lower, double upper) : lower_{lower}, upper_{upper} {}

  // True when both are known.
  bool Visit(const HistogramBucket& b, bool linear, double rank) {
    Visit(b, linear, rank, &lower_);
    Visit(b, linear, rank, &upper_);
    return lower_.found && upper_.found;
  }
  double Share(double limit) const { return Clip(upper_, limit) - Clip(lower_, limit); }

 private:
  struct Limit {
    double value;
    double rank = 0;
    bool found = false;
  };
  static void Visit(const HistogramBucket& b, bool linear, double rank, Limit* limit) {
    if (limit->found) return;
    if (b.lower >= limit->value) {
      limit->rank = rank;
      limit->found = true;
    } else if (b.upper > limit->value) {
      limit->rank = InterpolateRank(b, linear, rank, limit->value);
      limit->found = true;
    }
  }
  static double Clip(const Limit& limit, double max) {
    return !limit.found || limit.rank > max ? max : limit.rank;
  }
  Limit lower_, upper_;
};

double MiddleOf(const FloatHistogram& h, const HistogramBucket& b) {
  if (h.UsesCustomBuckets()) return (b.upper + b.lower) / 2;
  if (b.lower <= 0 && b.upper >= 0) return 0;
  const double geometric = std::sqrt(b.upper * b.lower);
  return b.upper < 0 ? -geometric : geometric;
}

}  // namespace

double Quantile(double q, std::vector<double>* values) {
  if (values->empty() || std::isnan(q)) return NormalNan();
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  auto nan_first = [](double a, double b) { return a < b || (std::isnan(a) && !std::isnan(b)); };
  std::sort(values->begin(), values->end(), nan_first);
  const double n = static_cast<double>(values->size());
  const double rank = q * (n - 1);
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(n - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return (*values)[static_cast<size_t>(lower)] * (1 - weight) +
         (*values)[static_cast<size_t>(upper)] * weight;
}

BucketQuantileResult BucketQuantile(double q, std::vector<ClassicBucket> buckets) {
  return BucketQuantileInPlace(q, &buckets);
}

BucketQuantileResult BucketQuantileInPlace(double q, std::vector<ClassicBucket>* in_place) {
  std::vector<ClassicBucket>& buckets = *in_place;
  BucketQuantileResult result;
  result.value = NormalNan();
  if (std::isnan(q)) return result;
  if (q < 0 || q > 1) {
    result.value = q < 0 ? -kInf : kInf;
    return result;
  }
  if (!Normalize(&buckets)) return result;
  EnsureMonotonic(&buckets, &result);
  const double observations = buckets.back().count;
  if (buckets.size() < 2 || observations == 0) return result;
  double rank = q * observations;
  // By halves, as sort.Search of Go: counts that are NaN are seen or not as there.
  size_t b = 0;
  for (size_t end = buckets.size() - 1; b < end;) {
    const size_t middle = (b + end) / 2;
    if (buckets[middle].count >= rank)
      end = middle;
    else
      b = middle + 1;
  }
  if (b + 1 == buckets.size()) {
    result.value = buckets[b - 1].upper_bound;  // all that is known of the +Inf bucket
    return result;
  }
  if (b == 0 && buckets[0].upper_bound <= 0) {
    result.value = buckets[0].upper_bound;
    return result;
  }
  double begin = 0;
  double count = buckets[b].count;
  if (b > 0) {
    begin = buckets[b - 1].upper_bound;
    count -= buckets[b - 1].count;
    rank -= buckets[b - 1].count;
  }
  result.value = begin + (buckets[b].upper_bound - begin) * (rank / count);
  return result;
}

double BucketFraction(double lower, double upper, std::vector<ClassicBucket> buckets) {
  if (!Normalize(&buckets)) return NormalNan();
  const double total = buckets.back().count;
  if (total == 0 || std::isnan(lower) || std::isnan(upper)) return NormalNan();
  if (lower >= upper) return 0;
  RankFinder ranks(lower, upper);
  double rank = 0;
  double begin = buckets[0].upper_bound > 0 ? 0 : -kInf;
  for (const ClassicBucket& bucket : buckets) {
    HistogramBucket b;
    b.lower = begin;
    b.upper = bucket.upper_bound;
    b.count = begin == -kInf ? bucket.count : bucket.count - rank;
    if (ranks.Visit(b, true, rank)) break;
    rank = bucket.count;
    begin = bucket.upper_bound;
  }
  return ranks.Share(total) / total;
}

NativeResult HistogramQuantile(double q, const FloatHistogram& h) {
  if (q < 0) return {-kInf};
  if (q > 1) return {kInf};
  if (h.count == 0 || std::isnan(q)) return {NormalNan()};
  // NaN observations are in `count` but in no bucket: then only the way from below finds the rank.
  const bool forward = std::isnan(h.sum) || q < 0.5;
  const std::vector<HistogramBucket> buckets = forward ? h.AllBuckets() : h.AllBucketsReverse();
  double rank = forward ? q * h.count : (1 - q) * h.count;
  HistogramBucket bucket;
  double count = 0;
  size_t i = 0;
  while (i < buckets.size()) {
    bucket = buckets[i++];
    if (bucket.count == 0) continue;
    count += bucket.count;
    if (count >= rank) break;
  }
  if (!h.UsesCustomBuckets()) {
    if (bucket.lower < 0 && bucket.upper > 0) NarrowZeroBucket(h, &bucket);
  } else if (bucket.lower == -kInf) {
    if (bucket.upper <= 0) return {bucket.upper};
    bucket.lower = 0;
  }
  if (h.UsesCustomBuckets() && bucket.upper == kInf && i > 0) return {buckets[i - 1].lower};
  count = std::min(count, h.count);
  if (count < rank) {
    if (std::isnan(h.sum)) return {NormalNan(), NanNote::kResultIsNan};
    return {bucket.upper};
  }
  rank = forward ? rank - (count - bucket.count) : count - rank;
  NativeResult result{InterpolateQuantile(h, bucket, rank / bucket.count)};
  if (std::isnan(h.sum)) {
    // The sum is NaN after +Inf and -Inf, too; then the buckets hold all observations.
    for (; i < buckets.size(); ++i) count += buckets[i].count;
    if (count < h.count) result.note = NanNote::kSkewedHigher;
  }
  return result;
}

NativeResult HistogramFraction(double lower, double upper, const FloatHistogram& h) {
  if (h.count == 0 || std::isnan(lower) || std::isnan(upper)) return {NormalNan()};
  if (lower >= upper) return {0};
  const std::vector<HistogramBucket> buckets = h.AllBuckets();
  RankFinder ranks(lower, upper);
  double rank = 0;
  for (HistogramBucket b : buckets) {
    const bool zero = b.lower <= 0 && b.upper >= 0;
    if (zero) NarrowZeroBucket(h, &b);
    if (ranks.Visit(b, h.UsesCustomBuckets() || zero, rank)) break;
    rank += b.count;
  }
  NativeResult result;
  double count = h.count;
  if (std::isnan(h.sum)) {
    count = 0;
    for (const HistogramBucket& b : buckets) count += b.count;
    if (count < h.count) result.note = NanNote::kExcluded;
  }
  result.value = ranks.Share(count) / h.count;
  return result;
}

double HistogramVariance(const FloatHistogram& h) {
  const double mean = h.sum / h.count;
  double variance = 0;
  double compensation = 0;
  for (const HistogramBucket& b : h.AllBuckets()) {
    if (b.count == 0) continue;
    const double delta = MiddleOf(h, b) - mean;
    KahanAdd(b.count * delta * delta, &variance, &compensation);
  }
  return (variance + compensation) / h.count;
}

}  // namespace narthex::promql
