// CONTRACT of scraper: discover targets, scrape them, append what they say.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "base/yaml.h"
#include "discovery/discovery.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "tsdb/tsdb.h"

namespace narthex::scraper {

// The `global` section as scraping uses it (rules read their own keys from the same section through cli).
struct GlobalConfig {
  int64_t scrape_interval_ms = 60'000, scrape_timeout_ms = 10'000, evaluation_interval_ms = 60'000;
  int64_t rule_query_offset_ms = 0;
  std::vector<std::string> scrape_protocols;                         // empty = the default order
  std::vector<std::pair<std::string, std::string>> external_labels;  // environment already expanded
  std::string query_log_file, scrape_failure_log_file;
  int64_t body_size_limit = 0;
  int64_t sample_limit = 0, target_limit = 0, label_limit = 0, label_name_length_limit = 0,
          label_value_length_limit = 0, keep_dropped_targets = 0;
  std::string metric_name_validation_scheme = "utf8", metric_name_escaping_scheme = "allow-utf-8";
  bool scrape_native_histograms = false, convert_classic_histograms_to_nhcb = false,
       always_scrape_classic_histograms = false, extra_scrape_metrics = false;
};
// $NAME and ${NAME} in external labels become what `getenv` answers ("" if unset; the process environment by
// default).
using GetenvFn = std::function<std::string(const std::string&)>;
absl::StatusOr<GlobalConfig> ParseGlobalConfig(const YamlNode* node, const GetenvFn& getenv = nullptr);

struct ScrapeConfig {
  std::string job_name;
  bool honor_labels = false, honor_timestamps = true, track_timestamps_staleness = false,
       enable_compression = true;
  std::vector<std::pair<std::string, std::vector<std::string>>> params;
  int64_t scrape_interval_ms = 0, scrape_timeout_ms = 0;
  std::vector<std::string> scrape_protocols;
  std::string fallback_scrape_protocol;
  std::string metrics_path = "/metrics", scheme = "http";
  int64_t body_size_limit = 0, sample_limit = 0, target_limit = 0, label_limit = 0,
          label_name_length_limit = 0, label_value_length_limit = 0, native_histogram_bucket_limit = 0,
          keep_dropped_targets = 0;
  double native_histogram_min_bucket_factor = 0;
  bool scrape_native_histograms = false, always_scrape_classic_histograms = false,
       convert_classic_histograms_to_nhcb = false, extra_scrape_metrics = false;
  std::string scrape_failure_log_file, metric_name_validation_scheme = "utf8",
                                       metric_name_escaping_scheme = "allow-utf-8";
  std::vector<RelabelConfig> relabel_configs, metric_relabel_configs;
  discovery::Configs discovery;
  std::shared_ptr<HttpClientConfig> http;
  std::string yaml;         // effective section, secrets hidden
  std::string fingerprint;  // the section as written with the globals that it inherits: equal means unchanged
};
// scrape_configs (a sequence; may be null) with the globals' defaults applied. Duplicate job names and the
// like are errors in Prometheus's words.
absl::StatusOr<std::vector<ScrapeConfig>> ParseScrapeConfigs(const YamlNode* node, const GlobalConfig& global,
                                                             const std::string& base_dir);

// What discovered targets become, without scraping them (`check config`, `check service-discovery`).
struct ResolvedTarget {
  Labels discovered;   // before relabelling
  Labels labels;       // after it; empty if dropped
  absl::Status error;  // "instance 0 in group 1: ..."
};
std::vector<ResolvedTarget> ResolveTargets(const std::vector<discovery::TargetGroup>& groups,
                                           const ScrapeConfig& config);

// The metric families of an exposition in the text format, by name (`check metrics`).
struct ExposedFamily {
  std::string name, type = "untyped", help;
  bool has_help = false;
  std::vector<std::string> label_names;  // one a series that has it
  int64_t series = 0;
  bool duplicates = false;  // two series with the same labels
};
absl::StatusOr<std::vector<ExposedFamily>> ReadExposedFamilies(std::string text);

struct TargetMetadata {
  std::string metric, type, help, unit;
};

// What /api/v1/targets shows.
struct TargetState {
  Labels discovered_labels, labels;
  std::string scrape_pool, scrape_url, global_url, last_error;
  std::string health = "unknown";  // up, down, unknown
  int64_t last_scrape_ms = 0;
  double last_scrape_duration_s = 0;
  int64_t interval_ms = 0, timeout_ms = 0;
  int64_t refused_series = 0;  // of the last scrape: new ones for which there was no place
};
struct DroppedTarget {
  Labels discovered_labels;
  std::string scrape_pool;
};

struct ManagerOptions {
  tsdb::Db* db = nullptr;
  HttpClient* http = nullptr;
  ThreadPool* pool = nullptr;
  const Clock* clock = nullptr;
  const Logger* logger = nullptr;
  MetricsRegistry* metrics = nullptr;
  int64_t discovery_reload_interval_ms = 5000;
  // The most series that all targets together, and those of one job, may have; 0 = no limit. Beyond it known
  // series go on and new ones are refused.
  int64_t series_limit = 0, job_series_limit = 0;
  bool adjust_timestamps = true;  // --scrape.adjust-timestamps
  int64_t timestamp_tolerance_ms = 2;
  // OpenMetrics _created lines become start timestamps instead of series of their own
  // (--enable-feature=created-timestamp-zero-ingestion).
  bool start_timestamps = false;
  bool type_and_unit_labels = false;  // --enable-feature=type-and-unit-labels
};

// Runs all jobs: one scheduler thread, HTTP by HttpClient, parsing and appending on the pool. Thread-safe.
class Manager {
 public:
  static std::unique_ptr<Manager> Create(ManagerOptions options);
  virtual ~Manager() = default;  // stops

  // Jobs that did not change keep running undisturbed.
  virtual absl::Status Apply(const GlobalConfig& global, std::vector<ScrapeConfig> configs) = 0;
  virtual std::vector<TargetState> ActiveTargets() const = 0;
  virtual std::vector<DroppedTarget> DroppedTargets() const = 0;
  virtual std::map<std::string, int> DroppedCounts() const = 0;  // by pool
  virtual std::vector<std::string> Pools() const = 0;
  // Discovery sections that a pool has and that are not served ("consul_sd_configs", ...).
  virtual std::map<std::string, std::vector<std::string>> UnsupportedDiscovery() const { return {}; }
  // Metadata that targets sent, for targets that match; metric "" = all.
  virtual std::vector<std::pair<Labels, TargetMetadata>> Metadata(const std::string& metric) const = 0;
  // No stale markers, as upstream: a restart goes on where this run ended. Targets that Apply or discovery
  // remove do get theirs.
  virtual void Stop() = 0;
};

}  // namespace narthex::scraper
