// Templates in the labels and annotations of alerts.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "rules/rules.h"

namespace narthex::rules {

// What a template sees of the sample that raised the alert.
struct AlertTextData {
  std::string rule_name;
  Labels labels;
  double value = 0;
  int64_t t_ms = 0;
};

// Expands `text`; its `query` function asks the rules' own engine at the time of the evaluation.
absl::StatusOr<std::string> ExpandAlertText(
    std::string_view text, const AlertTextData& data, const ManagerOptions& options,
    const std::vector<std::pair<std::string, std::string>>& external_labels);

}  // namespace narthex::rules
