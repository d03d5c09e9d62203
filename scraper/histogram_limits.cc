#include "scraper/histogram_limits.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

constexpr int32_t kMinSchema = -4, kMaxSchema = 8;

size_t Buckets(const FloatHistogram& h) { return h.positive_buckets.size() + h.negative_buckets.size(); }

}  // namespace

int32_t SchemaForFactor(double factor) {
  if (factor <= 1) return kMaxSchema;
  const double floor = std::floor(-std::log2(std::log2(factor)));
  return static_cast<int32_t>(std::clamp<double>(floor, kMinSchema, kMaxSchema));
}

absl::StatusOr<HistogramPtr> LimitHistogram(HistogramPtr histogram, const ScrapeConfig& config) {
  if (!histogram->UsesCustomBuckets() && (histogram->schema < kMinSchema || histogram->schema > kMaxSchema)) {
    return Invalid(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for "
        "custom buckets, got schema ",
        histogram->schema);
  }
  RETURN_IF_ERROR(histogram->Validate());
  const int32_t schema = SchemaForFactor(config.native_histogram_min_bucket_factor);
  const size_t limit = static_cast<size_t>(std::max<int64_t>(config.native_histogram_bucket_limit, 0));
  const bool exponential = !histogram->UsesCustomBuckets();
  const bool too_fine = exponential && histogram->schema > schema;
  if (!too_fine && (limit == 0 || Buckets(*histogram) <= limit)) return histogram;
  auto reduced = std::make_shared<FloatHistogram>(*histogram);
  if (too_fine) reduced->ReduceResolution(schema);
  while (limit > 0 && Buckets(*reduced) > limit) {
    if (!exponential || reduced->schema <= kMinSchema) {
      return absl::ResourceExhaustedError("histogram bucket limit exceeded");
    }
    reduced->ReduceResolution(reduced->schema - 1);
  }
  return HistogramPtr(std::move(reduced));
}

}  // namespace narthex::scraper
