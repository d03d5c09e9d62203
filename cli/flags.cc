#include "cli/flags.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/duration.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "cli/flag_table.h"
#include "promql/promql.h"

namespace narthex::cli {
namespace {

using Values = std::map<std::string, std::vector<std::string>, std::less<>>;

const FlagRow* FindRow(std::string_view name) {
  for (const FlagRow& row : FlagTable()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

absl::Status CheckValue(const FlagRow& row, const std::string& value) {
  int64_t number;
  double real;
  switch (row.kind) {
    case FlagKind::kDuration:
      return value.empty() ? absl::OkStatus() : ParseDurationMs(value).status();
    case FlagKind::kBytes:
      return ParseBytes(value).status();
    case FlagKind::kInt:
      if (!absl::SimpleAtoi(value, &number)) {
        return absl::InvalidArgumentError(
            StrCat("strconv.ParseInt: parsing \"", value, "\": invalid syntax"));
      }
      return absl::OkStatus();
    case FlagKind::kFloat:
      if (!absl::SimpleAtod(value, &real)) {
        return absl::InvalidArgumentError(
            StrCat("strconv.ParseFloat: parsing \"", value, "\": invalid syntax"));
      }
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
}

absl::Status ParseBool(std::string_view name, bool negated, bool has_value, std::string_view text,
                       Values* values) {
  if (has_value && text != "true" && text != "false") {
    return absl::InvalidArgumentError(StrCat("unexpected value '", text, "' for flag '--", name, "'"));
  }
  bool on = !has_value || text == "true";
  (*values)[std::string(name)] = {(on != negated) ? "true" : "false"};
  return absl::OkStatus();
}

// Kingpin's rules: --name=value, --name value, --bool, --no-bool.
absl::StatusOr<Values> ParseArgs(const std::vector<std::string>& args) {
  Values values;
  for (size_t i = 0; i < args.size(); ++i) {
    std::string_view arg = args[i];
    if (arg == "-h") arg = "--help";
    if (!arg.starts_with("--") || arg.size() == 2) {
      return absl::InvalidArgumentError(arg.starts_with("-") && arg.size() > 1
                                            ? StrCat("unknown short flag '", arg, "'")
                                            : StrCat("unexpected ", arg));
    }
    size_t equals = arg.find('=');
    bool has_value = equals != arg.npos;
    std::string_view name = arg.substr(2, has_value ? equals - 2 : arg.npos);
    std::string_view text = has_value ? arg.substr(equals + 1) : std::string_view();
    const FlagRow* row = FindRow(name);
    bool negated = false;
    if (row == nullptr && name.starts_with("no-")) {
      row = FindRow(name.substr(3));
      negated = row != nullptr;
      if (row != nullptr && row->kind != FlagKind::kBool) row = nullptr;
    }
    if (row == nullptr) return absl::InvalidArgumentError(StrCat("unknown long flag '--", name, "'"));
    if (row->kind == FlagKind::kBool) {
      RETURN_IF_ERROR(ParseBool(row->name, negated, has_value, text, &values));
      continue;
    }
    if (!has_value) {
      if (i + 1 == args.size()) {
        return absl::InvalidArgumentError(StrCat("expected argument for flag '--", name, "'"));
      }
      text = args[++i];
    }
    std::string value(text);
    if (absl::Status s = CheckValue(*row, value); !s.ok()) return s;
    std::vector<std::string>& list = values[row->name];
    if (!list.empty() && row->kind != FlagKind::kList) {
      return absl::InvalidArgumentError(StrCat("flag '", name, "' cannot be repeated"));
    }
    list.push_back(value);
  }
  return values;
}

// Typed access to the values; everything was checked by ParseArgs.
class Reader {
 public:
  explicit Reader(const Values& values) : values_(values) {}
  std::vector<std::string> List(const char* name) const {
    auto it = values_.find(name);
    if (it != values_.end()) return it->second;
    std::string_view fallback = FindRow(name)->default_value;
    return fallback.empty() ? std::vector<std::string>{} : std::vector<std::string>{std::string(fallback)};
  }
  std::string String(const char* name) const {
    std::vector<std::string> list = List(name);
    return list.empty() ? "" : list.back();
  }
  bool Bool(const char* name) const { return String(name) == "true"; }
  int64_t Int(const char* name) const {
    int64_t value = 0;
    (void)absl::SimpleAtoi(String(name), &value);
    return value;
  }
  double Float(const char* name) const {
    double value = 0;
    (void)absl::SimpleAtod(String(name), &value);
    return value;
  }
  int64_t Duration(const char* name) const { return ParseDurationMs(String(name)).value_or(0); }
  int64_t Bytes(const char* name) const { return ParseBytes(String(name)).value_or(0); }

 private:
  const Values& values_;
};

absl::Status ReadLogFlags(const Reader& reader, ServeFlags* flags) {
  static constexpr std::pair<const char*, LogLevel> kLevels[] = {{"debug", LogLevel::kDebug},
                                                                 {"info", LogLevel::kInfo},
                                                                 {"warn", LogLevel::kWarn},
                                                                 {"error", LogLevel::kError}};
  std::string level = reader.String("log.level");
  auto it = std::find_if(std::begin(kLevels), std::end(kLevels),
                         [&](const auto& row) { return row.first == level; });
  if (it == std::end(kLevels)) {
    return absl::InvalidArgumentError(
        StrCat("enum value must be one of debug,info,warn,error, got '", level, "'"));
  }
  flags->log_level = it->second;
  std::string format = reader.String("log.format");
  if (format != "logfmt" && format != "json") {
    return absl::InvalidArgumentError(StrCat("enum value must be one of logfmt,json, got '", format, "'"));
  }
  flags->log_format = format == "json" ? LogFormat::kJson : LogFormat::kLogfmt;
  return absl::OkStatus();
}

void ReadTypedFlags(const Reader& reader, ServeFlags* flags) {
  flags->config_file = reader.String("config.file");
  flags->storage_path = reader.String("storage.tsdb.path");
  flags->retention_ms = reader.Duration("storage.tsdb.retention.time");
  flags->retention_bytes = reader.Bytes("storage.tsdb.retention.size");
  flags->sync_interval_ms = reader.Duration("storage.sync-interval");
  flags->max_storage_memory = reader.Bytes("storage.max-memory");
  flags->listen_addresses = reader.List("web.listen-address");
  flags->read_timeout_ms = reader.Duration("web.read-timeout");
  flags->max_connections = static_cast<int>(reader.Int("web.max-connections"));
  flags->external_url = reader.String("web.external-url");
  flags->route_prefix = reader.String("web.route-prefix");
  flags->web_config_file = reader.String("web.config.file");
  flags->page_title = reader.String("web.page-title");
  flags->cors_origin = reader.String("web.cors.origin");
  flags->enable_lifecycle = reader.Bool("web.enable-lifecycle");
  flags->enable_admin_api = reader.Bool("web.enable-admin-api");
  flags->enable_remote_write = reader.Bool("web.enable-remote-write-receiver");
  flags->max_notifications_subscribers = static_cast<int>(reader.Int("web.max-notifications-subscribers"));
  flags->user_assets = reader.String("web.user-assets");
  flags->enable_otlp = reader.Bool("web.enable-otlp-receiver");
  for (const std::string& list : reader.List("web.remote-write-receiver.accepted-protobuf-messages")) {
    for (absl::string_view name : absl::StrSplit(list, ',', absl::SkipEmpty()))
      flags->accepted_write_messages.emplace_back(name);
  }
  flags->read_sample_limit = static_cast<int64_t>(reader.Float("storage.remote.read-sample-limit"));
  flags->read_concurrent_limit = static_cast<int>(reader.Int("storage.remote.read-concurrent-limit"));
  flags->read_max_bytes_in_frame = reader.Int("storage.remote.read-max-bytes-in-frame");
  flags->remote_flush_deadline_ms = reader.Duration("storage.remote.flush-deadline");
  flags->search_max_limit = reader.Int("web.search.max-limit");
  flags->config_auto_reload = reader.Bool("config.auto-reload");
  flags->config_auto_reload_interval_ms = reader.Duration("config.auto-reload-interval");
  flags->lookback_delta_ms = reader.Duration("query.lookback-delta");
  flags->query_timeout_ms = reader.Duration("query.timeout");
  flags->max_concurrency = static_cast<int>(reader.Int("query.max-concurrency"));
  flags->max_samples = reader.Int("query.max-samples");
  flags->promql_kernels = reader.String("promql.kernels");
  flags->device_memory = reader.Bytes("promql.device-memory");
  flags->device_reserve = reader.Bytes("promql.device-reserve");
  flags->max_query_memory = reader.Bytes("query.max-memory");
  flags->max_memory_per_query = reader.Bytes("query.max-memory-per-query");
  flags->outage_tolerance_ms = reader.Duration("rules.alert.for-outage-tolerance");
  flags->grace_period_ms = reader.Duration("rules.alert.for-grace-period");
  flags->resend_delay_ms = reader.Duration("rules.alert.resend-delay");
  flags->max_concurrent_evals = static_cast<int>(reader.Int("rules.max-concurrent-evals"));
  flags->notification_queue_capacity = reader.Int("alertmanager.notification-queue-capacity");
  flags->notification_batch_size = reader.Int("alertmanager.notification-batch-size");
  flags->drain_notifications = reader.Bool("alertmanager.drain-notification-queue-on-shutdown");
  flags->adjust_timestamps = reader.Bool("scrape.adjust-timestamps");
  flags->timestamp_tolerance_ms = reader.Duration("scrape.timestamp-tolerance");
  flags->discovery_reload_interval_ms = reader.Duration("scrape.discovery-reload-interval");
  flags->series_limit = reader.Int("scrape.series-limit");
  flags->job_series_limit = reader.Int("scrape.job-series-limit");
  flags->disabled_passes = reader.List("query.disable-pass");
  for (const std::string& list : reader.List("enable-feature")) {
    for (absl::string_view name : absl::StrSplit(list, ',', absl::SkipEmpty()))
      flags->features.emplace_back(name);
  }
}

}  // namespace

bool ServeFlags::Feature(std::string_view name) const {
  return std::find(features.begin(), features.end(), name) != features.end();
}

absl::StatusOr<ServeFlags> ParseServeFlags(const std::vector<std::string>& args) {
  ASSIGN_OR_RETURN(Values values, ParseArgs(args));
  Reader reader(values);
  ServeFlags flags;
  RETURN_IF_ERROR(ReadLogFlags(reader, &flags));
  ReadTypedFlags(reader, &flags);
  static constexpr std::string_view kKernels[] = {"auto", "cpu", "cuda"};
  if (std::find(std::begin(kKernels), std::end(kKernels), flags.promql_kernels) == std::end(kKernels)) {
    return absl::InvalidArgumentError(
        StrCat("enum value must be one of auto,cpu,cuda, got '", flags.promql_kernels, "'"));
  }
  for (const std::string& pass : flags.disabled_passes) {
    const std::vector<std::string> known = promql::PassNames();
    if (std::find(known.begin(), known.end(), pass) == known.end()) {
      return absl::InvalidArgumentError(StrCat("unknown value \"", pass,
                                               "\" for --query.disable-pass: must be one of ",
                                               absl::StrJoin(known, ", ")));
    }
  }
  for (const FlagRow& row : FlagTable()) {
    std::string value = absl::StrJoin(reader.List(row.name), ",");
    if (row.kind == FlagKind::kDuration && value.empty()) value = "0s";
    flags.all.emplace_back(row.name, value);
  }
  std::sort(flags.all.begin(), flags.all.end());
  return flags;
}

std::string DescribeFlags() {
  std::string out;
  for (const FlagRow& row : FlagTable()) {
    StrAppend(&out, "  --", row.kind == FlagKind::kBool ? "[no-]" : "", row.name,
              row.kind == FlagKind::kBool ? "" : StrCat("=", row.default_value),
              row.acted_on ? "" : "   (accepted, without effect here)", "\n");
  }
  return out;
}

}  // namespace narthex::cli
