// The remote_write, remote_read and otlp sections.
#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "base/go_format.h"
#include "base/go_url.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "remote/config_yaml.h"
#include "remote/remote.h"

namespace narthex::remote {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

absl::Status Invalid(std::string message) { return absl::InvalidArgumentError(message); }

absl::Status ReadQueue(const YamlNode& node, QueueConfig* queue) {
  YamlMap map(node, "config.plain");
  map.Get("max_shards", &queue->max_shards);
  map.Get("min_shards", &queue->min_shards);
  map.Get("capacity", &queue->capacity);
  map.Get("max_samples_per_send", &queue->max_samples_per_send);
  map.GetDuration("batch_send_deadline", &queue->batch_send_deadline_ms);
  map.GetDuration("min_backoff", &queue->min_backoff_ms);
  map.GetDuration("max_backoff", &queue->max_backoff_ms);
  map.GetDuration("sample_age_limit", &queue->sample_age_limit_ms);
  map.Get("retry_on_http_429", &queue->retry_on_429);
  RETURN_IF_ERROR(map.Finish());
  if (queue->max_shards <= 0) return Invalid("remote write queue max_shards must be positive");
  if (queue->min_shards <= 0) return Invalid("remote write queue min_shards must be positive");
  if (queue->min_shards > queue->max_shards)
    return Invalid("remote write queue min_shards must not be greater than max_shards");
  return absl::OkStatus();
}

constexpr const char* kAuthorizationHeader =
    "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or "
    "google_iam parameter";

// Signing has no effect, but its mistakes are told.
absl::Status CheckSigv4(const YamlNode& node) {
  YamlMap map(node, "sigv4.plain");
  std::string region, access_key, secret_key, profile, role_arn, external_id;
  bool fips = false;
  map.Get("region", &region);
  map.Get("access_key", &access_key);
  map.Get("secret_key", &secret_key);
  map.Get("profile", &profile);
  map.Get("role_arn", &role_arn);
  map.Get("external_id", &external_id);
  map.Get("use_fips_sts_endpoint", &fips);
  map.Child("service_name");
  RETURN_IF_ERROR(map.Finish());
  if (access_key.empty() == secret_key.empty()) return absl::OkStatus();
  return Invalid(
      "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config");
}

absl::Status CheckOneAuthorization(const YamlNode& node) {
  std::string given;
  int count = 0;
  for (std::string_view key : {"basic_auth", "authorization", "oauth2", "sigv4", "azuread", "google_iam"}) {
    const YamlNode* found = node.Find(key);
    if (found == nullptr || found->IsNull()) continue;
    StrAppend(&given, given.empty() ? "" : " ", key);
    ++count;
  }
  if (count < 2) return absl::OkStatus();
  return Invalid(StrCat(
      "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. "
      "Currently configured: [",
      given, "]"));
}

absl::Status ReadMetadataConfig(const YamlNode& node, RemoteWriteConfig* config) {
  YamlMap map(node, "config.plain");
  map.Get("send", &config->send_metadata);
  map.GetDuration("send_interval", &config->metadata_interval_ms);
  map.Get("max_samples_per_send", &config->metadata_per_send);
  return map.Finish();
}

absl::Status ReadRelabelRules(const YamlNode& node, std::vector<RelabelConfig>* out) {
  for (const YamlNode& rule : node.items()) {
    if (rule.IsNull()) return Invalid("empty or null relabeling rule in remote write config");
  }
  ASSIGN_OR_RETURN(*out, ParseRelabelConfigs(node, NameValidation::kUtf8));
  return absl::OkStatus();
}

absl::StatusOr<RemoteWriteConfig> ReadRemoteWrite(const YamlNode& node, const std::string& base_dir) {
  RemoteWriteConfig config;
  config.fingerprint = node.Dump();
  YamlMap map(node, "config.plain");
  bool round_robin = false, log_failures = false;
  map.Get("url", &config.url);
  map.Get("name", &config.name);
  map.Get("protobuf_message", &config.message);
  map.Get("headers", &config.headers);
  map.GetDuration("remote_timeout", &config.timeout_ms);
  map.Get("send_exemplars", &config.send_exemplars);
  map.Get("send_native_histograms", &config.send_native_histograms);
  map.Get("round_robin_dns", &round_robin);
  map.Get("failed_request_logging", &log_failures);
  const YamlNode* relabel = map.Child("write_relabel_configs");
  const YamlNode* queue = map.Child("queue_config");
  const YamlNode* metadata = map.Child("metadata_config");
  for (const char* key : {"sigv4", "azuread", "google_iam"}) {
    if (map.Child(key) != nullptr) config.unsupported.emplace_back(key);
  }
  const YamlNode* sigv4 = map.Child("sigv4");
  config.http = std::make_shared<HttpClientConfig>();
  config.http->enable_http2 = false;
  absl::Status http = ReadHttpClientConfig(&map, base_dir, config.http.get());
  RETURN_IF_ERROR(map.Finish());
  RETURN_IF_ERROR(CheckUrl(config.url));
  if (config.url.empty()) return Invalid("url for remote_write is empty");
  if (relabel != nullptr) RETURN_IF_ERROR(ReadRelabelRules(*relabel, &config.relabel_configs));
  RETURN_IF_ERROR(CheckExtraHeaders(config.headers, kAuthorizationHeader));
  if (config.message != kWriteV1 && config.message != kWriteV2) {
    return Invalid(StrCat("invalid protobuf_message value: unknown type for remote write protobuf message ",
                          config.message, ", supported: ", kWriteV1, ", ", kWriteV2));
  }
  RETURN_IF_ERROR(http);
  if (sigv4 != nullptr) RETURN_IF_ERROR(CheckSigv4(*sigv4));
  RETURN_IF_ERROR(CheckOneAuthorization(node));
  if (queue != nullptr) RETURN_IF_ERROR(ReadQueue(*queue, &config.queue));
  if (metadata != nullptr) RETURN_IF_ERROR(ReadMetadataConfig(*metadata, &config));
  config.yaml = DumpRemoteWrite(config, node);
  return config;
}

absl::StatusOr<RemoteReadConfig> ReadRemoteRead(const YamlNode& node, const std::string& base_dir) {
  RemoteReadConfig config;
  YamlMap map(node, "config.plain");
  int64_t chunked_limit = 50'000'000;
  map.Get("url", &config.url);
  map.Get("name", &config.name);
  map.Get("headers", &config.headers);
  map.Get("required_matchers", &config.required_matchers);
  map.GetDuration("remote_timeout", &config.timeout_ms);
  map.Get("chunked_read_limit", &chunked_limit);
  map.Get("read_recent", &config.read_recent);
  map.Get("filter_external_labels", &config.filter_external_labels);
  config.http = std::make_shared<HttpClientConfig>();
  absl::Status http = ReadHttpClientConfig(&map, base_dir, config.http.get());
  RETURN_IF_ERROR(map.Finish());
  RETURN_IF_ERROR(CheckUrl(config.url));
  if (config.url.empty()) return Invalid("url for remote_read is empty");
  RETURN_IF_ERROR(CheckExtraHeaders(config.headers, kAuthorizationHeader));
  RETURN_IF_ERROR(http);
  config.yaml = DumpRemoteRead(config, chunked_limit);
  return config;
}

// A list of remotes with names of their own.
template <typename Config, typename ReadOne>
absl::StatusOr<std::vector<Config>> ReadRemotes(const YamlNode& section, std::string_view what,
                                                const ReadOne& read_one) {
  if (!section.IsSequence()) {
    const std::string type =
        what == "remote write" ? "[]*config.RemoteWriteConfig" : "[]*config.RemoteReadConfig";
    if (!section.IsMapping()) RETURN_IF_ERROR(YamlMap(section, type).Finish());
    return Invalid(
        StrCat("yaml: unmarshal errors:\n  line ", section.line(), ": cannot unmarshal !!map into ", type));
  }
  std::vector<Config> configs;
  std::set<std::string> names;
  for (const YamlNode& item : section.items()) {
    if (item.IsNull()) return Invalid(StrCat("empty or null ", what, " config section"));
    ASSIGN_OR_RETURN(Config config, read_one(item));
    if (!config.name.empty() && !names.insert(config.name).second) {
      return Invalid(StrCat("found multiple ", what, " configs with job name ", GoQuote(config.name)));
    }
    configs.push_back(std::move(config));
  }
  return configs;
}

absl::Status CheckAttributes(std::vector<std::string>* attributes, std::string_view key,
                             std::string_view verb) {
  std::set<std::string> seen;
  for (std::string& attribute : *attributes) {
    std::string trimmed(absl::StripAsciiWhitespace(ToAbsl(attribute)));
    if (trimmed.empty())
      return Invalid(StrCat("invalid '", key, "': empty ", verb, " OTel resource attribute"));
    if (!seen.insert(trimmed).second) {
      return Invalid(
          StrCat("invalid '", key, "': duplicated ", verb, " OTel resource attribute ", GoQuote(attribute)));
    }
    attribute = trimmed;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<RemoteWriteConfig>> ParseRemoteWrite(const YamlNode& section,
                                                                const std::string& base_dir) {
  return ReadRemotes<RemoteWriteConfig>(
      section, "remote write", [&](const YamlNode& node) { return ReadRemoteWrite(node, base_dir); });
}

absl::StatusOr<std::vector<RemoteReadConfig>> ParseRemoteRead(const YamlNode& section,
                                                              const std::string& base_dir) {
  return ReadRemotes<RemoteReadConfig>(section, "remote read",
                                       [&](const YamlNode& node) { return ReadRemoteRead(node, base_dir); });
}

absl::StatusOr<OtlpConfig> ParseOtlpConfig(const YamlNode& section, bool legacy_names) {
  OtlpConfig config;
  YamlMap map(section, "config.plain");
  map.Get("translation_strategy", &config.strategy);
  map.Get("promote_all_resource_attributes", &config.promote_all);
  map.Get("promote_resource_attributes", &config.promote);
  map.Get("ignore_resource_attributes", &config.ignore);
  map.Get("keep_identifying_resource_attributes", &config.keep_identifying);
  map.Get("convert_histograms_to_nhcb", &config.convert_histograms);
  map.Get("promote_scope_metadata", &config.promote_scope);
  map.Get("label_name_underscore_sanitization", &config.sanitize_underscore);
  map.Get("label_name_preserve_multiple_underscores", &config.preserve_underscores);
  RETURN_IF_ERROR(map.Finish());
  if (config.strategy.empty()) config.strategy = OtlpConfig().strategy;
  if (config.promote_all && !config.promote.empty()) {
    return Invalid(
        "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured "
        "simultaneously");
  }
  if (!config.promote_all && !config.ignore.empty()) {
    return Invalid(
        "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true");
  }
  RETURN_IF_ERROR(CheckAttributes(&config.promote, "promote_resource_attributes", "promoted"));
  RETURN_IF_ERROR(CheckAttributes(&config.ignore, "ignore_resource_attributes", "ignored"));
  const std::string& strategy = config.strategy;
  bool escapes =
      strategy == "UnderscoreEscapingWithSuffixes" || strategy == "UnderscoreEscapingWithoutSuffixes";
  if (!escapes && !config.Utf8()) {
    return Invalid(StrCat("unsupported OTLP translation strategy ", GoQuote(strategy)));
  }
  if (!escapes && legacy_names) {
    return Invalid(
        StrCat("OTLP translation strategy ", GoQuote(strategy), " is not allowed when UTF8 is disabled"));
  }
  return config;
}

}  // namespace narthex::remote
