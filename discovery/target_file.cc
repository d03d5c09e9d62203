// One target file: a list of {targets: [...], labels: {...}} in YAML, of which JSON is a part.
#include <filesystem>

#include "absl/strings/ascii.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "discovery/discovery.h"
#include "discovery/target_groups.h"

namespace narthex::discovery {

absl::StatusOr<std::vector<TargetGroup>> ParseTargetGroups(const std::string& source, std::string_view text) {
  absl::StatusOr<YamlNode> root = YamlNode::Parse(text);
  if (!root.ok()) return absl::InvalidArgumentError(StrCat(source, ": ", root.status().message()));
  std::vector<TargetGroup> groups;
  if (root->IsNull()) return groups;
  if (!root->IsSequence()) {
    return absl::InvalidArgumentError(StrCat(source, ": yaml: unmarshal errors:\n  line ", root->line(),
                                             ": cannot unmarshal into []*targetgroup.Group"));
  }
  for (const YamlNode& item : root->items()) {
    if (item.IsNull())
      return absl::InvalidArgumentError(
          StrCat(source, ": nil target group item found (index ", groups.size(), ")"));
    YamlMap map(item,
                "struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet "
                "\"yaml:\\\"labels\\\"\" }");
    std::vector<std::string> targets;
    std::vector<std::pair<std::string, std::string>> labels;
    map.Get("targets", &targets);
    map.Get("labels", &labels);
    if (absl::Status s = map.Finish(); !s.ok()) {
      return absl::InvalidArgumentError(StrCat(source, ": ", std::string(s.message())));
    }
    for (const auto& [name, value] : labels) {
      if (name.empty() || !IsValidUtf8(name)) {
        return absl::InvalidArgumentError(StrCat(source, ": ", GoQuote(name), " is not a valid label name"));
      }
      if (!IsValidUtf8(value)) {
        return absl::InvalidArgumentError(
            StrCat(source, ": ", GoQuote(value), " is not a valid label value"));
      }
    }
    TargetGroup group;
    group.source = StrCat(source, ":", groups.size());
    group.labels = Labels::FromPairs(std::move(labels));
    for (const std::string& target : targets) group.targets.push_back(Labels({{"__address__", target}}));
    groups.push_back(std::move(group));
  }
  return groups;
}

absl::StatusOr<std::vector<TargetGroup>> ParseTargetFile(const std::string& path, std::string_view text) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::string lower = absl::AsciiStrToLower(extension);
  if (lower != ".json" && lower != ".yml" && lower != ".yaml") {
    return absl::InvalidArgumentError(StrCat(path, ": invalid file extension: ", GoQuote(extension)));
  }
  ASSIGN_OR_RETURN(std::vector<TargetGroup> groups, ParseTargetGroups(path, text));
  for (TargetGroup& group : groups)
    group.labels = LabelsBuilder(group.labels).Set("__meta_filepath", path).Build();
  return groups;
}

}  // namespace narthex::discovery
