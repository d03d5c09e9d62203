// The `scrape_configs` section: reading, inheriting from `global`, checking.
#include <set>
#include <utility>

#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "scraper/protocols.h"
#include "scraper/scrape_config_yaml.h"
#include "scraper/scraper.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

// What the section says about keys whose absence means "as in global".
struct Given {
  bool protocols = false, native = false, always_classic = false, nhcb = false, extra = false;
  bool validation = false;
};

absl::Status ReadParams(YamlMap* map, ScrapeConfig* config) {
  const YamlNode* params = map->Child("params");
  if (params == nullptr) return absl::OkStatus();
  YamlMap values(*params, "url.Values");
  for (const auto& [name, node] : params->fields()) {
    std::vector<std::string> list;
    values.Get(name, &list);
    config->params.emplace_back(name, std::move(list));
  }
  return values.Finish();
}

absl::Status ReadRelabel(YamlMap* map, std::string_view key, std::string_view what, NameValidation validation,
                         std::vector<RelabelConfig>* out) {
  const YamlNode* node = map->Child(std::string(key));
  if (node == nullptr) return absl::OkStatus();
  for (const YamlNode& item : node->items()) {
    if (item.IsNull()) return Invalid("empty or null ", what, " relabeling rule in scrape config");
  }
  ASSIGN_OR_RETURN(*out, ParseRelabelConfigs(*node, validation));
  return absl::OkStatus();
}

absl::Status CheckStaticTargets(const ScrapeConfig& config) {
  if (!config.relabel_configs.empty()) return absl::OkStatus();
  for (const discovery::TargetGroup& group : config.discovery.static_groups) {
    for (const Labels& target : group.targets) {
      std::string_view address = target.Get("__address__");
      if (address.find('/') != std::string_view::npos) {
        return Invalid(GoQuote(address), " is not a valid hostname");
      }
    }
  }
  return absl::OkStatus();
}

// A limit is not negative.
void GetLimit(YamlMap* map, std::string_view key, int64_t* limit) {
  uint64_t value = static_cast<uint64_t>(*limit);
  map->Get(key, &value);
  *limit = static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX));
}

void ReadKeys(YamlMap* map, ScrapeConfig* c) {
  map->Get("job_name", &c->job_name);
  map->GetDuration("scrape_interval", &c->scrape_interval_ms);
  map->GetDuration("scrape_timeout", &c->scrape_timeout_ms);
  map->Get("honor_labels", &c->honor_labels);
  map->Get("honor_timestamps", &c->honor_timestamps);
  map->Get("track_timestamps_staleness", &c->track_timestamps_staleness);
  map->Get("enable_compression", &c->enable_compression);
  map->Get("scrape_protocols", &c->scrape_protocols);
  map->Get("fallback_scrape_protocol", &c->fallback_scrape_protocol);
  map->Get("metrics_path", &c->metrics_path);
  map->Get("scheme", &c->scheme);
  map->GetBytes("body_size_limit", &c->body_size_limit);
  GetLimit(map, "sample_limit", &c->sample_limit);
  GetLimit(map, "target_limit", &c->target_limit);
  GetLimit(map, "label_limit", &c->label_limit);
  GetLimit(map, "label_name_length_limit", &c->label_name_length_limit);
  GetLimit(map, "label_value_length_limit", &c->label_value_length_limit);
  GetLimit(map, "native_histogram_bucket_limit", &c->native_histogram_bucket_limit);
  map->Get("native_histogram_min_bucket_factor", &c->native_histogram_min_bucket_factor);
  GetLimit(map, "keep_dropped_targets", &c->keep_dropped_targets);
  map->Get("scrape_native_histograms", &c->scrape_native_histograms);
  map->Get("always_scrape_classic_histograms", &c->always_scrape_classic_histograms);
  map->Get("convert_classic_histograms_to_nhcb", &c->convert_classic_histograms_to_nhcb);
  map->Get("extra_scrape_metrics", &c->extra_scrape_metrics);
  map->Get("scrape_failure_log_file", &c->scrape_failure_log_file);
  map->Get("metric_name_validation_scheme", &c->metric_name_validation_scheme);
  map->Get("metric_name_escaping_scheme", &c->metric_name_escaping_scheme);
}

