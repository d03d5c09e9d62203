// The effective scrape section as /api/v1/status/config shows it.
#pragma once

#include <string>

#include "scraper/scraper.h"

namespace narthex::scraper {

// `section` is the node that the config was read from: discovery and relabelling are printed from it, with
// secrets hidden.
std::string DumpScrapeConfig(const ScrapeConfig& config, const YamlNode& section);

}  // namespace narthex::scraper
