#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scraper/protocols.h"
#include "scraper/scraper.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

YamlNode Yaml(std::string_view text) {
  auto node = YamlNode::Parse(text);
  EXPECT_TRUE(node.ok()) << node.status();
  return node.ok() ? *node : YamlNode();
}

absl::StatusOr<std::vector<ScrapeConfig>> Parse(std::string_view jobs, const GlobalConfig& global = {}) {
  YamlNode node = Yaml(jobs);
  return ParseScrapeConfigs(&node, global, "/etc/narthex");
}

std::string Error(std::string_view jobs, const GlobalConfig& global = {}) {
  auto configs = Parse(jobs, global);
  return configs.ok() ? "" : std::string(Message(configs.status()));
}

TEST(GlobalConfig, DefaultsAndInferredTimeout) {
  YamlNode node = Yaml("scrape_interval: 5s\n");
  auto config = ParseGlobalConfig(&node);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->scrape_timeout_ms, 5000);
  EXPECT_EQ(config->evaluation_interval_ms, 60000);
}

TEST(GlobalConfig, ExternalLabelsExpandTheEnvironment) {
  YamlNode node = Yaml("external_labels: {a: \"x$HOST-${HOST}y\", b: \"$$HOST\", c: $NONE}\n");
  auto config = ParseGlobalConfig(&node, [](const std::string& name) { return name == "HOST" ? "h1" : ""; });
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->external_labels, ElementsAre(::testing::Pair("a", "xh1-h1y"),
                                                   ::testing::Pair("b", "$HOST"), ::testing::Pair("c", "")));
}

TEST(GlobalConfig, RefusesUnknownKeysAndLongTimeouts) {
  YamlNode unknown = Yaml("nonexistent_field: 1\n");
  EXPECT_THAT(std::string(Message(ParseGlobalConfig(&unknown).status())),
              HasSubstr("field nonexistent_field not found in type config.plain"));
  YamlNode late = Yaml("scrape_interval: 5s\nscrape_timeout: 6s\n");
  EXPECT_EQ(Message(ParseGlobalConfig(&late).status()), "global scrape timeout greater than scrape interval");
}

TEST(ScrapeConfig, InheritsFromGlobal) {
  GlobalConfig global;
  global.scrape_interval_ms = 30000;
  global.sample_limit = 7;
  auto configs = Parse("- job_name: a\n  scrape_interval: 5s\n- job_name: b\n  sample_limit: 9\n", global);
  ASSERT_TRUE(configs.ok()) << configs.status();
  EXPECT_EQ((*configs)[0].scrape_timeout_ms, 5000);
  EXPECT_EQ((*configs)[0].sample_limit, 7);
  EXPECT_EQ((*configs)[1].scrape_interval_ms, 30000);
  EXPECT_EQ((*configs)[1].sample_limit, 9);
  EXPECT_EQ((*configs)[1].scrape_protocols, DefaultScrapeProtocols());
}

TEST(ScrapeConfig, ErrorsAreUpstreams) {
  EXPECT_EQ(Error("- job_name: x\n- job_name: x\n"), "found multiple scrape configs with job name \"x\"");
  EXPECT_EQ(Error("- metrics_path: /m\n"), "job_name is empty");
  EXPECT_EQ(Error("- job_name: x\n  scrape_interval: 1s\n  scrape_timeout: 2s\n"),
            "scrape timeout greater than scrape interval for scrape config with job name \"x\"");
  EXPECT_EQ(
      Error("- job_name: x\n  scrape_protocols: [Nope]\n"),
      "scrape_protocols: unknown scrape protocol Nope, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 "
      "PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0] for scrape config with job name \"x\"");
  EXPECT_EQ(Error("- job_name: x\n  static_configs: [{targets: ['http://bad']}]\n"),
            "\"http://bad\" is not a valid hostname");
}

TEST(ScrapeConfig, LegacyJobDoesNotInheritUtf8Escaping) {
  auto configs = Parse("- job_name: x\n  metric_name_validation_scheme: legacy\n");
  ASSERT_TRUE(configs.ok()) << configs.status();
  EXPECT_EQ((*configs)[0].metric_name_escaping_scheme, "underscores");
}

TEST(ScrapeConfig, EffectiveSectionHidesSecretsButFingerprintDoesNot) {
  auto one = Parse("- job_name: x\n  basic_auth: {username: u, password: one}\n");
  auto two = Parse("- job_name: x\n  basic_auth: {username: u, password: two}\n");
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ((*one)[0].yaml, (*two)[0].yaml);
  EXPECT_THAT((*one)[0].yaml, HasSubstr("job_name: x\nhonor_timestamps: true\n"));
  EXPECT_THAT((*one)[0].yaml, Not(HasSubstr("one")));
  EXPECT_NE((*one)[0].fingerprint, (*two)[0].fingerprint);
}

TEST(AcceptHeader, WeighsTheProtocolsInTheirOrder) {
  EXPECT_EQ(
      AcceptHeader({"PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"}, "allow-utf-8"),
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,"
      "*/*;q=0.3");
}

}  // namespace
}  // namespace narthex::scraper
