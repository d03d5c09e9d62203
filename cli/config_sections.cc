#include "cli/config_sections.h"

#include <algorithm>
#include <array>
#include <set>

#include "absl/strings/ascii.h"
#include "base/go_format.h"
#include "base/http_client.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "model/relabel.h"

namespace narthex::cli {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

absl::Status Invalid(std::string message) { return absl::InvalidArgumentError(message); }

absl::Status CheckHeaders(const Pairs& headers, std::string_view authorization_error) {
  static constexpr auto kReserved = std::to_array<std::string_view>(
      {"host", "content-encoding", "content-length", "content-type", "user-agent", "connection", "keep-alive",
       "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
       "x-prometheus-remote-write-version", "x-prometheus-remote-read-version", "x-amz-date",
       "x-amz-security-token", "x-amz-content-sha256"});
  for (const auto& [header, value] : headers) {
    std::string lower = absl::AsciiStrToLower(header);
    if (lower == "authorization" && !authorization_error.empty())
      return Invalid(std::string(authorization_error));
    if (std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end()) {
      return Invalid(StrCat(header, " is a reserved header. It must not be changed"));
    }
  }
  return absl::OkStatus();
}

// The queue_config of a remote write.
absl::Status CheckQueue(const YamlNode& node) {
  int64_t max_shards = 50, min_shards = 1, ignored = 0;
  bool flag = false;
  YamlMap map(node, "config.plain");
  map.Get("max_shards", &max_shards);
  map.Get("min_shards", &min_shards);
  map.Get("capacity", &ignored);
  map.Get("max_samples_per_send", &ignored);
  for (const char* key : {"batch_send_deadline", "min_backoff", "max_backoff", "sample_age_limit"}) {
    map.GetDuration(key, &ignored);
  }
  map.Get("retry_on_http_429", &flag);
  RETURN_IF_ERROR(map.Finish());
  if (max_shards <= 0) return Invalid("remote write queue max_shards must be positive");
  if (min_shards <= 0) return Invalid("remote write queue min_shards must be positive");
  if (min_shards > max_shards)
    return Invalid("remote write queue min_shards must not be greater than max_shards");
  return absl::OkStatus();
}

absl::Status CheckMetadataConfig(const YamlNode& node) {
  bool send = true;
  int64_t number = 0;
  YamlMap map(node, "config.plain");
  map.Get("send", &send);
  map.GetDuration("send_interval", &number);
  map.Get("max_samples_per_send", &number);
  return map.Finish();
}

absl::Status CheckRelabelRules(const YamlNode* node) {
  if (node == nullptr) return absl::OkStatus();
  for (const YamlNode& rule : node->items()) {
    if (rule.IsNull()) return Invalid("empty or null relabeling rule in remote write config");
  }
  return ParseRelabelConfigs(*node, NameValidation::kUtf8).status();
}

absl::Status CheckOneRemoteWrite(const YamlNode& node, const std::string& base_dir, std::string* name) {
  YamlMap map(node, "config.plain");
  std::string url, message = "prometheus.WriteRequest";
  int64_t timeout = 0;
  bool flag = false;
  Pairs headers;
  map.Get("url", &url);
  map.Get("name", name);
  map.Get("protobuf_message", &message);
  map.Get("headers", &headers);
  map.GetDuration("remote_timeout", &timeout);
  for (const char* key : {"send_exemplars", "send_native_histograms", "round_robin_dns"}) map.Get(key, &flag);
  const YamlNode* relabel = map.Child("write_relabel_configs");
  const YamlNode* queue = map.Child("queue_config");
  const YamlNode* metadata = map.Child("metadata_config");
  for (const char* key : {"sigv4", "azuread", "google_iam"}) map.Child(key);
  HttpClientConfig http;
  absl::Status http_status = ReadHttpClientConfig(&map, base_dir, &http);
  RETURN_IF_ERROR(map.Finish());
  if (url.empty()) return Invalid("url for remote_write is empty");
  RETURN_IF_ERROR(CheckRelabelRules(relabel));
  RETURN_IF_ERROR(
      CheckHeaders(headers,
                   "authorization header must be changed via the basic_auth, authorization, oauth2, "
                   "sigv4, azuread or google_iam parameter"));
  if (message != "prometheus.WriteRequest" && message != "io.prometheus.write.v2.Request") {
    return Invalid(StrCat("invalid protobuf_message value: unknown type for remote write protobuf message ",
                          message, ", supported: prometheus.WriteRequest, io.prometheus.write.v2.Request"));
  }
  RETURN_IF_ERROR(http_status);
  if (queue != nullptr) RETURN_IF_ERROR(CheckQueue(*queue));
  return metadata == nullptr ? absl::OkStatus() : CheckMetadataConfig(*metadata);
}

absl::Status CheckOneRemoteRead(const YamlNode& node, const std::string& base_dir, std::string* name) {
  YamlMap map(node, "config.plain");
  std::string url;
  int64_t number = 0;
  bool flag = false;
  Pairs headers, matchers;
  map.Get("url", &url);
  map.Get("name", name);
  map.Get("headers", &headers);
  map.Get("required_matchers", &matchers);
  map.GetDuration("remote_timeout", &number);
  map.Get("chunked_read_limit", &number);
  for (const char* key : {"read_recent", "filter_external_labels"}) map.Get(key, &flag);
  HttpClientConfig http;
  absl::Status http_status = ReadHttpClientConfig(&map, base_dir, &http);
  RETURN_IF_ERROR(map.Finish());
  if (url.empty()) return Invalid("url for remote_read is empty");
  RETURN_IF_ERROR(CheckHeaders(
      headers, "authorization header must be changed via the basic_auth or authorization parameter"));
  return http_status;
}

// A list of remotes with names of their own.
template <typename CheckOne>
absl::Status CheckRemotes(const YamlNode& section, std::string_view what, const CheckOne& check_one) {
  if (!section.IsSequence()) {
    return Invalid(StrCat("yaml: unmarshal errors:\n  line ", section.line(), ": the ", what,
                          " configuration must be a list"));
  }
  std::set<std::string> names;
  for (const YamlNode& item : section.items()) {
    if (item.IsNull()) return Invalid(StrCat("empty or null ", what, " config section"));
    std::string name;
    RETURN_IF_ERROR(check_one(item, &name));
    if (!name.empty() && !names.insert(name).second) {
      return Invalid(StrCat("found multiple ", what, " configs with job name ", GoQuote(name)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAttributes(const std::vector<std::string>& attributes, std::string_view key) {
  std::set<std::string> seen;
  for (const std::string& attribute : attributes) {
    std::string trimmed(absl::StripAsciiWhitespace(ToAbsl(attribute)));
    if (trimmed.empty()) return Invalid(StrCat("invalid '", key, "': empty OTel attribute name"));
    if (!seen.insert(trimmed).second) {
      return Invalid(StrCat("invalid '", key, "': duplicated OTel attribute ", GoQuote(attribute)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRemoteWrite(const YamlNode& section, const std::string& base_dir) {
  return CheckRemotes(section, "remote write", [&](const YamlNode& node, std::string* name) {
    return CheckOneRemoteWrite(node, base_dir, name);
  });
}

absl::Status CheckRemoteRead(const YamlNode& section, const std::string& base_dir) {
  return CheckRemotes(section, "remote read", [&](const YamlNode& node, std::string* name) {
    return CheckOneRemoteRead(node, base_dir, name);
  });
}

absl::Status CheckTracing(const YamlNode& section) {
  YamlMap map(section, "config.plain");
  std::string client_type = "grpc", endpoint, compression;
  double fraction = 0;
  bool insecure = false;
  int64_t timeout = 0;
  Pairs headers;
  map.Get("client_type", &client_type);
  map.Get("endpoint", &endpoint);
  map.Get("sampling_fraction", &fraction);
  map.Get("insecure", &insecure);
  map.Get("compression", &compression);
  map.Get("headers", &headers);
  map.GetDuration("timeout", &timeout);
  map.Child("tls_config");
  RETURN_IF_ERROR(map.Finish());
  if (client_type != "grpc" && client_type != "http") {
    return Invalid(
        StrCat("expected tracing client type to be to be one of [http grpc], but got ", client_type));
  }
  RETURN_IF_ERROR(CheckHeaders(headers, ""));
  if (endpoint.empty()) return Invalid("tracing endpoint must be set");
  if (!compression.empty() && compression != "gzip") {
    return Invalid(StrCat("invalid compression type ", compression, " provided, valid options: gzip"));
  }
  return absl::OkStatus();
}

absl::Status CheckOtlp(const YamlNode& section, bool legacy_names) {
  YamlMap map(section, "config.plain");
  bool promote_all = false, flag = false;
  std::vector<std::string> promote, ignore;
  std::string strategy = "UnderscoreEscapingWithSuffixes";
  map.Get("translation_strategy", &strategy);
  map.Get("promote_all_resource_attributes", &promote_all);
  map.Get("promote_resource_attributes", &promote);
  map.Get("ignore_resource_attributes", &ignore);
  for (const char* key :
       {"keep_identifying_resource_attributes", "convert_histograms_to_nhcb", "promote_scope_metadata",
        "label_name_underscore_sanitization", "label_name_preserve_multiple_underscores"}) {
    map.Get(key, &flag);
  }
  RETURN_IF_ERROR(map.Finish());
  if (promote_all && !promote.empty()) {
    return Invalid(
        "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured "
        "simultaneously");
  }
  if (!promote_all && !ignore.empty()) {
    return Invalid(
        "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true");
  }
  RETURN_IF_ERROR(CheckAttributes(promote, "promote_resource_attributes"));
  RETURN_IF_ERROR(CheckAttributes(ignore, "ignore_resource_attributes"));
  bool escapes =
      strategy == "UnderscoreEscapingWithSuffixes" || strategy == "UnderscoreEscapingWithoutSuffixes";
  if (!escapes && strategy != "NoUTF8EscapingWithSuffixes" && strategy != "NoTranslation") {
    return Invalid(StrCat("unsupported OTLP translation strategy ", GoQuote(strategy)));
  }
  if (!escapes && legacy_names) {
    return Invalid(
        StrCat("OTLP translation strategy ", GoQuote(strategy), " is not allowed when UTF8 is disabled"));
  }
  return absl::OkStatus();
}

std::string EffectiveOtlp(const YamlNode& section) {
  YamlMap map(section, "config.plain");
  std::string strategy = "UnderscoreEscapingWithSuffixes";
  std::string out;
  auto flag = [&](std::string_view key, bool value) {
    map.Get(key, &value);
    if (value) StrAppend(&out, "  ", key, ": true\n");
  };
  auto list = [&](std::string_view key) {
    std::vector<std::string> values;
    map.Get(key, &values);
    if (!values.empty()) StrAppend(&out, "  ", key, ":\n");
    for (const std::string& value : values)
      StrAppend(&out, "  - ", YamlString(std::string(absl::StripAsciiWhitespace(value))), "\n");
  };
  flag("promote_all_resource_attributes", false);
  list("promote_resource_attributes");
  list("ignore_resource_attributes");
  map.Get("translation_strategy", &strategy);
  StrAppend(&out, "  translation_strategy: ", strategy, "\n");
  flag("keep_identifying_resource_attributes", false);
  flag("convert_histograms_to_nhcb", false);
  flag("promote_scope_metadata", false);
  flag("label_name_underscore_sanitization", true);
  flag("label_name_preserve_multiple_underscores", true);
  return out;
}

}  // namespace narthex::cli
