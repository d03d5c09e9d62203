// Targets without scraping: what relabelling makes of them.
#include "base/strings.h"
#include "scraper/scraper.h"
#include "scraper/target.h"

namespace narthex::scraper {

std::vector<ResolvedTarget> ResolveTargets(const std::vector<discovery::TargetGroup>& groups,
                                           const ScrapeConfig& config) {
  std::vector<ResolvedTarget> out;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (size_t i = 0; i < groups[g].targets.size(); ++i) {
      ResolvedTarget resolved;
      resolved.discovered = DiscoveredLabels(groups[g].targets[i], groups[g].labels, config);
      absl::StatusOr<std::optional<Target>> target = MakeTarget(resolved.discovered, config);
      if (!target.ok()) {
        std::string source = groups[g].source.empty() ? StrCat(g) : groups[g].source;
        resolved.error = absl::Status(target.status().code(), StrCat("instance ", i, " in group ", source,
                                                                     ": ", target.status().message()));
      } else if (*target) {
        resolved.labels = (*target)->labels;
      }
      out.push_back(std::move(resolved));
    }
  }
  return out;
}

}  // namespace narthex::scraper
