// One target file: a list of {targets: [...], labels: {...}} in YAML, of which JSON is a part.
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "discovery/discovery.h"

namespace narthex::discovery {

absl::StatusOr<std::vector<TargetGroup>> ParseTargetFile(const std::string& path, std::string_view text) {
  ASSIGN_OR_RETURN(YamlNode root, YamlNode::Parse(text));
  std::vector<TargetGroup> groups;
  if (root.IsNull()) return groups;
  if (!root.IsSequence()) {
    return absl::InvalidArgumentError(StrCat(path, ": yaml: unmarshal errors:\n  line ", root.line(),
                                             ": cannot unmarshal into []*targetgroup.Group"));
  }
  for (const YamlNode& item : root.items()) {
    if (item.IsNull())
      return absl::InvalidArgumentError(
          StrCat(path, ": nil target group item found (index ", groups.size(), ")"));
    YamlMap map(item,
                "struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet "
                "\"yaml:\\\"labels\\\"\" }");
    std::vector<std::string> targets;
    std::vector<std::pair<std::string, std::string>> labels;
    map.Get("targets", &targets);
    map.Get("labels", &labels);
    if (absl::Status s = map.Finish(); !s.ok()) {
      return absl::InvalidArgumentError(StrCat(path, ": ", std::string(s.message())));
    }
    for (const auto& [name, value] : labels) {
      if (name.empty() || !IsValidUtf8(name)) {
        return absl::InvalidArgumentError(StrCat(path, ": ", GoQuote(name), " is not a valid label name"));
      }
      if (!IsValidUtf8(value)) {
        return absl::InvalidArgumentError(StrCat(path, ": ", GoQuote(value), " is not a valid label value"));
      }
    }
    TargetGroup group;
    group.source = StrCat(path, ":", groups.size());
    labels.emplace_back("__meta_filepath", path);
    group.labels = Labels::FromPairs(std::move(labels));
    for (const std::string& target : targets) group.targets.push_back(Labels({{"__address__", target}}));
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace narthex::discovery
