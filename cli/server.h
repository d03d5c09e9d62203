// The wiring: one object that owns every part of a running server.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "alerting/alerting.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "base/web_config.h"
#include "cli/config.h"
#include "cli/flags.h"
#include "cli/queue_store.h"
#include "promql/devices.h"
#include "promql/promql.h"
#include "rules/rules.h"
#include "scraper/scraper.h"
#include "tsdb/tsdb.h"

namespace narthex::cli {

// Owner: RunServe. Reload may be called from any thread; everything else from the owner's.
class Server {
 public:
  // `quit` is called (from any thread) when /-/quit asks for a stop.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServeFlags flags, const Clock* clock,
                                                       const Logger* logger, std::function<void()> quit);
  ~Server();  // stops in order: scrapes, rules, notifications, HTTP, storage

  // Loads the configuration again. On error the running one stays.
  absl::Status Reload();
  std::vector<int> ports() const { return http_server_->ports(); }

 private:
  Server(ServeFlags flags, const Clock* clock, const Logger* logger);
  absl::Status Open(std::function<void()> quit);
  absl::Status OpenStorage(const LoadedConfig& config);
  void CreateEngines();
  void CreateRemote();
  absl::Status OpenHttp(std::function<void()> quit);
  api::Options ApiOptions(std::function<void()> quit);
  absl::Status Apply(LoadedConfig config);

  const ServeFlags flags_;
  const Clock* const clock_;
  const Logger* const logger_;
  const int64_t start_time_ms_;
  std::unique_ptr<MetricsRegistry> metrics_;
  std::unique_ptr<api::NotificationCenter> notifications_;
  std::unique_ptr<api::QueryLog> query_log_;
  std::unique_ptr<remote::ReadGate> read_gate_;
  std::unique_ptr<tsdb::Db> db_;
  std::unique_ptr<promql::Devices> devices_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<HttpClient> http_client_;
  std::unique_ptr<ThreadPool> scrape_pool_;
  std::unique_ptr<ThreadPool> rule_pool_;
  std::unique_ptr<scraper::Manager> scraper_;
  std::unique_ptr<DbQueueStore> queue_store_;
  std::unique_ptr<alerting::Notifier> notifier_;
  std::unique_ptr<rules::Manager> rules_;
  std::unique_ptr<remote::Sender> sender_;
  std::unique_ptr<remote::ReadStorage> read_storage_;
  std::unique_ptr<WebGate> web_gate_;  // null without --web.config.file
  std::unique_ptr<HttpServer> http_server_;
  std::atomic<bool> ready_{false};
  Mutex reload_mutex_;  // one reload at a time
  mutable Mutex mutex_;
  std::string config_yaml_ ABSL_GUARDED_BY(mutex_);
  remote::OtlpConfig otlp_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<std::string, std::string>> external_labels_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<const scraper::ScrapeConfig>> scrape_configs_ ABSL_GUARDED_BY(mutex_);
  bool reload_ok_ ABSL_GUARDED_BY(mutex_) = true;
  int64_t reload_time_ms_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex::cli
