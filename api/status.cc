// /api/v1/status/..., /api/v1/features and /version.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

int64_t ThreadCount() {
  std::error_code error;
  int64_t count = 0;
  std::filesystem::directory_iterator it("/proc/self/task", error), end;
  for (; !error && it != end; it.increment(error)) ++count;
  return count;
}

void WriteBuildInfo(const BuildInfo& build, JsonWriter* json) {
  json->BeginObject();
  json->Key("version").String(build.version);
  json->Key("revision").String(build.revision);
  json->Key("branch").String(build.branch);
  json->Key("buildUser").String(build.build_user);
  json->Key("buildDate").String(build.build_date);
  json->Key("goVersion").String(build.compiler);
  json->EndObject();
}

void WriteStats(std::string_view key, const std::vector<tsdb::CardinalityStat>& stats, JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const tsdb::CardinalityStat& stat : stats) {
    json->BeginObject().Key("name");
    WriteText(stat.name, json);
    json->Key("value").Uint(stat.value).EndObject();
  }
  json->EndArray();
}

// The targets whose series found no place, the worst first: our addition, there only when it says something.
void WriteRefused(const scraper::Manager& manager, size_t limit, JsonWriter* json) {
  std::vector<tsdb::CardinalityStat> offenders;
  for (const scraper::TargetState& target : manager.ActiveTargets()) {
    if (target.refused_series == 0) continue;
    offenders.push_back(
        {StrCat(target.scrape_pool, " ", target.scrape_url), static_cast<uint64_t>(target.refused_series)});
  }
  if (offenders.empty()) return;
  std::stable_sort(offenders.begin(), offenders.end(),
                   [](const auto& a, const auto& b) { return a.value > b.value; });
  if (offenders.size() > limit) offenders.resize(limit);
  WriteStats("refusedSeriesByTarget", offenders, json);
}

}  // namespace

absl::Status StatusConfig(Call& call) {
  SuccessBody body(call.out);
  body.json()->BeginObject().Key("yaml");
  WriteText(call.options.config_yaml ? call.options.config_yaml() : "", body.json());
  body.json()->EndObject();
  return body.Finish();
}

absl::Status StatusFlags(Call& call) {
  SuccessBody body(call.out);
  body.json()->BeginObject();
  for (const auto& [name, value] : call.options.flags) {
    body.json()->Key(name);
    WriteText(value, body.json());
  }
  body.json()->EndObject();
  return body.Finish();
}

// Keys of Go's runtime keep their places; what has no counterpart here says so by 0 or "".
namespace {

// What Prometheus has no words for: the code that queries run on and the life of the flash disk.
void WriteMachine(const Options& options, JsonWriter* json) {
  json->Key("narthex").BeginObject();
  if (options.kernels) {
    json->Key("kernels").BeginObject();
    for (const auto& [name, value] : options.kernels()) {
      json->Key(name);
      WriteText(value, json);
    }
    json->EndObject();
  }
  std::optional<DiskLife> life =
      options.disk_life ? options.disk_life() : ReadDiskLife(options.data_path, options.clock->NowMs());
  if (life) {
    json->Key("disk").BeginObject();
    json->Key("device").String(life->device).Key("kind").String(life->kind);
    json->Key("usedPercent").Int(life->used_percent).Key("reserve").String(life->reserve);
    if (life->bytes_written > 0) json->Key("bytesWritten").Int(life->bytes_written);
    if (life->days_left) json->Key("daysLeft").Int(*life->days_left);
    json->EndObject();
  }
  json->EndObject();
}

}  // namespace

absl::Status StatusRuntimeInfo(Call& call) {
  const Options& options = call.options;
  std::pair<bool, int64_t> reload =
      options.reload_status ? options.reload_status() : std::pair(true, int64_t{0});
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginObject().Key("startTime");
  WriteTime(options.start_time_ms, json);
  json->Key("CWD");
  WriteText(options.cwd, json);
  json->Key("hostname");
  WriteText(options.hostname, json);
  json->Key("serverTime");
  WriteTime(options.clock->NowMs(), json);
  json->Key("reloadConfigSuccess").Bool(reload.first);
  json->Key("lastConfigTime");
  WriteTime(reload.second, json);
  json->Key("corruptionCount").Int(0);
  json->Key("goroutineCount").Int(ThreadCount());
  json->Key("GOMAXPROCS").Int(std::thread::hardware_concurrency());
  json->Key("GOMEMLIMIT").Int(std::numeric_limits<int64_t>::max());
  json->Key("GOGC").String("");
  json->Key("GODEBUG").String("");
  json->Key("storageRetention");
  WriteText(options.storage_retention, json);
  WriteMachine(options, json);
  json->EndObject();
  return body.Finish();
}

