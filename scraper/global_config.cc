// The `global` section.
#include <cstdlib>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "scraper/protocols.h"
#include "scraper/scraper.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

bool IsAlnum(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsShellSpecial(char c) {
  return std::string_view("*#$@!?-0123456789").find(c) != std::string_view::npos;
}

// The name after a '$' and how many bytes it takes, by the rules of Go's os.Expand.
std::pair<std::string_view, size_t> VariableName(std::string_view s) {
  if (s[0] == '{') {
    if (s.size() > 2 && IsShellSpecial(s[1]) && s[2] == '}') return {s.substr(1, 1), 3};
    size_t close = s.find('}');
    if (close == std::string_view::npos) return {"", 1};
    if (close == 1) return {"", 2};
    return {s.substr(1, close - 1), close + 1};
  }
  if (IsShellSpecial(s[0])) return {s.substr(0, 1), 1};
  size_t n = 0;
  while (n < s.size() && IsAlnum(s[n])) ++n;
  return {s.substr(0, n), n};
}

std::string Expand(std::string_view text, const GetenvFn& getenv) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    auto [name, width] = VariableName(text.substr(i + 1));
    if (name.empty()) {
      if (width == 0) out += '$';  // a dollar that starts no name stays
    } else if (name == "$") {
      out += '$';
    } else {
      out += getenv(std::string(name));
    }
    i += width;
  }
  return out;
}

absl::Status CheckExternalLabels(const GlobalConfig& config) {
  for (const auto& [name, value] : config.external_labels) {
    if (name.empty() || !IsValidUtf8(name)) return Invalid(GoQuote(name), " is not a valid label name");
    if (!IsValidUtf8(value)) return Invalid(GoQuote(value), " is not a valid label value");
  }
  return absl::OkStatus();
}

absl::Status CheckGlobal(GlobalConfig* config, bool protocols_given) {
  const GlobalConfig defaults;
  RETURN_IF_ERROR(CheckExternalLabels(*config));
  if (config->scrape_interval_ms == 0) config->scrape_interval_ms = defaults.scrape_interval_ms;
  if (config->scrape_timeout_ms > config->scrape_interval_ms) {
    return Invalid("global scrape timeout greater than scrape interval");
  }
  if (config->scrape_timeout_ms == 0) {
    config->scrape_timeout_ms = std::min(defaults.scrape_timeout_ms, config->scrape_interval_ms);
  }
  if (config->evaluation_interval_ms == 0) config->evaluation_interval_ms = defaults.evaluation_interval_ms;
  if (protocols_given) {
    absl::Status protocols = ValidateScrapeProtocols(config->scrape_protocols);
    if (!protocols.ok()) return Invalid(Message(protocols), " for global config");
  }
  std::string& validation = config->metric_name_validation_scheme;
  if (validation.empty()) validation = "utf8";
  if (validation != "utf8" && validation != "legacy") {
    return Invalid(
        "unknown global name validation method specified, must be either '', 'legacy' or 'utf8', got ",
        validation);
  }
  std::string& escaping = config->metric_name_escaping_scheme;
  if (escaping.empty()) escaping = validation == "legacy" ? "underscores" : "allow-utf-8";
  if (!IsEscapingScheme(escaping)) {
    return Invalid(
        "unknown global name escaping method specified, must be one of 'allow-utf-8', 'underscores', "
        "'dots', or 'values', got ",
        GoQuote(escaping));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GlobalConfig> ParseGlobalConfig(const YamlNode* node, const GetenvFn& getenv) {
  GlobalConfig config;
  if (node == nullptr || node->IsNull()) return config;
  // 0 tells "not given" from the default: the timeout's default depends on the interval.
  config.scrape_interval_ms = config.scrape_timeout_ms = config.evaluation_interval_ms = 0;
  config.metric_name_validation_scheme.clear();
  config.metric_name_escaping_scheme.clear();
  YamlMap map(*node, "config.plain");
  map.GetDuration("scrape_interval", &config.scrape_interval_ms);
  map.GetDuration("scrape_timeout", &config.scrape_timeout_ms);
  map.GetDuration("evaluation_interval", &config.evaluation_interval_ms);
  map.GetDuration("rule_query_offset", &config.rule_query_offset_ms);
  map.Get("scrape_protocols", &config.scrape_protocols);
  map.Get("external_labels", &config.external_labels);
  map.Get("query_log_file", &config.query_log_file);
  map.Get("scrape_failure_log_file", &config.scrape_failure_log_file);
  map.GetBytes("body_size_limit", &config.body_size_limit);
  const auto limit = [&map](std::string_view key, int64_t* out) {
    uint64_t value = 0;
    map.Get(key, &value);
    *out = static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX));
  };
  limit("sample_limit", &config.sample_limit);
  limit("target_limit", &config.target_limit);
  limit("label_limit", &config.label_limit);
  limit("label_name_length_limit", &config.label_name_length_limit);
  limit("label_value_length_limit", &config.label_value_length_limit);
  limit("keep_dropped_targets", &config.keep_dropped_targets);
  map.Get("metric_name_validation_scheme", &config.metric_name_validation_scheme);
  map.Get("metric_name_escaping_scheme", &config.metric_name_escaping_scheme);
  map.Get("scrape_native_histograms", &config.scrape_native_histograms);
  map.Get("convert_classic_histograms_to_nhcb", &config.convert_classic_histograms_to_nhcb);
  map.Get("always_scrape_classic_histograms", &config.always_scrape_classic_histograms);
  map.Get("extra_scrape_metrics", &config.extra_scrape_metrics);
  // The Go runtime's settings mean nothing here, but files that tune it must load.
  if (const YamlNode* runtime = map.Child("runtime")) {
    YamlMap settings(*runtime, "config.plain");
    int64_t gogc = 0;
    settings.Get("gogc", &gogc);
    RETURN_IF_ERROR(settings.Finish());
  }
  const bool protocols_given = map.Child("scrape_protocols") != nullptr;
  RETURN_IF_ERROR(map.Finish());
  RETURN_IF_ERROR(CheckGlobal(&config, protocols_given));
  const GetenvFn lookup = getenv != nullptr ? getenv : GetenvFn([](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  });
  for (auto& [name, value] : config.external_labels) value = Expand(value, lookup);
  return config;
}

}  // namespace narthex::scraper
