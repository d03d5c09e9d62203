// From discovered targets to the URLs that alerts are posted to.
#pragma once

#include <string>
#include <vector>

#include "alerting/alerting.h"

namespace narthex::alerting {

struct AlertmanagerUrls {
  std::vector<std::string> active, dropped;  // each URL once
};
AlertmanagerUrls ResolveUrls(const AlertmanagerConfig& config,
                             const std::vector<discovery::TargetGroup>& groups);

}  // namespace narthex::alerting
