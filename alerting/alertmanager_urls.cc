#include "alerting/alertmanager_urls.h"

#include <algorithm>

#include "base/strings.h"

namespace narthex::alerting {
namespace {

constexpr std::string_view kPath = "__alerts_path__";

std::string AlertsPath(std::string prefix) {
  while (prefix.ends_with("/")) prefix.pop_back();
  while (prefix.starts_with("/")) prefix.erase(0, 1);
  return StrCat(prefix.empty() ? "" : "/", prefix, "/api/v2/alerts");
}

std::string UrlOf(const LabelsBuilder& labels) {
  std::string address(labels.Get("__address__"));
  std::string_view scheme = labels.Get("__scheme__");
  bool v6 = address.starts_with("[");
  bool has_port = v6 ? address.find("]:") != std::string::npos : address.find(':') != std::string::npos;
  // Go's default ports are not written into the URL.
  std::string port = has_port ? "" : scheme == "https" ? ":443" : ":80";
  return StrCat(scheme, "://", address, port, labels.Get(kPath));
}

void AddOnce(std::string url, std::vector<std::string>* urls) {
  if (std::find(urls->begin(), urls->end(), url) == urls->end()) urls->push_back(std::move(url));
}

}  // namespace

AlertmanagerUrls ResolveUrls(const AlertmanagerConfig& config,
                             const std::vector<discovery::TargetGroup>& groups) {
  AlertmanagerUrls out;
  for (const discovery::TargetGroup& group : groups) {
    for (const Labels& target : group.targets) {
      LabelsBuilder labels(group.labels);
      labels.Set("__scheme__", config.scheme);
      labels.Set(kPath, AlertsPath(config.path_prefix));
      for (LabelView label : target) labels.Set(label.name, label.value);
      LabelsBuilder before = labels;
      if (!Relabel(config.relabel_configs, &labels)) {
        AddOnce(UrlOf(before), &out.dropped);
      } else if (!labels.Get("__address__").empty()) {
        AddOnce(UrlOf(labels), &out.active);
      }
    }
  }
  return out;
}

}  // namespace narthex::alerting
