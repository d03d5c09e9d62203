#include "cli/config.h"
#include "base/files.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "base/duration.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/config_sections.h"

namespace narthex::cli {
namespace {

absl::Status ReadRetention(const YamlNode& node, LoadedConfig* config) {
  YamlMap map(node, "config.TSDBRetentionConfig");
  map.GetDuration("time", &config->retention_ms);
  const YamlNode* size = node.Find("size");
  if (size != nullptr && size->scalar().starts_with("-")) {
    return absl::InvalidArgumentError("'storage.tsdb.retention.size' must be greater than or equal to 0");
  }
  map.GetBytes("size", &config->retention_bytes);
  double percentage = 0;
  map.Get("percentage", &percentage);
  RETURN_IF_ERROR(map.Finish());
  if (percentage < 0 || percentage > 100) {
    return absl::InvalidArgumentError("'storage.tsdb.retention.percentage' must be in the range [0, 100]");
  }
  if (percentage > 0) config->ignored.push_back("storage.tsdb.retention.percentage");
  return absl::OkStatus();
}

// Narthex has an encoding of its own; the key is checked and otherwise has no effect.
absl::Status CheckChunkEncoding(const YamlNode& node) {
  YamlMap map(node, "config.plain");
  std::string floats = "xor";
  map.Get("floats", &floats);
  RETURN_IF_ERROR(map.Finish());
  if (floats == "xor" || floats == "xor2") return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(
      "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, "
      "got \"",
      floats, "\""));
}

// A * may stand in the last part of a path only.
absl::Status CheckPattern(const std::string& pattern, std::string_view what) {
  size_t star = pattern.find('*');
  if (star == std::string::npos || pattern.find('/', star) == std::string::npos) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("invalid ", what, " path \"", pattern, "\""));
}

absl::Status ReadStorage(const YamlNode& node, LoadedConfig* config) {
  YamlMap map(node, "config.plain");
  if (const YamlNode* tsdb = map.Child("tsdb")) {
    YamlMap inner(*tsdb, "config.plain");
    inner.GetDuration("out_of_order_time_window", &config->out_of_order_window_ms);
    inner.Child("stale_series_compaction_threshold");
    if (const YamlNode* encoding = inner.Child("chunk_encoding"))
      RETURN_IF_ERROR(CheckChunkEncoding(*encoding));
    if (const YamlNode* retention = inner.Child("retention"))
      RETURN_IF_ERROR(ReadRetention(*retention, config));
    RETURN_IF_ERROR(inner.Finish());
  }
  if (const YamlNode* exemplars = map.Child("exemplars")) {
    YamlMap inner(*exemplars, "config.ExemplarsConfig");
    int64_t max_exemplars = 0;
    inner.Get("max_exemplars", &max_exemplars);
    RETURN_IF_ERROR(inner.Finish());
  }
  return map.Finish();
}

// The files that scrape_config_files names hold a `scrape_configs` list each.
absl::Status ReadScrapeConfigFiles(const std::vector<std::string>& patterns, const std::string& base_dir,
                                   LoadedConfig* config) {
  std::vector<std::string> files;
  for (const std::string& pattern : patterns) {
    RETURN_IF_ERROR(CheckPattern(pattern, "scrape config file"));
    // One by one: a file that two patterns name is read twice, and its jobs are refused as duplicates.
    ASSIGN_OR_RETURN(std::vector<std::string> found, rules::ExpandGlobs({pattern}, base_dir));
    files.insert(files.end(), found.begin(), found.end());
  }
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(std::string text, ReadFile(file));
    absl::StatusOr<YamlNode> root = YamlNode::Parse(text);
    if (!root.ok()) return absl::InvalidArgumentError(StrCat(file, ": ", root.status().message()));
    YamlMap map(*root, "config.ScrapeConfigs");
    const YamlNode* list = map.Child("scrape_configs");
    RETURN_IF_ERROR(map.Finish());
    ASSIGN_OR_RETURN(std::vector<scraper::ScrapeConfig> configs,
                     scraper::ParseScrapeConfigs(list, config->global, base_dir));
    for (scraper::ScrapeConfig& scrape : configs) {
      for (const scraper::ScrapeConfig& other : config->scrape_configs) {
        if (other.job_name == scrape.job_name) {
          return absl::InvalidArgumentError(StrCat("found multiple scrape configs with job name \"",
                                                   scrape.job_name, "\" in file: ", file));
        }
      }
      config->scrape_configs.push_back(std::move(scrape));
    }
  }
  return absl::OkStatus();
}

