// CONTRACT of api: Prometheus's HTTP API on top of the engines it is given.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "alerting/alerting.h"
#include "base/clock.h"
#include "base/disk_life.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "promql/promql.h"
#include "remote/remote.h"
#include "rules/rules.h"
#include "scraper/scraper.h"
#include "tsdb/tsdb.h"

namespace narthex::api {

// Something that users should know of: a failed reload, a start, a stop.
struct Notification {
  std::string text;
  int64_t date_ms = 0;
  bool active = true;
};

// What /api/v1/notifications shows and its live stream sends. Owned by cli; thread-safe.
class NotificationCenter {
 public:
  NotificationCenter(const Clock* clock, int max_subscribers);
  void Set(const std::string& text, bool active);
  std::vector<Notification> Active() const;
  // 0 if there are too many already. A new subscriber gets what is active now first.
  int Subscribe();
  void Unsubscribe(int id);
  // Waits for news, at most wait_ms (then *out is empty). False after Stop.
  bool Next(int id, int64_t wait_ms, std::vector<Notification>* out);
  void Stop();

 private:
  const Clock* const clock_;
  const int max_subscribers_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Notification> active_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::deque<Notification>> queues_ ABSL_GUARDED_BY(mutex_);
  int last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

struct LoggedQuery {
  std::string query, error, stats_json;
  int64_t start_ms = 0, end_ms = 0, step_ms = 0;
  std::string client_ip, method, path;  // of the request,
  std::string rule_file, rule_group;    // or of the rule that asked
};

// global.query_log_file: a line of JSON for each query of the API and of rules. Owned by cli; thread-safe.
class QueryLog {
 public:
  QueryLog(const Clock* clock, MetricsRegistry* metrics);
  ~QueryLog();
  absl::Status Open(const std::string& path);  // "" = off
  void Write(const LoggedQuery& query);
  void WriteRule(const rules::RuleQuery& query);
  bool Enabled();

 private:
  const Clock* const clock_;
  Gauge* const enabled_;
  Counter* const failures_;
  Mutex mutex_;
  std::string path_ ABSL_GUARDED_BY(mutex_);
  int fd_ ABSL_GUARDED_BY(mutex_) = -1;
};

struct BuildInfo {
  std::string version, revision, branch, build_user, build_date, compiler;
};

// Everything a handler may touch. Pointers are owned by cli and outlive the handler.
struct Options {
  tsdb::Db* db = nullptr;
  const tsdb::Queryable* storage = nullptr;  // what queries read: db and the remote_read endpoints; null = db
  promql::Engine* engine = nullptr;
  scraper::Manager* scraper = nullptr;
  rules::Manager* rules = nullptr;
  alerting::Notifier* notifier = nullptr;
  const Clock* clock = nullptr;
  const Logger* logger = nullptr;
  MetricsRegistry* metrics = nullptr;
  BuildInfo build;
  std::string external_url, route_prefix = "/";  // prefix begins with '/', no trailing one unless "/"
  std::string cors_origin = ".*", page_title;
  bool enable_lifecycle = false, enable_admin_api = false, enable_remote_write = false, enable_search = false,
       enable_otlp = false;
  remote::ReceiverOptions receiver;
  std::function<remote::OtlpConfig()> otlp;
  remote::ReadGate* read_gate = nullptr;  // null: no limit
  int64_t read_sample_limit = 50'000'000, read_max_bytes_in_frame = 1 << 20;
  std::function<std::vector<std::pair<std::string, std::string>>()> external_labels;
  size_t search_max_limit = 10'000;             // 0 = none
  NotificationCenter* notifications = nullptr;  // may be null
  QueryLog* query_log = nullptr;                // may be null
  // A job's configuration in force, null if there is none of that name.
  std::function<std::shared_ptr<const scraper::ScrapeConfig>(const std::string& job)> scrape_config;
  std::string user_assets;                             // folder behind /user/; "" = none
  std::function<std::optional<DiskLife>()> disk_life;  // null: asks the disk of data_path
  std::string data_path, storage_retention, cwd, hostname;
  int64_t start_time_ms = 0;
  std::vector<std::pair<std::string, std::string>> flags;  // name without dashes, value; sorted
  std::function<std::string()> config_yaml;                // the loaded config, secrets hidden
  // What queries run on: name and value, for the status page.
  std::function<std::vector<std::pair<std::string, std::string>>()> kernels;
  std::function<std::pair<bool, int64_t>()> reload_status;  // success, time of the last success in ms
  std::function<absl::Status()> reload;
  std::function<void()> quit;
  std::function<bool()> ready;
};

// For HttpServerOptions::is_light: queries, lookups and the health checks, whose handlers tell when they are
// not.
std::function<bool(const HttpRequest&)> LightRequests(std::string_view route_prefix);
// The handler of the whole server: API, /metrics, /-/..., federate, redirects.
HttpHandler NewHandler(Options options);

}  // namespace narthex::api
