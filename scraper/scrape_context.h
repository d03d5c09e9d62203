// What all scrapes share.
#pragma once

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "scraper/failure_log.h"
#include "scraper/scrape_metrics.h"
#include "scraper/scraper.h"
#include "scraper/series_budget.h"

namespace narthex::scraper {

// Tells storage about metadata, each metric only when it changed. Thread-safe.
class MetadataSink {
 public:
  explicit MetadataSink(tsdb::Db* db) : db_(db) {}
  void Offer(const TargetMetadata& metadata);

 private:
  tsdb::Db* const db_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, uint64_t> known_ ABSL_GUARDED_BY(mutex_);
};

// Owner: the manager; it outlives all loops. Thread-safe.
struct ScrapeContext {
  explicit ScrapeContext(const ManagerOptions& given)
      : options(given),
        metrics(given.metrics),
        sink(given.db),
        failures(given.clock, given.logger),
        budget(given.series_limit, given.job_series_limit, given.metrics) {}

  const ManagerOptions options;
  ScrapeMetrics metrics;
  MetadataSink sink;
  FailureLogs failures;
  SeriesBudget budget;
};

}  // namespace narthex::scraper
