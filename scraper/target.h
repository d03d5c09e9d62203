// One thing to scrape: from discovered labels to URL, interval and the labels that its series get.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/labels.h"
#include "scraper/scraper.h"

namespace narthex::scraper {

// Immutable once made.
struct Target {
  Labels discovered;     // before relabelling
  Labels labels;         // after it, without __meta_*
  Labels public_labels;  // of these, the ones that series get (no __ names)
  Labels key;            // identity: labels without interval and timeout, which a reload may change
  std::string url;
  int64_t interval_ms = 0, timeout_ms = 0;
  uint64_t hash = 0;
};

// The labels that a discovered target has before relabelling.
Labels DiscoveredLabels(const Labels& target, const Labels& group, const ScrapeConfig& config);
// nullopt: dropped by relabelling. Errors are Prometheus's ("no address", ...).
absl::StatusOr<std::optional<Target>> MakeTarget(const Labels& discovered, const ScrapeConfig& config);

// Targets are scraped in slots that lie so far apart: those of one slot together cost one wake-up instead of
// one each, and find the caches warm.
inline constexpr int64_t kSlotNs = 500'000'000;
inline constexpr int64_t kMinSlots = 10;  // of an interval
// How long until the target's next slot: targets are spread over the slots of the interval by hash, and these
// are pinned to wall-clock time, so that a restart does not move them.
int64_t FirstScrapeDelayNs(const Target& target, int64_t wall_now_ns, uint64_t seed);

uint64_t Fnv64(std::string_view text);

}  // namespace narthex::scraper