absl::Status StatusBuildInfo(Call& call) {
  SuccessBody body(call.out);
  WriteBuildInfo(call.options.build, body.json());
  return body.Finish();
}

absl::Status Version(Call& call) {
  JsonWriter json;
  WriteBuildInfo(call.options.build, &json);
  call.out->Send(200, kPlainText, json.Take() + "\n");
  return absl::OkStatus();
}

absl::Status StatusTsdb(Call& call) {
  size_t limit = 10;
  if (std::string text = call.Param("limit"); !text.empty()) {
    absl::StatusOr<int64_t> parsed = ParseGoInt(text);
    if (!parsed.ok() || *parsed < 1) {
      return absl::InvalidArgumentError("limit must be a positive number");
    }
    limit = static_cast<size_t>(*parsed);
  }
  absl::StatusOr<tsdb::Status> status = call.options.db->GetStatus(limit);
  if (!status.ok()) return absl::InternalError(ToAbsl(MessageOf(status.status())));
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginObject().Key("headStats").BeginObject();
  json->Key("numSeries").Uint(status->head_series);
  json->Key("numLabelPairs").Uint(status->label_pairs);
  json->Key("chunkCount").Uint(status->head_chunks);
  json->Key("minTime").Int(status->head_min_t);
  json->Key("maxTime").Int(status->head_max_t);
  json->EndObject();
  WriteStats("seriesCountByMetricName", status->series_by_metric, json);
  WriteStats("labelValueCountByLabelName", status->values_by_label, json);
  WriteStats("memoryInBytesByLabelName", status->memory_by_label, json);
  WriteStats("seriesCountByLabelValuePair", status->series_by_pair, json);
  if (call.options.scraper != nullptr) WriteRefused(*call.options.scraper, limit, json);
  json->EndObject();
  return body.Finish();
}

// The log is replayed before the server listens: there is nothing left to report.
absl::Status StatusWalReplay(Call& call) {
  SuccessBody body(call.out);
  body.json()->BeginObject().Key("min").Int(0).Key("max").Int(0).Key("current").Int(0).EndObject();
  return body.Finish();
}

// A sealed window of time is what comes closest to a block. Its identifier is its first millisecond.
absl::Status StatusTsdbBlocks(Call& call) {
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginObject().Key("blocks").BeginArray();
  for (const tsdb::BlockView& block : call.options.db->Blocks()) {
    std::string id = StrCat(absl::Dec(block.min_t, absl::kZeroPad16));
    json->BeginObject().Key("ulid").String(id);
    json->Key("minTime").Int(block.min_t).Key("maxTime").Int(block.max_t);
    json->Key("stats").BeginObject().Key("numSeries").Uint(block.series).EndObject();
    json->Key("compaction").BeginObject().Key("level").Int(1);
    json->Key("sources").BeginArray().String(id).EndArray().EndObject();
    json->Key("version").Int(1).EndObject();
  }
  json->EndArray().EndObject();
  return body.Finish();
}

absl::Status Features(Call& call) {
  const Options& options = call.options;
  const promql::ParserOptions& parser = options.engine->options().parser;
  const std::map<std::string, std::map<std::string, bool>> features = {
      {"api",
       {{"admin", options.enable_admin_api},
        {"exclude_alerts", true},
        {"label_values_match", true},
        {"lifecycle", options.enable_lifecycle},
        {"otlp_write_receiver", options.enable_otlp},
        {"query_stats", true},
        {"openapi_3.1", true},
        {"openapi_3.2", true},
        {"remote_write_receiver", options.enable_remote_write},
        {"search", options.enable_search},
        {"time_range_labels", true},
        {"time_range_series", true}}},
      {"promql",
       {{"delayed_name_removal", options.engine->options().delayed_name_removal},
        {"duration_expr", parser.duration_expressions},
        {"experimental_functions", parser.experimental_functions},
        {"extended_range_selectors", parser.extended_range_selectors}}},
  };
  SuccessBody body(call.out);
  body.json()->BeginObject();
  for (const auto& [category, flags] : features) {
    body.json()->Key(category).BeginObject();
    for (const auto& [name, on] : flags) body.json()->Key(name).Bool(on);
    body.json()->EndObject();
  }
  body.json()->EndObject();
  return body.Finish();
}

}  // namespace narthex::api
