// What Narthex says about its own scraping.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "base/metrics.h"
#include "base/mutex.h"

namespace narthex::scraper {

// Quantiles over the last observations, by one label: Prometheus's summaries. Thread-safe.
class SummaryMetric {
 public:
  // Registers NAME (quantiles), NAME_sum and NAME_count; *this must outlive the registry's use of it.
  SummaryMetric(std::string label) : label_(std::move(label)) {}
  static std::shared_ptr<SummaryMetric> Register(MetricsRegistry* registry, const std::string& name,
                                                 const std::string& help, const std::string& label);
  void Observe(const std::string& label_value, double v);
  void Drop(const std::string& label_value);

 private:
  struct Window {
    std::deque<double> recent;
    double sum = 0;
    uint64_t count = 0;
  };
  using Points = std::vector<std::pair<MetricLabels, double>>;
  Points Quantiles() const;
  Points Totals(bool sums) const;

  const std::string label_;
  mutable Mutex mutex_;
  std::map<std::string, Window> windows_ ABSL_GUARDED_BY(mutex_);
};

// Owner: the manager. Thread-safe.
struct ScrapeMetrics {
  explicit ScrapeMetrics(MetricsRegistry* registry);

  MetricsRegistry* const registry;
  std::shared_ptr<SummaryMetric> interval_length, sync_length;
  HistogramMetric* scrape_duration;
  Counter *pools, *pools_failed, *pool_reloads, *pool_reloads_failed;
  Counter *exceeded_sample_limit, *exceeded_body_size_limit, *exceeded_target_limit, *exceeded_label_limits,
      *exceeded_bucket_limit, *series_refused;
  Counter *duplicate_timestamp, *out_of_order, *out_of_bounds, *exemplar_out_of_order;
};

}  // namespace narthex::scraper
