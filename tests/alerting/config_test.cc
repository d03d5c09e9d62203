#include <gtest/gtest.h>

#include "alerting/alerting.h"
#include "alerting/alertmanager.h"

namespace narthex::alerting {
namespace {

absl::StatusOr<AlertingConfig> Parse(std::string_view text) {
  absl::StatusOr<YamlNode> node = YamlNode::Parse(text);
  if (!node.ok()) return node.status();
  return ParseAlertingConfig(&*node, "/etc/narthex");
}

std::string ErrorOf(std::string_view text) {
  absl::StatusOr<AlertingConfig> config = Parse(text);
  return config.ok() ? "" : std::string(config.status().message());
}

TEST(AlertingConfigTest, NullSectionHasNoAlertmanagers) {
  absl::StatusOr<AlertingConfig> config = ParseAlertingConfig(nullptr, "");
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(config->alertmanagers.empty());
}

TEST(AlertingConfigTest, ReadsEveryKey) {
  absl::StatusOr<AlertingConfig> config = Parse(R"(
alert_relabel_configs:
- regex: replica
  action: labeldrop
alertmanagers:
- scheme: https
  path_prefix: /am
  timeout: 3s
  api_version: v2
  basic_auth: {username: u, password_file: pw}
  relabel_configs:
  - {source_labels: [__address__], target_label: a}
  alert_relabel_configs:
  - {source_labels: [severity], regex: info, action: drop}
  static_configs:
  - targets: ['am1:9093', 'am2:9093']
  file_sd_configs:
  - files: [am.json]
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->alert_relabel_configs.size(), 1u);
  ASSERT_EQ(config->alertmanagers.size(), 1u);
  const AlertmanagerConfig& am = config->alertmanagers[0];
  EXPECT_EQ(am.scheme, "https");
  EXPECT_EQ(am.path_prefix, "/am");
  EXPECT_EQ(am.timeout_ms, 3000);
  EXPECT_EQ(am.relabel_configs.size(), 1u);
  EXPECT_EQ(am.alert_relabel_configs.size(), 1u);
  EXPECT_EQ(am.http->basic_user, "u");
  EXPECT_EQ(am.http->basic_password_file, "/etc/narthex/pw");
  ASSERT_EQ(am.discovery.static_groups.size(), 1u);
  EXPECT_EQ(am.discovery.static_groups[0].targets.size(), 2u);
  EXPECT_EQ(am.discovery.file_sd.size(), 1u);
}

TEST(AlertingConfigTest, DefaultsAreThoseOfPrometheus) {
  absl::StatusOr<AlertingConfig> config = Parse("alertmanagers:\n- static_configs: [{targets: [a:1]}]\n");
  ASSERT_TRUE(config.ok()) << config.status();
  const AlertmanagerConfig& am = config->alertmanagers.at(0);
  EXPECT_EQ(am.scheme, "http");
  EXPECT_EQ(am.timeout_ms, 10'000);
  EXPECT_EQ(am.api_version, "v2");
  EXPECT_TRUE(am.http->follow_redirects);
}

TEST(AlertingConfigTest, ErrorsHavePrometheusWords) {
  EXPECT_EQ(ErrorOf("alertmanagers: [{api_version: v1}]"),
            "expected Alertmanager api version to be one of [v2] but got v1");
  EXPECT_EQ(ErrorOf("alertmanagers: [{relabel_configs: [null]}]"),
            "empty or null Alertmanager target relabeling rule");
  EXPECT_EQ(ErrorOf("alertmanagers: [{alert_relabel_configs: [null]}]"),
            "empty or null Alertmanager alert relabeling rule");
  EXPECT_EQ(ErrorOf("alert_relabel_configs: [null]"), "empty or null alert relabeling rule");
  EXPECT_EQ(ErrorOf("alertmanagers: [{static_configs: [{targets: ['http://bad']}]}]"),
            "\"http://bad\" is not a valid hostname");
  EXPECT_EQ(ErrorOf("alertmanagers: [{basic_auth: {username: u}, sigv4: {region: x}}]"),
            "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured");
  EXPECT_EQ(ErrorOf("alertmanagers: [{sigv4: {region: x}}]"),
            "sigv4 is not supported for Alertmanagers: alerts would go out unsigned and be refused");
  EXPECT_EQ(ErrorOf("webhooks: [{url: 'ftp://x'}]"),
            "alerting.webhooks: url must be an HTTP URL, got \"ftp://x\"");
}

TEST(AlertingConfigTest, UnknownKeysNameLineAndType) {
  EXPECT_EQ(ErrorOf("alertmanagers:\n- shceme: http\n"),
            "yaml: unmarshal errors:\n  line 2: field shceme not found in type config.AlertmanagerConfig");
  EXPECT_EQ(ErrorOf("alertmangers: []\n"),
            "yaml: unmarshal errors:\n  line 1: field alertmangers not found in type config.plain");
}

TEST(AlertingConfigTest, FingerprintChangesWithTheSection) {
  auto print = [](std::string_view text) { return Parse(text)->alertmanagers.at(0).fingerprint; };
  EXPECT_EQ(print("alertmanagers: [{timeout: 1s}]"), print("alertmanagers:\n- timeout: 1s\n"));
  EXPECT_NE(print("alertmanagers: [{timeout: 1s}]"), print("alertmanagers: [{timeout: 2s}]"));
}

TEST(ResolveTest, BuildsTheUrlAndRelabels) {
  FakeClock clock(0);
  Logger logger(LogLevel::kError, LogFormat::kLogfmt, &clock, [](std::string_view) {});
  absl::StatusOr<AlertingConfig> config = Parse(R"(
alertmanagers:
- path_prefix: am//x/
  relabel_configs:
  - {source_labels: [keep], regex: 'no', action: drop}
  - {source_labels: [tls], regex: 'yes', target_label: __scheme__, replacement: https}
  static_configs:
  - targets: ['a:1', 'a:1', 'b:1']
  - targets: ['c:1']
    labels: {keep: 'no'}
  - targets: ['d:1']
    labels: {tls: 'yes', __alerts_path__: /other}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  const AlertmanagerConfig& am = config->alertmanagers.at(0);
  ResolvedAlertmanagers found = Resolve(am.discovery.static_groups, am, &logger);
  EXPECT_EQ(found.active, (std::vector<std::string>{"http://a:1/am/x/api/v2/alerts",
                                                    "http://b:1/am/x/api/v2/alerts", "https://d:1/other"}));
  EXPECT_EQ(found.dropped, (std::vector<std::string>{"http://c:1/am/x/api/v2/alerts"}));
  EXPECT_EQ(found.discovered, 5);
}

TEST(ResolveTest, SkipsAGroupWithABadAddress) {
  FakeClock clock(0);
  std::string log;
  Logger logger(LogLevel::kError, LogFormat::kLogfmt, &clock, [&](std::string_view line) { log += line; });
  AlertmanagerConfig am;
  discovery::TargetGroup bad, good;
  bad.targets = {Labels({{"__address__", "fine:1"}}), Labels({{"__address__", "x/y"}})};
  good.targets = {Labels({{"__address__", "good:1"}})};
  ResolvedAlertmanagers found = Resolve({bad, good}, am, &logger);
  EXPECT_EQ(found.active, (std::vector<std::string>{"http://good:1/api/v2/alerts"}));
  EXPECT_NE(log.find("Creating discovered Alertmanagers failed"), std::string::npos);
}

TEST(AlertsPathTest, IsCleanedAsGoDoes) {
  EXPECT_EQ(AlertsPath(""), "/api/v2/alerts");
  EXPECT_EQ(AlertsPath("/"), "/api/v2/alerts");
  EXPECT_EQ(AlertsPath("/a/./b/../c/"), "/a/c/api/v2/alerts");
  EXPECT_EQ(AlertsPath("../.."), "/api/v2/alerts");
}

}  // namespace
}  // namespace narthex::alerting
