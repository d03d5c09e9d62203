// Rule files: YAML to GroupSpec, with upstream's errors.
#include <algorithm>
#include <set>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "rules/rules.h"
#include "template/template.h"

namespace narthex::rules {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string At(const YamlNode& node) { return StrCat(node.line(), ":", node.column(), ": "); }

// Collects the problems of one file.
class FileParser {
 public:
  FileParser(const std::string& path, const promql::ParserOptions& parser, bool ignore_unknown,
             NameValidation names)
      : path_(path),
        parser_(parser),
        ignore_unknown_(ignore_unknown),
        legacy_(names == NameValidation::kLegacy) {}

  absl::StatusOr<std::vector<GroupSpec>> Parse(std::string_view text) {
    absl::StatusOr<YamlNode> root = YamlNode::Parse(text);
    if (!root.ok()) return InFile(root.status().message());
    YamlMap map(*root, "rulefmt.RuleGroups");
    const YamlNode* groups = map.Child("groups");
    std::vector<GroupSpec> out;
    if (groups != nullptr && !groups->IsSequence()) {
      AddYamlErrors(CheckList(*groups, "[]rulefmt.RuleGroup"));
    } else if (groups != nullptr) {
      for (const YamlNode& node : groups->items()) {
        if (!node.IsNull()) ReadGroup(node, &out);
      }
    }
    AddYamlErrors(map.Finish(ignore_unknown_));
    if (!alone_.empty()) return InFile(alone_);
    if (!yaml_errors_.empty()) return InFile(StrCat("yaml: unmarshal errors:", yaml_errors_));
    if (errors_.empty()) return out;
    std::string all;
    for (const std::string& error : errors_) StrAppend(&all, all.empty() ? "" : "\n", path_, ": ", error);
    return absl::InvalidArgumentError(all);
  }

 private:
  template <typename Text>
  absl::Status InFile(Text message) const {
    return absl::InvalidArgumentError(StrCat(path_, ": ", message));
  }

  // The lines of several mappings become one list.
  void AddYamlErrors(const absl::Status& status) {
    if (status.ok()) return;
    std::string message(status.message());
    if (!message.starts_with("yaml: unmarshal errors:")) {
      if (alone_.empty()) alone_ = message;
      return;
    }
    yaml_errors_ += message.substr(message.find('\n'));
  }

  static absl::Status CheckList(const YamlNode& node, std::string_view type) {
    if (node.IsSequence()) return absl::OkStatus();
    if (!node.IsMapping()) return YamlMap(node, type).Finish();
    return absl::InvalidArgumentError(
        StrCat("yaml: unmarshal errors:\n  line ", node.line(), ": cannot unmarshal !!map into ", type));
  }

  void ReadGroup(const YamlNode& node, std::vector<GroupSpec>* out) {
    YamlMap map(node, "rulefmt.RuleGroup");
    GroupSpec group;
    group.file = path_;
    map.Get("name", &group.name);
    map.GetDuration("interval", &group.interval_ms);
    map.Get("limit", &group.limit);
    map.Get("labels", &group.labels);
    if (map.Has("query_offset")) {
      int64_t offset = 0;
      map.GetDuration("query_offset", &offset);
      group.query_offset_ms = offset;
    }
    const YamlNode* rules = map.Child("rules");
    AddYamlErrors(map.Finish(ignore_unknown_));
    const YamlNode* name = node.IsMapping() ? node.Find("name") : nullptr;
    const YamlNode& where = name != nullptr ? *name : node;
    if (group.name.empty()) errors_.push_back(StrCat(At(where), "Groupname must not be empty"));
    if (!group.name.empty() && !names_.insert(group.name).second) {
      errors_.push_back(
          StrCat(At(where), "groupname: ", GoQuote(group.name), " is repeated in the same file"));
    }
    for (const auto& [label, value] : group.labels)
      CheckLabel(label, value, StrCat(At(where), "group ", GoQuote(group.name), ", "));
    if (rules != nullptr) AddYamlErrors(CheckList(*rules, "[]rulefmt.Rule"));
    if (rules != nullptr) {
      for (const YamlNode& rule : rules->items()) {
        if (!rule.IsNull()) ReadRule(rule, &group);
      }
    }
    out->push_back(std::move(group));
  }

