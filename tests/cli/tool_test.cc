// The tools (check, test rules) from the outside: arguments in, exit status and text out.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/duration.h"
#include "base/files.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/tool/metric_lint.h"
#include "cli/tool/rule_test_text.h"

namespace narthex::cli {
namespace {

class Tool : public ::testing::Test {
 protected:
  Tool() {
    std::string dir = (std::filesystem::temp_directory_path() / "narthex-tool-XXXXXX").string();
    dir_ = mkdtemp(dir.data());
  }
  ~Tool() override { std::filesystem::remove_all(dir_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::string path = dir_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  int Run(const std::vector<std::string>& args) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    int status = Main(args);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return status;
  }

  std::string dir_, out_, err_;
};

constexpr const char* kRules = R"(
groups:
- name: second
  rules: [{record: two, expr: one + 1}]
- name: first
  rules:
  - {record: one, expr: m}
  - {alert: High, expr: m > 2, for: 1m, annotations: {v: '{{ $value }} at {{ $externalURL }}'}}
)";

TEST_F(Tool, RuleTestsPassWhenRulesDoAsExpected) {
  Write("rules.yml", kRules);
  std::string file = Write("test.yml", R"(
rule_files: [rules.yml]
group_eval_order: [first, second]
tests:
- interval: 1m
  start_timestamp: 2024-01-01T00:00:00Z
  external_url: http://x
  input_series: [{series: 'm{a="1"}', values: '1 2 3 4'}]
  promql_expr_test:
  - {expr: two, eval_time: 2m, exp_samples: [{labels: 'two{a="1"}', value: 4}]}
  - {expr: timestamp(m), eval_time: 1m, exp_samples: [{labels: '{a="1"}', value: 1704067260}]}
  alert_rule_test:
  - {alertname: High, eval_time: 2m}
  - alertname: High
    eval_time: 3m
    exp_alerts: [{exp_labels: {a: '1'}, exp_annotations: {v: 4 at http://x}}]
)");
  EXPECT_EQ(Run({"test", "rules", file}), 0) << err_;
  EXPECT_EQ(out_, "  SUCCESS\n\n");
}

// Without an order the groups run as the file has them: `two` is made before `one` and lags.
TEST_F(Tool, RuleTestsEvaluateGroupsInTheOrderGiven) {
  Write("rules.yml", kRules);
  std::string test = R"(
rule_files: [rules.yml]
tests:
- input_series: [{series: m, values: '1 2 3 4'}]
  promql_expr_test: [{expr: two, eval_time: 2m, exp_samples: [{labels: two, value: 4}]}]
)";
  EXPECT_EQ(Run({"test", "rules", Write("a.yml", test)}), 1);
  EXPECT_NE(err_.find("got: {__name__=\"two\"} 3E+00"), std::string::npos) << err_;
  EXPECT_EQ(Run({"test", "rules", Write("b.yml", "group_eval_order: [first, second]" + test)}), 0) << err_;
}

TEST_F(Tool, RuleTestsShowWhatIsNotAsExpected) {
  Write("rules.yml", kRules);
  std::string file = Write("test.yml", R"(
rule_files: [rules.yml]
tests:
- name: first
  input_series: [{series: m, values: '3 3 3'}]
  alert_rule_test: [{alertname: High, eval_time: 1m, exp_alerts: [{exp_labels: {b: c}}]}]
- name: second
  promql_expr_test: [{expr: 'vector(0.25)', eval_time: 0, exp_samples: [{value: 1}]}]
)");
  EXPECT_EQ(Run({"test", "rules", file}), 1);
  EXPECT_EQ(err_, R"x(  FAILED:
    name: first,
    alertname: High, time: 1m, 
        exp:[
            0:
              Labels:{alertname="High", b="c"}
              Annotations:{}
            ], 
        got:[
            0:
              Labels:{alertname="High"}
              Annotations:{v="3 at "}
            ]
    expr: "vector(0.25)", time: 0s,
        exp: {} 1E+00
        got: {} 2.5E-01
)x");
  EXPECT_EQ(Run({"test", "rules", "--run", "nothing", file}), 0);
  std::string junit = dir_ + "/junit.xml";
  EXPECT_EQ(Run({"test", "--junit", junit, "rules", "--run=second", file}), 1);
  std::string xml = *ReadFile(junit);
  EXPECT_NE(xml.find("tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\""), std::string::npos) << xml;
  EXPECT_NE(xml.find("<testcase name=\"second\"><failure>    expr: &#34;vector(0.25)&#34;"), xml.npos);
}

TEST_F(Tool, RuleTestsEndAtARuleThatFails) {
  Write("rules.yml", "groups: [{name: g, rules: [{record: r, expr: 'a / on() b'}]}]");
  std::string file = Write("test.yml", R"(
rule_files: [rules.yml]
tests:
- input_series: [{series: a, values: 1}, {series: 'b{x="1"}', values: 1}, {series: 'b{x="2"}', values: 1}]
  promql_expr_test: [{expr: r, eval_time: 1m}]
)");
  EXPECT_EQ(Run({"test", "rules", file}), 1);
  EXPECT_NE(err_.find("    rule: r, time: 0s, err: found duplicate series for the match group {}"), err_.npos)
      << err_;
  EXPECT_EQ(err_.find("time: 1m"), err_.npos);
}

TEST_F(Tool, RuleTestsCompareFloatsExactlyUnlessTold) {
  std::string test = R"(
tests:
- promql_expr_test: [{expr: 'vector(0.1) + 0.2', eval_time: 0, exp_samples: [{value: 0.3}]}]
)";
  EXPECT_EQ(Run({"test", "rules", Write("a.yml", test)}), 1);
  EXPECT_EQ(Run({"test", "rules", Write("b.yml", "fuzzy_compare: true" + test)}), 0) << err_;
}

TEST_F(Tool, RuleTestsRefuseUnknownFieldsUnlessTold) {
  std::string file = Write("test.yml", "owner: me\ntests: []\n");
  EXPECT_EQ(Run({"test", "rules", file}), 1);
  EXPECT_NE(err_.find("line 1: field owner not found in type main.unitTestFile"), err_.npos) << err_;
  EXPECT_EQ(Run({"test", "rules", "--ignore-unknown-fields", file}), 0);
}

TEST_F(Tool, LintsFindDuplicateRules) {
  std::string file =
      Write("r.yml", "groups: [{name: g, rules: [{record: r, expr: a}, {record: r, expr: b}]}]");
  EXPECT_EQ(Run({"check", "rules", file}), 0);
  EXPECT_NE(err_.find("lint error 1 duplicate rule(s) found.\nMetric: r\n"), err_.npos) << err_;
  EXPECT_EQ(Run({"check", "rules", "--lint-fatal", file}), 3);
  EXPECT_EQ(Run({"check", "rules", "--lint-fatal", "--lint=none", file}), 0);
}

TEST_F(Tool, FeaturesMayStandBeforeTheCommand) {
  std::string file =
      Write("r.yml", "groups: [{name: g, rules: [{record: r, expr: 'mad_over_time(m[5m])'}]}]");
  EXPECT_EQ(Run({"check", "rules", file}), 1);
  EXPECT_EQ(Run({"--enable-feature=promql-experimental-functions", "check", "rules", file}), 0) << err_;
}

TEST_F(Tool, LegacyNamesAreCheckedWhenTheConfigurationSaysSo) {
  Write("r.yml", "groups: [{name: g, rules: [{alert: A, expr: m, annotations: {ins-tance: x}}]}]");
  std::string config = Write("p.yml", "rule_files: [r.yml]\n");
  EXPECT_EQ(Run({"check", "config", config}), 0) << err_;
  config = Write("p.yml", "global: {metric_name_validation_scheme: legacy}\nrule_files: [r.yml]\n");
  EXPECT_EQ(Run({"check", "config", config}), 1);
  EXPECT_NE(err_.find("invalid annotation name: ins-tance"), err_.npos) << err_;
}

TEST_F(Tool, ConfigurationsAreCheckedWithTheFilesTheyName) {
  std::string config = Write("p.yml", "rule_files: [gone.yml]\n");
  EXPECT_EQ(Run({"check", "config", config}), 1);
  EXPECT_NE(err_.find("gone.yml\" does not point to an existing file"), err_.npos) << err_;
  EXPECT_EQ(Run({"check", "config", "--syntax-only", config}), 0) << err_;
}

TEST_F(Tool, DiscoveredTargetsAreShownBeforeAndAfterRelabelling) {
  std::string config = Write("p.yml", R"(
scrape_configs:
- job_name: a
  static_configs: [{targets: ['x:1', 'y:1']}]
  relabel_configs: [{source_labels: [__address__], regex: 'y.*', action: drop}]
)");
  EXPECT_EQ(Run({"check", "service-discovery", config, "a"}), 0) << err_;
  EXPECT_NE(out_.find("\"instance\": \"x:1\""), out_.npos) << out_;
  EXPECT_NE(out_.find("\"labels\": {}"), out_.npos) << out_;
  EXPECT_EQ(Run({"check", "service-discovery", config, "b"}), 1);
  EXPECT_EQ(err_, "Job b not found. Select one of:\n\ta\n");
}

TEST_F(Tool, WebConfigurationsAreChecked) {
  EXPECT_EQ(Run({"check", "web-config", Write("a.yml", "basic_auth_users: {a: plain}")}), 1);
  EXPECT_NE(err_.find("FAILED: crypto/bcrypt: hashedSecret too short"), err_.npos) << err_;
  EXPECT_EQ(Run({"check", "web-config", Write("b.yml", "tls_server_config: {cert_file: x}")}), 1);
  EXPECT_NE(err_.find("FAILED: missing one of key or key_file"), err_.npos) << err_;
  EXPECT_EQ(Run({"check", "web-config", Write("c.yml", "http_server_config: {http2: true}")}), 0) << err_;
}

TEST_F(Tool, MistakesInTheCommandLineAreOfExitStatusOne) {
  EXPECT_EQ(Run({"check", "rules", "--nope"}), 1);
  EXPECT_EQ(err_, "narthex: error: unknown long flag '--nope', try --help\n");
  EXPECT_EQ(Run({"check", "config"}), 1);
  EXPECT_EQ(err_, "narthex: error: required argument 'config-files' not provided, try --help\n");
  EXPECT_EQ(Run({"test", "rules", dir_ + "/gone.yml"}), 1);
  EXPECT_EQ(Run({"check", "config", "--help"}), 0);
}

std::vector<std::string> Problems(const std::string& text) {
  absl::StatusOr<std::vector<scraper::ExposedFamily>> families = scraper::ReadExposedFamilies(text);
  std::vector<std::string> out;
  for (const MetricProblem& problem : LintMetrics(*families)) out.push_back(problem.text);
  return out;
}

TEST(MetricLint, NamesWhatIsAgainstGoodPractice) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(Problems("# HELP up_ratio x\n# TYPE up_ratio gauge\nup_ratio 1\n"), Texts());
  EXPECT_EQ(Problems("# HELP a x\n# TYPE a counter\na 1\n"),
            Texts{"counter metrics should have \"_total\" suffix"});
  EXPECT_EQ(Problems("# HELP a:b_milliseconds x\na:b_milliseconds 1\n"),
            (Texts{"metric names should not contain ':'",
                   "use base unit \"seconds\" instead of \"milliseconds\""}));
  EXPECT_EQ(Problems("# HELP b_gauge x\n# TYPE b_gauge gauge\nb_gauge{aB=\"1\"} 1\n"),
            (Texts{"label names should be written in 'snake_case' not 'camelCase'",
                   "metric name should not include type 'gauge'"}));
  EXPECT_EQ(Problems("a 1\na 2\n"), (Texts{"metric not unique", "no help text"}));
  EXPECT_EQ(Problems("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"),
            Texts());
}

TEST(RuleTestText, DurationsAreWrittenAsGoDoes) {
  EXPECT_EQ(GoDuration(0), "0s");
  EXPECT_EQ(GoDuration(90'000), "1m30s");
  EXPECT_EQ(GoDuration(3661'500), "1h1m1.5s");
  EXPECT_EQ(GoDuration(250), "250ms");
}

TEST(RuleTestText, DiffColoursWhatIsMissingTooMuchOrChanged) {
  ExpectedAlert want{Labels({{"a", "0"}, {"gone", "x"}}), Labels()};
  ExpectedAlert got{Labels({{"a", "1"}}), Labels({{"v", "1"}})};
  EXPECT_EQ(AlertsDiff({want}, {got}),
            "[\n    {\n        \"Annotations\": {\n            \033[0;32m\"v\": \"1\"\033[0m\n        },\n"
            "        \"Labels\": {\n            \"a\": \033[0;33m\"0\" => \"1\"\033[0m,\n"
            "            \033[0;31m\"gone\": \"x\"\033[0m\n        }\n    }\n]");
}

}  // namespace
}  // namespace narthex::cli