std::string Indent(std::string_view yaml, std::string_view first, std::string_view rest) {
  std::string out;
  bool start = true;
  size_t pos = 0;
  while (pos < yaml.size()) {
    size_t end = yaml.find('\n', pos);
    if (end == yaml.npos) end = yaml.size();
    StrAppend(&out, start ? first : rest, yaml.substr(pos, end - pos), "\n");
    start = false;
    pos = end + 1;
  }
  return out;
}

// A file's name as seen from where the process runs.
std::string JoinDir(const std::string& base_dir, const std::string& file) {
  if (file.starts_with("/")) return file;
  return (std::filesystem::path(base_dir) / file).lexically_normal().string();
}

// The effective configuration as Prometheus prints it: defaults filled in, secrets hidden.
std::string EffectiveYaml(const LoadedConfig& config, const YamlNode& root, const std::string& base_dir) {
  const scraper::GlobalConfig& global = config.global;
  std::string out = "global:\n";
  StrAppend(&out, "  scrape_interval: ", FormatDurationMs(global.scrape_interval_ms), "\n");
  StrAppend(&out, "  scrape_timeout: ", FormatDurationMs(global.scrape_timeout_ms), "\n");
  StrAppend(&out, "  scrape_protocols:\n");
  static const std::vector<std::string> kDefaults = {"OpenMetricsText1.0.0", "OpenMetricsText0.0.1",
                                                     "PrometheusText1.0.0", "PrometheusText0.0.4"};
  for (const std::string& protocol : global.scrape_protocols.empty() ? kDefaults : global.scrape_protocols) {
    StrAppend(&out, "  - ", protocol, "\n");
  }
  StrAppend(&out, "  evaluation_interval: ", FormatDurationMs(global.evaluation_interval_ms), "\n");
  if (!global.external_labels.empty()) {
    StrAppend(&out, "  external_labels:\n");
    for (const auto& [name, value] : global.external_labels)
      StrAppend(&out, "    ", YamlString(name), ": ", YamlString(value), "\n");
  }
  if (!config.rule_patterns.empty()) {
    StrAppend(&out, "rule_files:\n");
    for (const std::string& pattern : config.rule_patterns)
      StrAppend(&out, "- ", YamlString(JoinDir(base_dir, pattern)), "\n");
  }
  if (!config.alerting.alertmanagers.empty()) {
    StrAppend(&out, "alerting:\n  alertmanagers:\n");
    for (const alerting::AlertmanagerConfig& am : config.alerting.alertmanagers) {
      StrAppend(&out, "  - follow_redirects: ", am.http && !am.http->follow_redirects ? "false" : "true",
                "\n    scheme: ", am.scheme, "\n");
      if (!am.path_prefix.empty()) StrAppend(&out, "    path_prefix: ", am.path_prefix, "\n");
      StrAppend(&out, "    timeout: ", FormatDurationMs(am.timeout_ms), "\n    api_version: ", am.api_version,
                "\n");
      if (am.http) StrAppend(&out, DumpHttpClientConfig(*am.http, 4));
      for (const discovery::TargetGroup& group : am.discovery.static_groups) {
        StrAppend(&out, "    static_configs:\n    - targets:\n");
        for (const Labels& target : group.targets)
          StrAppend(&out, "      - ", target.Get("__address__"), "\n");
      }
    }
  }
  if (!config.scrape_configs.empty()) {
    StrAppend(&out, "scrape_configs:\n");
    for (const scraper::ScrapeConfig& scrape : config.scrape_configs) {
      StrAppend(&out, Indent(scrape.yaml, "- ", "  "));
    }
  }
  if (const YamlNode* storage = root.Find("storage"))
    StrAppend(&out, "storage:\n", Indent(storage->Dump(), "  ", "  "));
  if (!config.remote_write.empty()) out += "remote_write:\n";
  for (const remote::RemoteWriteConfig& remote : config.remote_write) out += Indent(remote.yaml, "- ", "  ");
  if (!config.remote_read.empty()) out += "remote_read:\n";
  for (const remote::RemoteReadConfig& remote : config.remote_read) out += Indent(remote.yaml, "- ", "  ");
  const YamlNode* otlp = root.Find("otlp");
  StrAppend(&out, "otlp:\n", EffectiveOtlp(otlp == nullptr ? YamlNode() : *otlp));
  return out;
}

