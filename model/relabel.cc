#include "model/relabel.h"

#include <openssl/evp.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {
namespace {

constexpr std::pair<RelabelAction, std::string_view> kActions[] = {
    {RelabelAction::kReplace, "replace"},     {RelabelAction::kKeep, "keep"},
    {RelabelAction::kDrop, "drop"},           {RelabelAction::kKeepEqual, "keepequal"},
    {RelabelAction::kDropEqual, "dropequal"}, {RelabelAction::kHashMod, "hashmod"},
    {RelabelAction::kLabelMap, "labelmap"},   {RelabelAction::kLabelDrop, "labeldrop"},
    {RelabelAction::kLabelKeep, "labelkeep"}, {RelabelAction::kLowercase, "lowercase"},
    {RelabelAction::kUppercase, "uppercase"}};

bool IsValidLabelName(std::string_view name, NameValidation validation) {
  if (validation == NameValidation::kLegacy) return IsLegacyLabelName(name);
  return !name.empty() && IsValidUtf8(name);
}

// A legacy target label may hold references: ^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$
bool IsLegacyTargetTemplate(std::string_view text) {
  if (text.empty()) return false;
  bool start = true;
  for (size_t i = 0; i < text.size(); start = false) {
    char c = text[i];
    bool word = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
    if (word) {
      if (start && absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
      ++i;
      continue;
    }
    if (c != '$') return false;
    bool braced = i + 1 < text.size() && text[i + 1] == '{';
    size_t begin = i + (braced ? 2 : 1), end = begin;
    while (end < text.size() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_'))
      ++end;
    if (end == begin || (braced && (end == text.size() || text[end] != '}'))) return false;
    i = end + (braced ? 1 : 0);
  }
  return true;
}

bool IsValidTarget(std::string_view text, NameValidation validation) {
  return validation == NameValidation::kLegacy ? IsLegacyTargetTemplate(text)
                                               : IsValidLabelName(text, validation);
}

// The last 8 bytes of the MD5, big-endian: Prometheus's hashmod.
uint64_t HashForModulus(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr);
  uint64_t value = 0;
  for (int i = 8; i < 16; ++i) value = value << 8 | digest[i];
  return value;
}

std::string SourceValue(const RelabelConfig& config, const LabelsBuilder& labels) {
  std::string out;
  for (size_t i = 0; i < config.source_labels.size(); ++i) {
    if (i > 0) out += config.separator;
    out += labels.Get(config.source_labels[i]);
  }
  return out;
}

void Replace(const RelabelConfig& config, const std::string& value, LabelsBuilder* labels) {
  std::string target, result;
  if (!config.regex->Expand(value, config.target_label, &target)) return;
  if (!IsValidLabelName(target, config.validation)) return;
  if (!config.regex->Expand(value, config.replacement, &result)) return;
  labels->Set(target, result);
}

void MapLabels(const RelabelConfig& config, LabelsBuilder* labels) {
  std::vector<std::pair<std::string, std::string>> before = labels->pairs();
  for (const auto& [name, value] : before) {
    std::string target;
    if (config.regex->Expand(name, config.replacement, &target)) labels->Set(target, value);
  }
}

void FilterLabels(const RelabelConfig& config, bool drop_matching, LabelsBuilder* labels) {
  std::vector<std::pair<std::string, std::string>> before = labels->pairs();
  for (const auto& [name, value] : before) {
    if (config.regex->Matches(name) == drop_matching) labels->Del(name);
  }
}

bool Apply(const RelabelConfig& config, LabelsBuilder* labels) {
  std::string value = SourceValue(config, *labels);
  switch (config.action) {
    case RelabelAction::kReplace:
      Replace(config, value, labels);
      return true;
    case RelabelAction::kKeep:
      return config.regex->Matches(value);
    case RelabelAction::kDrop:
      return !config.regex->Matches(value);
    case RelabelAction::kKeepEqual:
      return labels->Get(config.target_label) == value;
    case RelabelAction::kDropEqual:
      return labels->Get(config.target_label) != value;
    case RelabelAction::kHashMod:
      labels->Set(config.target_label, absl::StrCat(HashForModulus(value) % config.modulus));
      return true;
    case RelabelAction::kLabelMap:
      MapLabels(config, labels);
      return true;
    case RelabelAction::kLabelDrop:
      FilterLabels(config, true, labels);
      return true;
    case RelabelAction::kLabelKeep:
      FilterLabels(config, false, labels);
      return true;
    case RelabelAction::kLowercase:
      labels->Set(config.target_label, absl::AsciiStrToLower(value));
      return true;
    case RelabelAction::kUppercase:
      labels->Set(config.target_label, absl::AsciiStrToUpper(value));
      return true;
  }
  return true;
}

absl::StatusOr<RelabelConfig> ParseOne(const YamlNode& node, NameValidation validation) {
  YamlMap map(node, "relabel.plain");
  RelabelConfig config;
  config.validation = validation;
  map.Get("source_labels", &config.source_labels);
  map.Get("separator", &config.separator);
  map.Get("modulus", &config.modulus);
  map.Get("target_label", &config.target_label);
  map.Get("replacement", &config.replacement);
  map.Get("regex", &config.regex_text);
  std::string action = "replace";
  if (const YamlNode* given = node.IsMapping() ? node.Find("action") : nullptr; given && given->IsNull()) {
    return absl::InvalidArgumentError("relabel action cannot be empty");
  }
  map.Get("action", &action);
  action = absl::AsciiStrToLower(action);
  auto it = std::find_if(std::begin(kActions), std::end(kActions),
                         [&](const auto& row) { return row.second == action; });
  if (it == std::end(kActions)) {
    return absl::InvalidArgumentError(StrCat("unknown relabel action ", GoQuote(action)));
  }
  config.action = it->first;
  RETURN_IF_ERROR(map.Finish());
  for (const std::string& label : config.source_labels) {
    if (label.empty() || !IsValidUtf8(label))
      return absl::InvalidArgumentError(StrCat(GoQuote(label), " is not a valid label name"));
  }
  ASSIGN_OR_RETURN(config.regex, Regex::Compile(config.regex_text));
  RETURN_IF_ERROR(ValidateRelabelConfig(config));
  return config;
}

}  // namespace

std::string_view RelabelActionName(RelabelAction action) {
  for (const auto& [value, name] : kActions) {
    if (value == action) return name;
  }
  return "";
}

absl::StatusOr<std::vector<RelabelConfig>> ParseRelabelConfigs(const YamlNode& node,
                                                               NameValidation validation) {
  std::vector<RelabelConfig> out;
  if (node.IsNull()) return out;
  if (!node.IsSequence()) {
    return absl::InvalidArgumentError(StrCat("yaml: unmarshal errors:\n  line ", node.line(),
                                             ": cannot unmarshal relabel configs: not a list"));
  }
  for (const YamlNode& item : node.items()) {
    if (item.IsNull()) {
      return absl::InvalidArgumentError("empty or null relabel config");
    }
    absl::StatusOr<RelabelConfig> config = ParseOne(item, validation);
    if (!config.ok()) {
      std::string message(config.status().message());
      if (message.starts_with("yaml: ")) return config.status();
      return absl::InvalidArgumentError(StrCat("line ", item.line(), ": ", message));
    }
    out.push_back(*std::move(config));
  }
  return out;
}

absl::Status ValidateRelabelConfig(const RelabelConfig& config) {
  using A = RelabelAction;
  std::string_view name = RelabelActionName(config.action);
  auto error = [](std::string text) { return absl::InvalidArgumentError(std::move(text)); };
  if (config.modulus == 0 && config.action == A::kHashMod) {
    return error("relabel configuration for hashmod requires non-zero modulus");
  }
  bool needs_target = config.action == A::kReplace || config.action == A::kHashMod ||
                      config.action == A::kLowercase || config.action == A::kUppercase ||
                      config.action == A::kKeepEqual || config.action == A::kDropEqual;
  if (needs_target && config.target_label.empty()) {
    return error(StrCat("relabel configuration for ", name, " action requires 'target_label' value"));
  }
  auto bad_target = [&] {
    return error(StrCat(GoQuote(config.target_label), " is invalid 'target_label' for ", name, " action"));
  };
  bool has_reference = config.target_label.find('$') != std::string::npos;
  if (config.action == A::kReplace && !has_reference &&
      !IsValidLabelName(config.target_label, config.validation)) {
    return bad_target();
  }
  if (config.action == A::kReplace && has_reference &&
      !IsValidTarget(config.target_label, config.validation)) {
    return bad_target();
  }
  bool plain_target = config.action == A::kLowercase || config.action == A::kUppercase ||
                      config.action == A::kKeepEqual || config.action == A::kDropEqual ||
                      config.action == A::kHashMod;
  if ((config.action == A::kLowercase || config.action == A::kUppercase || config.action == A::kKeepEqual ||
       config.action == A::kDropEqual) &&
      config.replacement != "$1" && !config.replacement.empty()) {
    return error(StrCat("'replacement' can not be set for ", name, " action"));
  }
  if (config.action == A::kLabelMap && !IsValidTarget(config.replacement, config.validation)) {
    return error(StrCat(GoQuote(config.replacement), " is invalid 'replacement' for ", name, " action"));
  }
  if (plain_target && !IsValidLabelName(config.target_label, config.validation)) return bad_target();
  bool other_fields = config.modulus != 0 || !config.target_label.empty() || !config.source_labels.empty() ||
                      config.separator != ";" || config.replacement != "$1";
  bool regex_given = config.regex_text != "(.*)" && !config.regex_text.empty();
  if (config.action == A::kDropEqual || config.action == A::kKeepEqual) {
    if (regex_given || config.modulus != 0 || (config.separator != ";" && !config.separator.empty()) ||
        (config.replacement != "$1" && !config.replacement.empty())) {
      return error(
          StrCat(name, " action requires only 'source_labels' and `target_label`, and no other fields"));
    }
  }
  if ((config.action == A::kLabelDrop || config.action == A::kLabelKeep) && other_fields &&
      (!config.source_labels.empty() || !config.target_label.empty() || config.modulus != 0 ||
       (config.separator != ";" && !config.separator.empty()) ||
       (config.replacement != "$1" && !config.replacement.empty()))) {
    return error(StrCat(name, " action requires only 'regex', and no other fields"));
  }
  return absl::OkStatus();
}

bool Relabel(const std::vector<RelabelConfig>& configs, LabelsBuilder* labels) {
  for (const RelabelConfig& config : configs) {
    if (!Apply(config, labels)) return false;
  }
  return true;
}

}  // namespace narthex
