// CONTRACT of alerting: deliver alerts to every Alertmanager, each with its own queue.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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
  std::string fingerprint;  // the section as written: equal means unchanged
};
// One entry of alerting.webhooks, our addition: alerts go straight to a receiver of Alertmanager's webhooks,
// without an Alertmanager. Each change of a group of alerts is one request.
struct WebhookConfig {
  std::string name = "webhook", url;
  bool send_resolved = true;
  int64_t max_alerts = 0;  // in one request, the rest is counted as truncated; 0 = all
  std::vector<std::string> group_by = {"alertname"};
  int64_t timeout_ms = 10'000;
  std::vector<RelabelConfig> alert_relabel_configs;
  std::shared_ptr<HttpClientConfig> http;
};
struct AlertingConfig {
  std::vector<RelabelConfig> alert_relabel_configs;
  std::vector<AlertmanagerConfig> alertmanagers;
  std::vector<WebhookConfig> webhooks;
};
// The `alerting` section (may be null).
absl::StatusOr<AlertingConfig> ParseAlertingConfig(const YamlNode* node, const std::string& base_dir);

// Whether every discovered target becomes an address that alerts can be sent to (`check config`).
absl::Status CheckTargets(const std::vector<discovery::TargetGroup>& groups,
                          const AlertmanagerConfig& config);

// Small named values that outlive the process: where queues are kept. Thread-safe.
class QueueStore {
 public:
  virtual ~QueueStore() = default;
  struct Change {
    std::string key;
    std::optional<std::string> value;  // nullopt: delete
  };
  virtual absl::Status Write(const std::vector<Change>& changes) = 0;  // all or nothing
  virtual absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Scan(
      std::string_view prefix) const = 0;
};

struct NotifierOptions {
  QueueStore* store = nullptr;  // null: what is queued is lost with the process
  HttpClient* http = nullptr;
  const Clock* clock = nullptr;
  const Logger* logger = nullptr;
  MetricsRegistry* metrics = nullptr;
  std::string external_url;  // for webhooks
  int64_t queue_capacity = 10'000, batch_size = 256;
  int64_t retry_backoff_ms = 500;  // after the first failure; doubles
  bool drain_on_shutdown = true;
  int64_t drain_timeout_ms = 10'000;
  // A batch that fails with a transport error, 5xx or 429 is tried again, later and later. With give_up_ms it
  // is dropped (and counted) when it is this old; 0 = only a full queue drops alerts.
  int64_t max_backoff_ms = 30'000, give_up_ms = 0;
  int64_t discovery_reload_interval_ms = 5000;
};

// An AlertSink that never waits for an Alertmanager: each has a bounded queue on disk and retries with
// back-off. What an alert went through is delivered in order; a queue that is full drops resolved alerts
// first, the oldest first, and counts them. Thread-safe.
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