template <typename T>
void Inherit(T* value, const T& from) {
  if (*value == T{}) *value = from;
}

absl::Status InheritIntervals(const GlobalConfig& global, ScrapeConfig* c) {
  Inherit(&c->scrape_interval_ms, global.scrape_interval_ms);
  if (c->scrape_timeout_ms > c->scrape_interval_ms) {
    return Invalid("scrape timeout greater than scrape interval for scrape config with job name ",
                   GoQuote(c->job_name));
  }
  Inherit(&c->scrape_timeout_ms, std::min(global.scrape_timeout_ms, c->scrape_interval_ms));
  return absl::OkStatus();
}

absl::Status InheritProtocols(const GlobalConfig& global, const Given& given, ScrapeConfig* c) {
  if (!given.protocols) {
    c->scrape_protocols = !global.scrape_protocols.empty() ? global.scrape_protocols
                          : c->scrape_native_histograms    ? ProtobufFirstScrapeProtocols()
                                                           : DefaultScrapeProtocols();
  }
  absl::Status protocols = ValidateScrapeProtocols(c->scrape_protocols);
  if (!protocols.ok()) {
    return Invalid(Message(protocols), " for scrape config with job name ", GoQuote(c->job_name));
  }
  if (c->fallback_scrape_protocol.empty()) return absl::OkStatus();
  absl::Status fallback = ValidateScrapeProtocol(c->fallback_scrape_protocol);
  if (fallback.ok()) return absl::OkStatus();
  return Invalid("invalid fallback_scrape_protocol for scrape config with job name ", GoQuote(c->job_name),
                 ": ", Message(fallback));
}

absl::Status InheritNaming(const GlobalConfig& global, const Given& given, ScrapeConfig* c) {
  std::string& validation = c->metric_name_validation_scheme;
  if (validation != "utf8" && validation != "legacy") {
    return Invalid(
        "unknown scrape config name validation method specified, must be either '', 'legacy' or 'utf8', "
        "got ",
        validation);
  }
  std::string& escaping = c->metric_name_escaping_scheme;
  if (escaping.empty()) {
    // A job that only asks for legacy names must not inherit an escaping that allows others.
    escaping = !given.validation        ? global.metric_name_escaping_scheme
               : validation == "legacy" ? "underscores"
                                        : "allow-utf-8";
  }
  if (!IsEscapingScheme(escaping)) {
    return Invalid(
        "unknown scrape config name escaping method specified, must be one of 'allow-utf-8', "
        "'underscores', 'dots', or 'values', got ",
        GoQuote(escaping));
  }
  if (escaping == "allow-utf-8" && validation != "utf8") {
    return Invalid("utf8 metric names requested but validation scheme is not set to UTF8");
  }
  return absl::OkStatus();
}

absl::Status InheritAll(const GlobalConfig& global, const Given& given, ScrapeConfig* c) {
  RETURN_IF_ERROR(InheritIntervals(global, c));
  Inherit(&c->body_size_limit, global.body_size_limit);
  Inherit(&c->sample_limit, global.sample_limit);
  Inherit(&c->target_limit, global.target_limit);
  Inherit(&c->label_limit, global.label_limit);
  Inherit(&c->label_name_length_limit, global.label_name_length_limit);
  Inherit(&c->label_value_length_limit, global.label_value_length_limit);
  Inherit(&c->keep_dropped_targets, global.keep_dropped_targets);
  Inherit(&c->scrape_failure_log_file, global.scrape_failure_log_file);
  if (!given.native) c->scrape_native_histograms = global.scrape_native_histograms;
  if (!given.always_classic) c->always_scrape_classic_histograms = global.always_scrape_classic_histograms;
  if (!given.nhcb) c->convert_classic_histograms_to_nhcb = global.convert_classic_histograms_to_nhcb;
  if (!given.extra) c->extra_scrape_metrics = global.extra_scrape_metrics;
  RETURN_IF_ERROR(InheritProtocols(global, given, c));
  return InheritNaming(global, given, c);
}

