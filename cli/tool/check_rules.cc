#include "cli/tool/check_rules.h"
#include "base/files.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/strings.h"
#include "cli/config.h"

namespace narthex::cli {
namespace {

using RuleKey = std::pair<std::string, Labels>;

// Rules that write (or raise) the same series, each once.
std::vector<RuleKey> Duplicates(const std::vector<rules::GroupSpec>& groups) {
  std::map<RuleKey, int> counts;
  for (const rules::GroupSpec& group : groups) {
    for (const rules::RuleSpec& rule : group.rules) {
      LabelsBuilder labels(Labels::FromPairs(group.labels));
      for (const auto& [name, value] : rule.labels) labels.Set(name, value);
      ++counts[{rule.name, labels.Build()}];
    }
  }
  std::vector<RuleKey> out;
  for (const auto& [key, count] : counts) {
    if (count > 1) out.push_back(key);
  }
  return out;
}

std::string DuplicatesText(const std::vector<RuleKey>& duplicates) {
  std::string out = StrCat("lint error ", duplicates.size(), " duplicate rule(s) found.\n");
  for (const auto& [name, labels] : duplicates) {
    StrAppend(&out, "Metric: ", name, "\nLabel(s):\n");
    for (LabelView label : labels) StrAppend(&out, "\t", label.name, ": ", label.value, "\n");
  }
  return out + "Might cause inconsistency while recording expressions";
}

CheckOutcome Failed(const std::string& message, bool lint) {
  std::fflush(stdout);
  std::fprintf(stderr, "  FAILED:\n%s\n", message.c_str());
  return {true, !lint};
}

}  // namespace

CheckOutcome CheckRuleText(const std::string& name, std::string_view text, const RuleCheck& check) {
  absl::StatusOr<std::vector<rules::GroupSpec>> groups =
      rules::ParseRuleFile(name, text, check.parser, check.ignore_unknown, check.names);
  if (!groups.ok()) return Failed(std::string(groups.status().message()), /*lint=*/false);
  if (check.duplicate_rules) {
    if (std::vector<RuleKey> found = Duplicates(*groups); !found.empty()) {
      CheckOutcome outcome = Failed(DuplicatesText(found), /*lint=*/true);
      std::printf("\n");
      return outcome;
    }
  }
  size_t count = 0;
  for (const rules::GroupSpec& group : *groups) count += group.rules.size();
  std::printf("  SUCCESS: %zu rules found\n\n", count);
  return {};
}

CheckOutcome CheckRuleFiles(const std::vector<std::string>& files, const RuleCheck& check) {
  CheckOutcome all;
  for (const std::string& file : files) {
    std::printf("Checking %s\n", file.c_str());
    absl::StatusOr<std::string> text = ReadFile(file);
    all.Add(text.ok() ? CheckRuleText(file, *text, check)
                      : Failed(StrCat(file, ": ", text.status().message()), /*lint=*/false));
  }
  return all;
}

}  // namespace narthex::cli
