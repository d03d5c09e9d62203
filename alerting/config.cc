// The `alerting` section, read and checked.
#include "alerting/alerting.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::alerting {
namespace {

absl::Status Invalid(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

absl::Status ReadRelabel(YamlMap* map, std::string_view key, std::string_view what,
                         std::vector<RelabelConfig>* out) {
  const YamlNode* node = map->Child(key);
  if (node == nullptr) return absl::OkStatus();
  for (const YamlNode& item : node->items()) {
    if (item.IsNull()) return Invalid(StrCat("empty or null ", what, " relabeling rule"));
  }
  ASSIGN_OR_RETURN(*out, ParseRelabelConfigs(*node, NameValidation::kUtf8));
  return absl::OkStatus();
}

// Users put URLs where addresses belong; relabelling may still turn them into addresses.
absl::Status CheckStaticTargets(const AlertmanagerConfig& config) {
  if (!config.relabel_configs.empty()) return absl::OkStatus();
  for (const discovery::TargetGroup& group : config.discovery.static_groups) {
    for (const Labels& target : group.targets) {
      std::string_view address = target.Get("__address__");
      if (address.find('/') != std::string_view::npos) {
        return Invalid(StrCat(GoQuote(address), " is not a valid hostname"));
      }
    }
  }
  return absl::OkStatus();
}

// Requests are not signed; saying so at once is better than alerts that nobody takes.
absl::Status ReadSigv4(YamlMap* map, const AlertmanagerConfig& config) {
  const YamlNode* node = map->Child("sigv4");
  if (node == nullptr) return absl::OkStatus();
  YamlMap sigv4(*node, "sigv4.plain");
  std::string access_key, secret_key;
  sigv4.Get("access_key", &access_key);
  sigv4.Get("secret_key", &secret_key);
  for (const char* key : {"region", "profile", "role_arn", "external_id", "use_fips_sts_endpoint"}) {
    sigv4.Child(key);
  }
  RETURN_IF_ERROR(sigv4.Finish());
  if (access_key.empty() != secret_key.empty()) {
    return Invalid(
        "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the "
        "SigV4 config");
  }
  const HttpClientConfig& http = *config.http;
  if (http.has_basic_auth || http.has_authorization || http.has_oauth2) {
    return Invalid("at most one of basic_auth, authorization, oauth2, & sigv4 must be configured");
  }
  return Invalid("sigv4 is not supported for Alertmanagers: alerts would go out unsigned and be refused");
}

absl::StatusOr<AlertmanagerConfig> ParseAlertmanager(const YamlNode& node, const std::string& base_dir) {
  AlertmanagerConfig config;
  YamlMap map(node, "config.AlertmanagerConfig");
  map.Get("scheme", &config.scheme);
  map.Get("path_prefix", &config.path_prefix);
  map.GetDuration("timeout", &config.timeout_ms);
  map.Get("api_version", &config.api_version);
  config.http = std::make_shared<HttpClientConfig>();
  absl::Status http = ReadHttpClientConfig(&map, base_dir, config.http.get());
  absl::Status sd = discovery::ReadConfigs(&map, base_dir, &config.discovery);
  absl::Status sigv4 = ReadSigv4(&map, config);
  absl::Status targets = ReadRelabel(&map, "relabel_configs", "Alertmanager target", &config.relabel_configs);
  absl::Status alerts =
      ReadRelabel(&map, "alert_relabel_configs", "Alertmanager alert", &config.alert_relabel_configs);
  RETURN_IF_ERROR(map.Finish());
  if (config.api_version != "v2") {
    return Invalid(
        StrCat("expected Alertmanager api version to be one of [v2] but got ", config.api_version));
  }
  for (const absl::Status& status : {sd, http, sigv4, targets, alerts}) RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(CheckStaticTargets(config));
  config.fingerprint = StrCat(node.Dump(), "\n", base_dir);
  return config;
}

absl::StatusOr<WebhookConfig> ParseWebhook(const YamlNode& node, const std::string& base_dir) {
  WebhookConfig config;
  YamlMap map(node, "config.WebhookConfig");
  map.Get("name", &config.name);
  map.Get("url", &config.url);
  map.Get("send_resolved", &config.send_resolved);
  map.Get("max_alerts", &config.max_alerts);
  map.Get("group_by", &config.group_by);
  map.GetDuration("timeout", &config.timeout_ms);
  config.http = std::make_shared<HttpClientConfig>();
  absl::Status http = ReadHttpClientConfig(&map, base_dir, config.http.get());
  absl::Status alerts =
      ReadRelabel(&map, "alert_relabel_configs", "webhook alert", &config.alert_relabel_configs);
  RETURN_IF_ERROR(map.Finish());
  RETURN_IF_ERROR(http);
  RETURN_IF_ERROR(alerts);
  if (!config.url.starts_with("http://") && !config.url.starts_with("https://")) {
    return Invalid(StrCat("alerting.webhooks: url must be an HTTP URL, got ", GoQuote(config.url)));
  }
  if (config.max_alerts < 0) return Invalid("alerting.webhooks: max_alerts must not be negative");
  return config;
}

}  // namespace

absl::StatusOr<AlertingConfig> ParseAlertingConfig(const YamlNode* node, const std::string& base_dir) {
  AlertingConfig config;
  if (node == nullptr || node->IsNull()) return config;
  YamlMap map(*node, "config.plain");  // the type that Prometheus names for config.AlertingConfig
  const YamlNode* alertmanagers = map.Child("alertmanagers");
  if (alertmanagers != nullptr && !alertmanagers->IsSequence()) {
    map.AddError(alertmanagers->line(), "cannot unmarshal into config.AlertmanagerConfigs");
  }
  const YamlNode* webhooks = map.Child("webhooks");
  absl::Status relabel = ReadRelabel(&map, "alert_relabel_configs", "alert", &config.alert_relabel_configs);
  RETURN_IF_ERROR(map.Finish());
  RETURN_IF_ERROR(relabel);
  if (alertmanagers != nullptr) {
    for (const YamlNode& item : alertmanagers->items()) {
      ASSIGN_OR_RETURN(AlertmanagerConfig parsed, ParseAlertmanager(item, base_dir));
      config.alertmanagers.push_back(std::move(parsed));
    }
  }
  if (webhooks == nullptr) return config;
  for (const YamlNode& item : webhooks->items()) {
    ASSIGN_OR_RETURN(WebhookConfig parsed, ParseWebhook(item, base_dir));
    config.webhooks.push_back(std::move(parsed));
  }
  return config;
}

}  // namespace narthex::alerting
