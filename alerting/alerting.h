// CONTRACT of alerting: deliver alerts to every Alertmanager, each with its own queue.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/yaml.h"
#include "discovery/discovery.h"
#include "model/relabel.h"
#include "rules/rules.h"

namespace narthex::alerting {

// One resolved Alertmanager: its alerts URL, and labels before relabelling.
struct AlertmanagerView {
  std::string url;
};

// One entry of alerting.alertmanagers. Its targets come from `discovery`.
struct AlertmanagerConfig {
  std::string scheme = "http", path_prefix, api_version = "v2";
  int64_t timeout_ms = 10'000;
  std::vector<RelabelConfig> relabel_configs, alert_relabel_configs;
  std::shared_ptr<HttpClientConfig> http;
  discovery::Configs discovery;
  bool sigv4 = false;       // asked for; requests are not signed, which Apply says in the log
  std::string fingerprint;  // the section as written: equal means unchanged
};
struct AlertingConfig {
  std::vector<RelabelConfig> alert_relabel_configs;
  std::vector<AlertmanagerConfig> alertmanagers;
};
// The `alerting` section (may be null).
absl::StatusOr<AlertingConfig> ParseAlertingConfig(const YamlNode* node, const std::string& base_dir);

// Whether every discovered target becomes an address that alerts can be sent to (`check config`).
absl::Status CheckTargets(const std::vector<discovery::TargetGroup>& groups,
                          const AlertmanagerConfig& config);

struct NotifierOptions {
  HttpClient* http = nullptr;
  const Clock* clock = nullptr;
  const Logger* logger = nullptr;
  MetricsRegistry* metrics = nullptr;
  int64_t queue_capacity = 10'000, batch_size = 256;
  int64_t retry_backoff_ms = 500;  // after the first failure; doubles
  bool drain_on_shutdown = true;
  int64_t drain_timeout_ms = 10'000;
  // A batch that fails with a transport error, 5xx or 429 is tried again, later and later, and given up (and
  // counted as dropped) when it is this old.
  int64_t max_backoff_ms = 10'000, give_up_ms = 180'000;
  int64_t discovery_reload_interval_ms = 5000;
};

// An AlertSink that never blocks: per Alertmanager a bounded queue (oldest dropped and counted) and retries
// with back-off. Thread-safe.
class Notifier : public rules::AlertSink {
 public:
  static std::unique_ptr<Notifier> Create(NotifierOptions options);
  virtual absl::Status Apply(AlertingConfig config,
                             std::vector<std::pair<std::string, std::string>> external_labels) = 0;
  virtual std::vector<AlertmanagerView> Active() const = 0;
  virtual std::vector<AlertmanagerView> Dropped() const = 0;
  virtual void Stop() = 0;
};

}  // namespace narthex::alerting
