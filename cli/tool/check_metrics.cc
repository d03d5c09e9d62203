// narthex check metrics: lints an exposition from standard input.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>

#include "base/strings.h"
#include "cli/tool/check.h"
#include "cli/tool/metric_lint.h"
#include "cli/tool/tool_flags.h"

namespace narthex::cli {
namespace {

void PrintCardinality(std::vector<scraper::ExposedFamily> families) {
  std::stable_sort(families.begin(), families.end(),
                   [](const auto& a, const auto& b) { return a.series > b.series; });
  int64_t total = 0;
  size_t width = 6, digits = 11;
  for (const scraper::ExposedFamily& family : families) {
    total += family.series;
    width = std::max(width, family.name.size());
    digits = std::max(digits, StrCat(family.series).size());
  }
  const int columns[] = {static_cast<int>(width + 4), static_cast<int>(digits + 4), 14};
  auto line = [&columns](const std::string& name, const std::string& count, const std::string& share) {
    std::printf("%-*s%-*s%-*s\n", columns[0], name.c_str(), columns[1], count.c_str(), columns[2],
                share.c_str());
  };
  line("Metric", "Cardinality", "Percentage");
  for (const scraper::ExposedFamily& family : families) {
    char share[32];
    std::snprintf(share, sizeof share, "%.2f%%",
                  100 * static_cast<double>(family.series) / static_cast<double>(total));
    line(family.name, StrCat(family.series), share);
  }
  line("Total", StrCat(total), "100%");
}

}  // namespace

int RunCheckMetrics(const std::vector<std::string>& args) {
  ToolFlags flags("check metrics [<flags>]  (reads standard input)");
  bool extended = false;
  std::string lint = "all";
  int64_t lookback_ms = 0;
  flags.Add("extended", "Print extended information related to the cardinality of the metrics.", &extended);
  flags.Add("lint", "Linting checks: all, none.", &lint);
  flags.AddDuration("query.lookback-delta", "Of no effect here.", &lookback_ms);
  std::vector<std::string> positional;
  if (std::optional<int> status = flags.Parse(args, &positional)) return *status;
  if (!positional.empty()) return UsageError(StrCat("unexpected ", positional[0]));
  if (lint != "all" && lint != "none") return UsageError(StrCat("invalid lint option ", lint));
  if (lint == "none" && !extended) {
    std::fprintf(stderr, "at least one of --lint=all or --extended must be given\n");
    return 1;
  }
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  absl::StatusOr<std::vector<scraper::ExposedFamily>> families =
      scraper::ReadExposedFamilies(std::move(text));
  if (!families.ok()) {
    std::fprintf(stderr, "error while linting: %s\n", std::string(families.status().message()).c_str());
    return 1;
  }
  std::vector<MetricProblem> problems;
  if (lint == "all") problems = LintMetrics(*families);
  for (const MetricProblem& problem : problems) {
    std::fprintf(stderr, "%s %s\n", problem.metric.c_str(), problem.text.c_str());
  }
  if (extended) PrintCardinality(*std::move(families));
  return problems.empty() ? 0 : 3;
}

}  // namespace narthex::cli
