// From discovered targets to the URLs that alerts are posted to.
#pragma once

#include <string>
#include <vector>

#include "alerting/alerting.h"

namespace narthex::alerting {

struct ResolvedAlertmanagers {
  std::vector<std::string> active;   // without duplicates, in the order of discovery
  std::vector<std::string> dropped;  // by relabelling; as they were before it
  int discovered = 0;
};

// A group with a target that has no valid address after relabelling is skipped, as upstream does.
ResolvedAlertmanagers Resolve(const std::vector<discovery::TargetGroup>& groups,
                              const AlertmanagerConfig& config, const Logger* logger);

// "/" + prefix + "/api/v2/alerts" in the shortest form (no "//", "." or "..").
std::string AlertsPath(std::string_view prefix);

}  // namespace narthex::alerting
