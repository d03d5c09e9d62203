// CONTRACT of api: Prometheus's HTTP API on top of the engines it is given.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "alerting/alerting.h"
#include "base/clock.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/metrics.h"
#include "promql/promql.h"
#include "rules/rules.h"
#include "scraper/scraper.h"
#include "tsdb/tsdb.h"

namespace narthex::api {

struct BuildInfo {
  std::string version, revision, branch, build_user, build_date, compiler;
};

// Everything a handler may touch. Pointers are owned by cli and outlive the handler.
struct Options {
  tsdb::Db* db = nullptr;
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
  bool enable_lifecycle = false, enable_admin_api = false, enable_remote_write = false;
  std::string data_path, storage_retention, cwd, hostname;
  int64_t start_time_ms = 0;
  std::vector<std::pair<std::string, std::string>> flags;   // name without dashes, value; sorted
  std::function<std::string()> config_yaml;                 // the loaded config, secrets hidden
  std::function<std::pair<bool, int64_t>()> reload_status;  // success, time of the last success in ms
  std::function<absl::Status()> reload;
  std::function<void()> quit;
  std::function<bool()> ready;
};

// The handler of the whole server: API, /metrics, /-/..., federate, redirects.
HttpHandler NewHandler(Options options);

}  // namespace narthex::api
