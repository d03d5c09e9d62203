#include "scraper/scrape_metrics.h"

#include <algorithm>
#include <cmath>

#include "base/go_format.h"

namespace narthex::scraper {
namespace {

constexpr size_t kWindow = 512;
constexpr double kQuantiles[] = {0.01, 0.05, 0.5, 0.9, 0.99};

}  // namespace

std::shared_ptr<SummaryMetric> SummaryMetric::Register(MetricsRegistry* registry, const std::string& name,
                                                       const std::string& help, const std::string& label) {
  auto summary = std::make_shared<SummaryMetric>(label);
  registry->AddCallback(name, help, "summary", [summary] { return summary->Quantiles(); });
  registry->AddCallback(name + "_sum", help, "counter", [summary] { return summary->Totals(true); });
  registry->AddCallback(name + "_count", help, "counter", [summary] { return summary->Totals(false); });
  return summary;
}

void SummaryMetric::Observe(const std::string& label_value, double v) {
  MutexLock lock(&mutex_);
  Window& window = windows_[label_value];
  window.recent.push_back(v);
  if (window.recent.size() > kWindow) window.recent.pop_front();
  window.sum += v;
  ++window.count;
}

void SummaryMetric::Drop(const std::string& label_value) {
  MutexLock lock(&mutex_);
  windows_.erase(label_value);
}

SummaryMetric::Points SummaryMetric::Quantiles() const {
  MutexLock lock(&mutex_);
  Points points;
  for (const auto& [value, window] : windows_) {
    std::vector<double> sorted(window.recent.begin(), window.recent.end());
    std::sort(sorted.begin(), sorted.end());
    for (double q : kQuantiles) {
      size_t rank = static_cast<size_t>(std::ceil(q * static_cast<double>(sorted.size())));
      points.push_back({{{label_, value}, {"quantile", FormatFloatG(q)}}, sorted[rank == 0 ? 0 : rank - 1]});
    }
  }
  return points;
}

SummaryMetric::Points SummaryMetric::Totals(bool sums) const {
  MutexLock lock(&mutex_);
  Points points;
  for (const auto& [value, window] : windows_) {
    points.push_back({{{label_, value}}, sums ? window.sum : static_cast<double>(window.count)});
  }
  return points;
}

ScrapeMetrics::ScrapeMetrics(MetricsRegistry* r) : registry(r) {
  interval_length = SummaryMetric::Register(r, "prometheus_target_interval_length_seconds",
                                            "Actual intervals between scrapes.", "interval");
  sync_length = SummaryMetric::Register(r, "prometheus_target_sync_length_seconds",
                                        "Actual interval to sync the scrape pool.", "scrape_job");
  scrape_duration = r->GetHistogram("prometheus_target_scrape_duration_seconds", "How long scrapes took.",
                                    {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30});
  auto counter = [r](std::string_view name, std::string_view help) { return r->GetCounter(name, help); };
  pools = counter("prometheus_target_scrape_pools_total", "Total number of scrape pool creation attempts.");
  pools_failed = counter("prometheus_target_scrape_pools_failed_total",
                         "Total number of scrape pool creations that failed.");
  pool_reloads =
      counter("prometheus_target_scrape_pool_reloads_total", "Total number of scrape pool reloads.");
  pool_reloads_failed = counter("prometheus_target_scrape_pool_reloads_failed_total",
                                "Total number of failed scrape pool reloads.");
  exceeded_sample_limit = counter("prometheus_target_scrapes_exceeded_sample_limit_total",
                                  "Total number of scrapes that hit the sample limit and were rejected.");
  exceeded_body_size_limit = counter("prometheus_target_scrapes_exceeded_body_size_limit_total",
                                     "Total number of scrapes that hit the body size limit");
  exceeded_target_limit =
      counter("prometheus_target_scrape_pool_exceeded_target_limit_total",
              "Total number of times scrape pools hit the target limit, during sync or config reload.");
  exceeded_label_limits =
      counter("prometheus_target_scrape_pool_exceeded_label_limits_total",
              "Total number of times scrape pools hit the label limits, during sync or config reload.");
  series_refused =
      counter("narthex_scrape_series_refused_total",
              "Samples of new series that were refused because of the limit on series or of the storage's "
              "memory limit.");
  exceeded_bucket_limit =
      counter("prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
              "Total number of scrapes that hit the native histogram bucket limit and were rejected.");
  duplicate_timestamp =
      counter("prometheus_target_scrapes_sample_duplicate_timestamp_total",
              "Total number of samples rejected due to duplicate timestamps but different values.");
  out_of_order = counter("prometheus_target_scrapes_sample_out_of_order_total",
                         "Total number of samples rejected due to not being out of the expected order.");
  out_of_bounds =
      counter("prometheus_target_scrapes_sample_out_of_bounds_total",
              "Total number of samples rejected due to timestamp falling outside of the time bounds.");
  exemplar_out_of_order =
      counter("prometheus_target_scrapes_exemplar_out_of_order_total",
              "Total number of exemplar rejected due to not being out of the expected order.");
}

}  // namespace narthex::scraper
