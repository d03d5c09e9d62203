// native_histogram_bucket_limit and native_histogram_min_bucket_factor.
#pragma once

#include "absl/status/statusor.h"
#include "model/histogram.h"
#include "scraper/scraper.h"

namespace narthex::scraper {

// The histogram in the resolution that the job allows. ResourceExhausted if even the coarsest has too many
// buckets; InvalidArgument if it is none.
absl::StatusOr<HistogramPtr> LimitHistogram(HistogramPtr histogram, const ScrapeConfig& config);
// The finest schema whose buckets grow by at least `factor`.
int32_t SchemaForFactor(double factor);

}  // namespace narthex::scraper
