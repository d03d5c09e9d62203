#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "api/api.h"
#include "api/encode.h"
#include "base/go_format.h"
#include "base/json_writer.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

// Always with three decimals, as Prometheus formats the times of a query.
std::string MillisecondTime(int64_t ms) {
  std::string text = FormatRfc3339(ms);
  size_t dot = text.find('.');
  if (dot == text.npos) return text.insert(text.size() - 1, ".000");
  while (text.size() - dot < 5) text.insert(text.size() - 1, "0");
  return text;
}

}  // namespace

QueryLog::QueryLog(const Clock* clock, MetricsRegistry* metrics)
    : clock_(clock),
      enabled_(metrics->GetGauge("prometheus_engine_query_log_enabled", "State of the query log.")),
      failures_(metrics->GetCounter("prometheus_engine_query_log_failures_total",
                                    "The number of query log failures.")) {}

QueryLog::~QueryLog() {
  MutexLock lock(&mutex_);
  if (fd_ >= 0) close(fd_);
}

absl::Status QueryLog::Open(const std::string& path) {
  MutexLock lock(&mutex_);
  if (path == path_) return absl::OkStatus();
  int fd = -1;
  if (!path.empty()) {
    fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
      return absl::InvalidArgumentError(
          StrCat("can't create query logger: open ", path, ": ", std::strerror(errno)));
    }
  }
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
  path_ = path;
  enabled_->Set(fd >= 0 ? 1 : 0);
  return absl::OkStatus();
}

bool QueryLog::Enabled() {
  MutexLock lock(&mutex_);
  return fd_ >= 0;
}

void QueryLog::WriteRule(const rules::RuleQuery& query) {
  if (!Enabled()) return;
  LoggedQuery logged;
  logged.query = promql::ToString(*query.tree);
  logged.error = query.error;
  logged.start_ms = logged.end_ms = query.t_ms;
  JsonWriter stats;
  WriteQueryStats(query.t_ms, 0, query.stats, &stats);
  logged.stats_json = stats.Take();
  logged.rule_file = query.file;
  logged.rule_group = query.group;
  Write(logged);
}

void QueryLog::Write(const LoggedQuery& query) {
  if (!Enabled()) return;
  JsonWriter json;
  json.BeginObject();
  json.Key("time").String(MillisecondTime(clock_->NowMs())).Key("level").String("INFO");
  json.Key("msg").String("promql query logged");
  json.Key("params").BeginObject();
  json.Key("end").String(MillisecondTime(query.end_ms)).Key("query").String(query.query);
  json.Key("start").String(MillisecondTime(query.start_ms)).Key("step").Int(query.step_ms / 1000).EndObject();
  if (!query.error.empty()) json.Key("error").String(query.error);
  json.Key("stats").Raw(query.stats_json);
  json.Key("spanID").String("0000000000000000");
  if (!query.rule_group.empty()) {
    json.Key("ruleGroup").BeginObject();
    json.Key("file").String(query.rule_file).Key("name").String(query.rule_group);
  } else {
    json.Key("httpRequest").BeginObject();
    json.Key("clientIP").String(query.client_ip).Key("method").String(query.method);
    json.Key("path").String(query.path);
  }
  json.EndObject().EndObject();
  std::string line = json.Take() + "\n";
  MutexLock lock(&mutex_);
  if (fd_ >= 0 && write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) failures_->Add();
}

}  // namespace narthex::api