absl::StatusOr<ScrapeConfig> ParseOne(const YamlNode& node, const GlobalConfig& global,
                                      const std::string& base_dir) {
  ScrapeConfig c;
  c.metric_name_validation_scheme.clear();
  c.metric_name_escaping_scheme.clear();
  YamlMap map(node, "config.ScrapeConfig");
  ReadKeys(&map, &c);
  const YamlNode* protocols = map.Child("scrape_protocols");
  Given given{protocols != nullptr,
              map.Has("scrape_native_histograms"),
              map.Has("always_scrape_classic_histograms"),
              map.Has("convert_classic_histograms_to_nhcb"),
              map.Has("extra_scrape_metrics"),
              !c.metric_name_validation_scheme.empty()};
  if (!given.validation) c.metric_name_validation_scheme = global.metric_name_validation_scheme;
  const NameValidation validation =
      c.metric_name_validation_scheme == "legacy" ? NameValidation::kLegacy : NameValidation::kUtf8;
  RETURN_IF_ERROR(ReadParams(&map, &c));
  c.http = std::make_shared<HttpClientConfig>();
  absl::Status http = ReadHttpClientConfig(&map, base_dir, c.http.get());
  absl::Status sd = discovery::ReadConfigs(&map, base_dir, &c.discovery);
  absl::Status target_rules = ReadRelabel(&map, "relabel_configs", "target", validation, &c.relabel_configs);
  absl::Status metric_rules =
      ReadRelabel(&map, "metric_relabel_configs", "metric", validation, &c.metric_relabel_configs);
  RETURN_IF_ERROR(map.Finish());
  for (const absl::Status& status : {sd, target_rules, metric_rules}) RETURN_IF_ERROR(status);
  if (c.job_name.empty()) return Invalid("job_name is empty");
  RETURN_IF_ERROR(http);
  RETURN_IF_ERROR(CheckStaticTargets(c));
  if (!c.scrape_failure_log_file.empty() && c.scrape_failure_log_file[0] != '/' && !base_dir.empty()) {
    c.scrape_failure_log_file = StrCat(base_dir, "/", c.scrape_failure_log_file);
  }
  RETURN_IF_ERROR(InheritAll(global, given, &c));
  c.yaml = DumpScrapeConfig(c, node);
  c.fingerprint = StrCat(c.yaml, "\n", node.Dump(), "\n", base_dir);
  return c;
}

}  // namespace

absl::StatusOr<std::vector<ScrapeConfig>> ParseScrapeConfigs(const YamlNode* node, const GlobalConfig& global,
                                                             const std::string& base_dir) {
  std::vector<ScrapeConfig> configs;
  if (node == nullptr || node->IsNull()) return configs;
  if (!node->IsSequence()) {
    return Invalid("yaml: unmarshal errors:\n  line ", node->line(),
                   ": cannot unmarshal into []*config.ScrapeConfig");
  }
  std::set<std::string> names;
  for (const YamlNode& item : node->items()) {
    if (item.IsNull()) return Invalid("empty or null scrape config section");
    ASSIGN_OR_RETURN(ScrapeConfig config, ParseOne(item, global, base_dir));
    if (!names.insert(config.job_name).second) {
      return Invalid("found multiple scrape configs with job name ", GoQuote(config.job_name));
    }
    configs.push_back(std::move(config));
  }
  return configs;
}

}  // namespace narthex::scraper