  void ReadRule(const YamlNode& node, GroupSpec* group) {
    YamlMap map(node, "rulefmt.Rule");
    RuleSpec rule;
    std::string record, alert;
    rule.line = node.line();
    map.Get("record", &record);
    map.Get("alert", &alert);
    map.Get("expr", &rule.expr);
    map.GetDuration("for", &rule.for_ms);
    map.GetDuration("keep_firing_for", &rule.keep_firing_for_ms);
    map.Get("labels", &rule.labels);
    map.Get("annotations", &rule.annotations);
    AddYamlErrors(map.Finish(ignore_unknown_));
    rule.alerting = !alert.empty();
    rule.name = rule.alerting ? alert : record;
    size_t number = group->rules.size() + 1;
    auto fail = [&](const char* key, std::string message, const YamlNode* second = nullptr) {
      const YamlNode* at = node.IsMapping() ? node.Find(key) : nullptr;
      errors_.push_back(StrCat(At(at != nullptr ? *at : node), second != nullptr ? At(*second) : "", "group ",
                               GoQuote(group->name), ", rule ", number, ", ", GoQuote(rule.name), ": ",
                               message));
    };
    if (!record.empty() && !alert.empty()) {
      fail("record", "only one of 'record' and 'alert' must be set", node.Find("alert"));
    }
    if (record.empty() && alert.empty()) fail("record", "one of 'record' or 'alert' must be set");
    ParseExpression(&rule, fail);
    if (!record.empty()) CheckRecording(rule, fail);
    std::string where =
        StrCat(At(node), "group ", GoQuote(group->name), ", rule ", number, ", ", GoQuote(rule.name), ": ");
    for (const auto& [label, value] : rule.labels) CheckLabel(label, value, where);
    for (const auto& [name, text] : rule.annotations) {
      if (!IsName(name, /*colon=*/false)) errors_.push_back(StrCat(where, "invalid annotation name: ", name));
    }
    if (rule.alerting) CheckTemplates(rule, where);
    group->rules.push_back(std::move(rule));
  }

  template <typename Fail>
  void ParseExpression(RuleSpec* rule, const Fail& fail) {
    if (rule->expr.empty()) return fail("expr", "field 'expr' must be set in rule");
    absl::StatusOr<promql::ExprPtr> tree = promql::ParseExpr(rule->expr, parser_);
    if (!tree.ok()) {
      return fail("expr", StrCat("could not parse expression: ", std::string(tree.status().message())));
    }
    rule->tree = *std::move(tree);
  }

  template <typename Fail>
  void CheckRecording(const RuleSpec& rule, const Fail& fail) {
    if (!rule.annotations.empty()) fail("record", "invalid field 'annotations' in recording rule");
    if (rule.for_ms != 0) fail("record", "invalid field 'for' in recording rule");
    if (rule.keep_firing_for_ms != 0) fail("record", "invalid field 'keep_firing_for' in recording rule");
    if (!IsName(rule.name, /*colon=*/true))
      fail("record", StrCat("invalid recording rule name: ", rule.name));
    if (rule.name.find_first_of("{}") != std::string::npos) {
      fail("record", StrCat("braces present in the recording rule name; should it be in expr?: ", rule.name));
    }
  }

  // A label or annotation; with `colon`, a metric.
  bool IsName(std::string_view name, bool colon) const {
    if (!legacy_) return !name.empty() && IsValidUtf8(name);
    auto plain = [colon](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
    };
    return !name.empty() && plain(name[0]) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || (c >= '0' && c <= '9'); });
  }

  void CheckLabel(const std::string& name, const std::string& value, const std::string& where) {
    if (!IsName(name, /*colon=*/false) || name == kMetricName) {
      errors_.push_back(StrCat(where, "invalid label name: ", name));
    }
    if (!IsValidUtf8(value)) errors_.push_back(StrCat(where, "invalid label value: ", value));
  }

  void CheckTemplates(const RuleSpec& rule, const std::string& where) {
    for (const auto& [kind, pairs] :
         {std::pair<const char*, const Pairs*>{"label", &rule.labels}, {"annotation", &rule.annotations}}) {
      for (const auto& [name, text] : *pairs) {
        absl::Status status = tmpl::CheckAlertText(text, StrCat("__alert_", rule.name));
        if (!status.ok()) {
          errors_.push_back(StrCat(where, kind, " ", GoQuote(name), ": ", std::string(status.message())));
        }
      }
    }
  }

  const std::string& path_;
  const promql::ParserOptions& parser_;
  const bool ignore_unknown_, legacy_;
  std::set<std::string> names_;
  std::vector<std::string> errors_;
  std::string yaml_errors_, alone_;  // what the YAML library says; an error without a line
};

}  // namespace

absl::StatusOr<std::vector<GroupSpec>> ParseRuleFile(const std::string& path, std::string_view text,
                                                     const promql::ParserOptions& parser, bool ignore_unknown,
                                                     NameValidation names) {
  return FileParser(path, parser, ignore_unknown, names).Parse(text);
}

}  // namespace narthex::rules