absl::Status CheckAgentMode(const LoadedConfig& config) {
  bool alerts = !config.alerting.alertmanagers.empty() || !config.alerting.alert_relabel_configs.empty();
  bool reads = !config.remote_read.empty();
  std::string_view section = alerts                          ? "alerting"
                             : !config.rule_patterns.empty() ? "rule_files"
                             : reads                         ? "remote_read"
                                                             : "";
  if (section.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("field ", section, " is not allowed in agent mode"));
}

}  // namespace

absl::StatusOr<LoadedConfig> ParseConfig(std::string_view text, const std::string& base_dir) {
  ASSIGN_OR_RETURN(YamlNode root, YamlNode::Parse(text));
  LoadedConfig config;
  YamlMap map(root, "config.plain");
  const YamlNode* global = map.Child("global");
  const YamlNode* scrape_configs = map.Child("scrape_configs");
  const YamlNode* alerting = map.Child("alerting");
  const YamlNode* storage = map.Child("storage");
  map.Get("rule_files", &config.rule_patterns);
  std::vector<std::string> scrape_config_files;
  map.Get("scrape_config_files", &scrape_config_files);
  const YamlNode *remote_write = map.Child("remote_write"), *remote_read = map.Child("remote_read"),
                 *otlp = map.Child("otlp"), *tracing = map.Child("tracing");
  const YamlNode* runtime = map.Child("runtime");
  RETURN_IF_ERROR(map.Finish());
  if (runtime != nullptr) {
    YamlMap inner(*runtime, "config.RuntimeConfig");
    int64_t gogc = 0;
    inner.Get("gogc", &gogc);
    RETURN_IF_ERROR(inner.Finish());
  }
  for (const std::string& pattern : config.rule_patterns) RETURN_IF_ERROR(CheckPattern(pattern, "rule file"));
  ASSIGN_OR_RETURN(config.global, scraper::ParseGlobalConfig(global));
  if (remote_write != nullptr) {
    ASSIGN_OR_RETURN(config.remote_write, remote::ParseRemoteWrite(*remote_write, base_dir));
  }
  if (remote_read != nullptr) {
    ASSIGN_OR_RETURN(config.remote_read, remote::ParseRemoteRead(*remote_read, base_dir));
  }
  if (tracing != nullptr) RETURN_IF_ERROR(CheckTracing(*tracing));
  bool legacy_names = config.global.metric_name_validation_scheme == "legacy";
  if (otlp != nullptr) {
    ASSIGN_OR_RETURN(config.otlp, remote::ParseOtlpConfig(*otlp, legacy_names));
  }
  if (tracing != nullptr) config.ignored.push_back("tracing");
  ASSIGN_OR_RETURN(config.scrape_configs,
                   scraper::ParseScrapeConfigs(scrape_configs, config.global, base_dir));
  RETURN_IF_ERROR(ReadScrapeConfigFiles(scrape_config_files, base_dir, &config));
  ASSIGN_OR_RETURN(config.alerting, alerting::ParseAlertingConfig(alerting, base_dir));
  if (storage != nullptr) RETURN_IF_ERROR(ReadStorage(*storage, &config));
  ASSIGN_OR_RETURN(config.rule_files, rules::ExpandGlobs(config.rule_patterns, base_dir));
  config.yaml = EffectiveYaml(config, root, base_dir);
  return config;
}

absl::StatusOr<LoadedConfig> LoadConfig(const std::string& path, bool agent_mode) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  std::string base_dir = std::filesystem::path(path).parent_path().string();
  absl::StatusOr<LoadedConfig> config = ParseConfig(text, base_dir.empty() ? "." : base_dir);
  if (!config.ok()) {
    return absl::InvalidArgumentError(StrCat("parsing YAML file ", path, ": ", config.status().message()));
  }
  if (agent_mode) RETURN_IF_ERROR(CheckAgentMode(*config));
  return config;
}

absl::StatusOr<std::vector<rules::GroupSpec>> LoadRules(const LoadedConfig& config,
                                                        const promql::ParserOptions& parser) {
  const NameValidation names = config.global.metric_name_validation_scheme == "legacy"
                                   ? NameValidation::kLegacy
                                   : NameValidation::kUtf8;
  std::vector<rules::GroupSpec> groups;
  for (const std::string& file : config.rule_files) {
    ASSIGN_OR_RETURN(std::string text, ReadFile(file));
    ASSIGN_OR_RETURN(std::vector<rules::GroupSpec> parsed,
                     rules::ParseRuleFile(file, text, parser, /*ignore_unknown=*/false, names));
    for (rules::GroupSpec& group : parsed) groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace narthex::cli
