#include "scraper/protocols.h"

#include <set>
#include <utility>

#include "base/status_macros.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

constexpr std::pair<std::string_view, std::string_view> kProtocols[] = {
    {"OpenMetricsText0.0.1", "application/openmetrics-text;version=0.0.1"},
    {"OpenMetricsText1.0.0", "application/openmetrics-text;version=1.0.0"},
    {"PrometheusProto",
     "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"},
    {"PrometheusText0.0.4", "text/plain;version=0.0.4"},
    {"PrometheusText1.0.0", "text/plain;version=1.0.0"},
};

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

}  // namespace

const std::vector<std::string>& DefaultScrapeProtocols() {
  static const auto* const kDefault = new std::vector<std::string>{
      "OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"};
  return *kDefault;
}

const std::vector<std::string>& ProtobufFirstScrapeProtocols() {
  static const auto* const kProtobufFirst =
      new std::vector<std::string>{"PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1",
                                   "PrometheusText1.0.0", "PrometheusText0.0.4"};
  return *kProtobufFirst;
}

absl::Status ValidateScrapeProtocol(std::string_view protocol) {
  std::vector<std::string> names;
  for (const auto& [name, header] : kProtocols) {
    if (name == protocol) return absl::OkStatus();
    names.emplace_back(name);
  }
  return Invalid("unknown scrape protocol ", protocol, ", supported: [", Join(names), "]");
}

absl::Status ValidateScrapeProtocols(const std::vector<std::string>& protocols) {
  if (protocols.empty()) return Invalid("scrape_protocols cannot be empty");
  std::set<std::string> seen;
  for (const std::string& protocol : protocols) {
    if (!seen.insert(ToLower(protocol)).second) {
      return Invalid("duplicated protocol in scrape_protocols, got [", Join(protocols), "]");
    }
    absl::Status known = ValidateScrapeProtocol(protocol);
    if (!known.ok()) return Invalid("scrape_protocols: ", Message(known));
  }
  return absl::OkStatus();
}

std::string AcceptHeader(const std::vector<std::string>& protocols, std::string_view escaping_scheme) {
  std::string out;
  int weight = 6;
  for (const std::string& protocol : protocols) {
    for (const auto& [name, header] : kProtocols) {
      if (name != protocol) continue;
      StrAppend(&out, header);
      if (name.ends_with("1.0.0")) StrAppend(&out, ";escaping=", escaping_scheme);
      StrAppend(&out, ";q=0.", weight, ",");
    }
    --weight;
  }
  StrAppend(&out, "*/*;q=0.", weight);
  return out;
}

bool IsEscapingScheme(std::string_view scheme) {
  return scheme == "allow-utf-8" || scheme == "underscores" || scheme == "dots" || scheme == "values";
}

}  // namespace narthex::scraper
