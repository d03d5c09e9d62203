#include "alerting/alertmanager.h"

#include <algorithm>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::alerting {
namespace {

constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kPath = "__alerts_path__";

bool IsPlainPathByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.~$&+,/:;=@!'()*").find(c) != std::string_view::npos;
}

std::string Url(const LabelsBuilder& labels) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string url = StrCat(labels.Get(kScheme), "://", labels.Get(kAddress));
  std::string_view path = labels.Get(kPath);
  if (!path.empty() && path[0] != '/') url += '/';
  for (char c : path) {
    if (IsPlainPathByte(c)) {
      url += c;
    } else {
      const unsigned char u = static_cast<unsigned char>(c);
      url += {'%', kHex[u >> 4], kHex[u & 15]};
    }
  }
  return url;
}

LabelsBuilder Discovered(const Labels& target, const Labels& group, const AlertmanagerConfig& config) {
  LabelsBuilder labels(target);
  labels.Set(kScheme, config.scheme).Set(kPath, AlertsPath(config.path_prefix));
  for (LabelView label : group) {
    if (!target.Has(label.name)) labels.Set(label.name, label.value);
  }
  return labels;
}

// An error: the group has a target without a valid address.
absl::Status ResolveGroup(const discovery::TargetGroup& group, const AlertmanagerConfig& config,
                          ResolvedAlertmanagers* out) {
  for (const Labels& target : group.targets) {
    LabelsBuilder labels = Discovered(target, group.labels, config);
    const std::string before = Url(labels);
    if (!Relabel(config.relabel_configs, &labels)) {
      out->dropped.push_back(before);
      continue;
    }
    std::string_view address = labels.Get(kAddress);
    if (address.find('/') != std::string_view::npos) {
      return absl::InvalidArgumentError(StrCat(GoQuote(address), " is not a valid hostname"));
    }
    out->active.push_back(Url(labels));
  }
  return absl::OkStatus();
}

}  // namespace

std::string AlertsPath(std::string_view prefix) {
  std::vector<std::string_view> parts;
  while (!prefix.empty()) {
    const size_t slash = std::min(prefix.find('/'), prefix.size());
    std::string_view part = prefix.substr(0, slash);
    prefix.remove_prefix(std::min(slash + 1, prefix.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string path;
  for (std::string_view part : parts) StrAppend(&path, "/", part);
  return StrCat(path, "/api/v2/alerts");
}

ResolvedAlertmanagers Resolve(const std::vector<discovery::TargetGroup>& groups,
                              const AlertmanagerConfig& config, const Logger* logger) {
  ResolvedAlertmanagers all;
  for (const discovery::TargetGroup& group : groups) {
    all.discovered += static_cast<int>(group.targets.size());
    ResolvedAlertmanagers found;
    if (absl::Status status = ResolveGroup(group, config, &found); !status.ok()) {
      logger->Error("Creating discovered Alertmanagers failed", {{"err", std::string(status.message())}});
      continue;
    }
    for (std::string& url : found.active) {
      if (std::find(all.active.begin(), all.active.end(), url) == all.active.end()) {
        all.active.push_back(std::move(url));
      }
    }
    all.dropped.insert(all.dropped.end(), found.dropped.begin(), found.dropped.end());
  }
  return all;
}

absl::Status CheckTargets(const std::vector<discovery::TargetGroup>& groups,
                          const AlertmanagerConfig& config) {
  for (const discovery::TargetGroup& group : groups) {
    ResolvedAlertmanagers found;
    RETURN_IF_ERROR(ResolveGroup(group, config, &found));
  }
  return absl::OkStatus();
}

}  // namespace narthex::alerting
