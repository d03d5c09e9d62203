// narthex check service-discovery CONFIG JOB: what a job discovers, before and after relabelling, as JSON.
#include <cstdio>
#include <set>

#include "absl/time/clock.h"
#include "base/json_writer.h"
#include "base/strings.h"
#include "cli/config.h"
#include "cli/tool/check.h"
#include "cli/tool/tool_flags.h"

namespace narthex::cli {
namespace {

// One level of promtool's indented JSON.
void AppendLabels(const char* key, const Labels& labels, std::string* out) {
  StrAppend(out, "    \"", key, "\": {");
  bool first = true;
  for (LabelView label : labels) {
    JsonWriter name, value;
    name.String(label.name);
    value.String(label.value);
    StrAppend(out, first ? "\n      " : ",\n      ", name.Take(), ": ", value.Take());
    first = false;
  }
  StrAppend(out, first ? "}" : "\n    }");
}

std::string TargetsJson(const std::vector<scraper::ResolvedTarget>& targets) {
  std::string out = "[";
  std::set<std::pair<Labels, Labels>> seen;
  for (const scraper::ResolvedTarget& target : targets) {
    if (!seen.insert({target.discovered, target.labels}).second) continue;
    StrAppend(&out, seen.size() == 1 ? "\n  {\n" : ",\n  {\n");
    AppendLabels("discoveredLabels", target.discovered, &out);
    out += ",\n";
    AppendLabels("labels", target.labels, &out);
    if (!target.error.ok()) {
      JsonWriter error;
      error.String(std::string(target.error.message()));
      StrAppend(&out, ",\n    \"error\": ", error.Take());
    }
    out += "\n  }";
  }
  return out + (seen.empty() ? "]" : "\n]");
}

// Asks until there is an answer or the time is over.
std::vector<discovery::TargetGroup> Discover(const scraper::ScrapeConfig& job, int64_t timeout_ms) {
  HttpClient http;
  Logger logger(LogLevel::kWarn, LogFormat::kLogfmt, &SystemClock());
  std::unique_ptr<discovery::Watcher> watcher =
      discovery::Watcher::Create(job.discovery, &http, &SystemClock(), &logger);
  const int64_t end_ns = SystemClock().MonotonicNs() + timeout_ms * 1'000'000;
  while (true) {
    std::vector<discovery::TargetGroup> groups = watcher->Current();
    if (!groups.empty() || SystemClock().MonotonicNs() >= end_ns) return groups;
    absl::SleepFor(absl::Milliseconds(100));
  }
}

}  // namespace

int RunCheckServiceDiscovery(const std::vector<std::string>& args) {
  ToolFlags flags("check service-discovery [<flags>] <config-file> <job>");
  int64_t timeout_ms = 30'000, lookback_ms = 0;
  flags.AddDuration("timeout", "The time to wait for discovery results.", &timeout_ms);
  flags.AddDuration("query.lookback-delta", "Of no effect here.", &lookback_ms);
  std::vector<std::string> positional;
  if (std::optional<int> status = flags.Parse(args, &positional)) return *status;
  if (positional.empty()) return UsageError("required argument 'config-file' not provided");
  if (positional.size() < 2) return UsageError("required argument 'job' not provided");
  if (std::optional<int> status = CheckExist({positional[0]})) return *status;
  absl::StatusOr<LoadedConfig> config = LoadConfig(positional[0]);
  if (!config.ok()) {
    std::fprintf(stderr, "Cannot load config %s\n", std::string(config.status().message()).c_str());
    return 1;
  }
  for (const scraper::ScrapeConfig& job : config->scrape_configs) {
    if (job.job_name != positional[1]) continue;
    std::printf("%s", TargetsJson(scraper::ResolveTargets(Discover(job, timeout_ms), job)).c_str());
    return 0;
  }
  std::fprintf(stderr, "Job %s not found. Select one of:\n", positional[1].c_str());
  for (const scraper::ScrapeConfig& job : config->scrape_configs) {
    std::fprintf(stderr, "\t%s\n", job.job_name.c_str());
  }
  return 1;
}

}  // namespace narthex::cli
