// Good practice for metric names, as `promtool check metrics` knows it.
#pragma once

#include <string>
#include <vector>

#include "scraper/scraper.h"

namespace narthex::cli {

struct MetricProblem {
  std::string metric, text;
};

// Sorted by metric, then text.
std::vector<MetricProblem> LintMetrics(const std::vector<scraper::ExposedFamily>& families);

}  // namespace narthex::cli
