#include "cli/tool/rule_test_file.h"
#include "base/files.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "cli/config.h"
#include "rules/rules.h"

namespace narthex::cli {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Collects the YAML errors of all mappings of one file.
class TestFileParser {
 public:
  explicit TestFileParser(bool ignore_unknown) : ignore_unknown_(ignore_unknown) {}

  absl::Status Parse(const YamlNode& root, RuleTestFile* out) {
    YamlMap map(root, "main.unitTestFile");
    map.Get("rule_files", &out->rule_files);
    map.GetDuration("evaluation_interval", &out->evaluation_interval_ms);
    if (out->evaluation_interval_ms == 0) out->evaluation_interval_ms = 60'000;
    std::vector<std::string> order;
    map.Get("group_eval_order", &order);
    map.Get("fuzzy_compare", &out->fuzzy_compare);
    ForEach(map.Child("tests"), [&](const YamlNode& node) {
      out->tests.push_back(ReadTest(node));
      if (out->tests.back().interval_ms == 0) out->tests.back().interval_ms = out->evaluation_interval_ms;
    });
    Finish(&map);
    if (!alone_.empty()) return absl::InvalidArgumentError(alone_);
    if (!errors_.empty()) return absl::InvalidArgumentError(StrCat("yaml: unmarshal errors:", errors_));
    for (size_t i = 0; i < order.size(); ++i) {
      if (!out->group_order.emplace(order[i], static_cast<int>(i)).second)
        return absl::InvalidArgumentError(StrCat("group name repeated in evaluation order: ", order[i]));
    }
    return absl::OkStatus();
  }

 private:
  template <typename Fn>
  static void ForEach(const YamlNode* list, const Fn& fn) {
    if (list == nullptr) return;
    for (const YamlNode& node : list->items()) fn(node);
  }

  void Finish(YamlMap* map) {
    absl::Status status = map->Finish(ignore_unknown_);
    if (status.ok()) return;
    std::string message(status.message());
    if (message.starts_with("yaml: unmarshal errors:")) {
      errors_ += message.substr(message.find('\n'));
    } else if (alone_.empty()) {
      alone_ = message;
    }
  }

  RuleTest ReadTest(const YamlNode& node) {
    YamlMap map(node, "main.testGroup");
    RuleTest test;
    map.Get("name", &test.name);
    map.GetDuration("interval", &test.interval_ms);
    map.Get("external_url", &test.external_url);
    map.Get("external_labels", &test.external_labels);
    ReadStart(map.Child("start_timestamp"), &map, &test.start_ms);
    ForEach(map.Child("input_series"), [&](const YamlNode& series) {
      YamlMap fields(series, "main.series");
      auto& [name, values] = test.series.emplace_back();
      fields.Get("series", &name);
      fields.Get("values", &values);
      Finish(&fields);
    });
    ForEach(map.Child("promql_expr_test"),
            [&](const YamlNode& expr) { test.exprs.push_back(ReadExpr(expr)); });
    ForEach(map.Child("alert_rule_test"),
            [&](const YamlNode& alert) { test.alerts.push_back(ReadAlertTest(alert)); });
    Finish(&map);
    return test;
  }

  // RFC 3339 or Unix seconds.
  static void ReadStart(const YamlNode* node, YamlMap* map, int64_t* out_ms) {
    if (node == nullptr) return;
    double seconds = 0;
    std::optional<int64_t> time = ParseRfc3339(node->scalar());
    if (!time && absl::SimpleAtod(node->scalar(), &seconds)) time = static_cast<int64_t>(seconds * 1000);
    if (time) {
      *out_ms = *time;
    } else {
      map->AddError(node->line(), StrCat("cannot parse ", GoQuote(node->scalar()), " to a valid timestamp"));
    }
  }

  ExprTest ReadExpr(const YamlNode& node) {
    YamlMap map(node, "main.promqlTestCase");
    ExprTest test;
    map.Get("expr", &test.expr);
    map.GetDuration("eval_time", &test.eval_time_ms);
    ForEach(map.Child("exp_samples"), [&](const YamlNode& sample) {
      YamlMap fields(sample, "main.sample");
      RuleTestSample& expected = test.samples.emplace_back();
      fields.Get("labels", &expected.labels);
      fields.Get("value", &expected.value);
      fields.Get("histogram", &expected.histogram);
      Finish(&fields);
    });
    Finish(&map);
    return test;
  }

  AlertTest ReadAlertTest(const YamlNode& node) {
    YamlMap map(node, "main.alertTestCase");
    AlertTest test;
    map.Get("alertname", &test.alertname);
    map.GetDuration("eval_time", &test.eval_time_ms);
    ForEach(map.Child("exp_alerts"), [&](const YamlNode& alert) {
      YamlMap fields(alert, "main.alert");
      Pairs labels, annotations;
      fields.Get("exp_labels", &labels);
      fields.Get("exp_annotations", &annotations);
      Finish(&fields);
      test.alerts.push_back(
          {LabelsBuilder(Labels::FromPairs(std::move(labels))).Set("alertname", test.alertname).Build(),
           Labels::FromPairs(std::move(annotations))});
    });
    std::sort(test.alerts.begin(), test.alerts.end());
    Finish(&map);
    return test;
  }

  const bool ignore_unknown_;
  std::string errors_;
  std::string alone_;  // an error without a line
};

}  // namespace

absl::StatusOr<RuleTestFile> ReadRuleTestFile(const std::string& path, bool ignore_unknown) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(YamlNode root, YamlNode::Parse(text));
  RuleTestFile file;
  RETURN_IF_ERROR(TestFileParser(ignore_unknown).Parse(root, &file));
  const std::filesystem::path dir = std::filesystem::path(path).parent_path();
  std::vector<std::string> patterns = std::move(file.rule_files);
  file.rule_files.clear();
  for (const std::string& pattern : patterns) {
    std::string full = (dir / pattern).lexically_normal().string();
    ASSIGN_OR_RETURN(std::vector<std::string> found,
                     rules::ExpandGlobs({full}, std::filesystem::current_path().string()));
    if (found.empty()) file.unmatched.push_back(full);
    for (std::string& one : found) {
      // ExpandGlobs made relative names absolute; messages show them as written.
      if (!full.starts_with("/"))
        one = std::filesystem::path(one).lexically_proximate(std::filesystem::current_path()).string();
      bool known = std::find(file.rule_files.begin(), file.rule_files.end(), one) != file.rule_files.end();
      if (!known) file.rule_files.push_back(one);
    }
  }
  return file;
}

}  // namespace narthex::cli
