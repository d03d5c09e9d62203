// Relabelling, shared by scrape targets, scraped series, alerts and remote write.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/regex.h"
#include "base/yaml.h"
#include "model/labels.h"

namespace narthex {

enum class RelabelAction {
  kReplace,
  kKeep,
  kDrop,
  kKeepEqual,
  kDropEqual,
  kHashMod,
  kLabelMap,
  kLabelDrop,
  kLabelKeep,
  kLowercase,
  kUppercase
};
enum class NameValidation { kUtf8, kLegacy };

struct RelabelConfig {
  std::vector<std::string> source_labels;
  std::string separator = ";";
  std::string regex_text = "(.*)";
  std::optional<Regex> regex;
  uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  RelabelAction action = RelabelAction::kReplace;
  NameValidation validation = NameValidation::kUtf8;
};

// A list of relabel_configs; errors carry "line N: " and Prometheus's words.
absl::StatusOr<std::vector<RelabelConfig>> ParseRelabelConfigs(const YamlNode& node,
                                                               NameValidation validation);
absl::Status ValidateRelabelConfig(const RelabelConfig& config);
std::string_view RelabelActionName(RelabelAction action);

// Applies the rules in order. False: dropped.
bool Relabel(const std::vector<RelabelConfig>& configs, LabelsBuilder* labels);

}  // namespace narthex
