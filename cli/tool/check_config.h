// Checking of configuration files: `check config`.
#pragma once

#include <string>
#include <vector>

#include "cli/tool/check_rules.h"

namespace narthex::cli {

struct ConfigCheck {
  bool syntax_only = false;  // no other file is looked at
  bool agent_mode = false;
  int64_t max_scrape_interval_ms = 0;  // a lint: scrape intervals as long as this, or longer; 0 = any
  RuleCheck rules;
};

// Prints what promtool prints.
CheckOutcome CheckConfigFiles(const std::vector<std::string>& files, const ConfigCheck& check);

}  // namespace narthex::cli
