#include "cli/config_sections.h"

#include "absl/strings/ascii.h"
#include "base/http_client.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::cli {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

absl::Status Invalid(std::string message) { return absl::InvalidArgumentError(message); }

}  // namespace

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
    return Invalid(StrCat("expected tracing client type to be to be http or grpc, but got ", client_type));
  }
  RETURN_IF_ERROR(
      CheckExtraHeaders(headers, "custom authorization header configuration is not yet supported"));
  if (endpoint.empty()) return Invalid("tracing endpoint must be set");
  if (!compression.empty() && compression != "gzip") {
    return Invalid(StrCat("invalid compression type ", compression, " provided, valid options: gzip"));
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
