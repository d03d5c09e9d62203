#include "cli/config.h"

#include <gtest/gtest.h>

namespace narthex::cli {
namespace {

std::string ErrorOf(std::string_view yaml) { return std::string(ParseConfig(yaml, ".").status().message()); }

TEST(Config, HandsSectionsToTheirOwners) {
  absl::StatusOr<LoadedConfig> config = ParseConfig(R"(
global: {scrape_interval: 5s, evaluation_interval: 7s}
alerting: {alertmanagers: [{static_configs: [{targets: ["am:9093"]}]}]}
storage: {tsdb: {out_of_order_time_window: 30m, retention: {time: 3d, size: 1GB}}}
remote_write: [{url: "http://x/"}]
scrape_configs: [{job_name: a, static_configs: [{targets: ["b:1"]}]}]
)",
                                                    ".");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->global.evaluation_interval_ms, 7000);
  ASSERT_EQ(config->scrape_configs.size(), 1u);
  EXPECT_EQ(config->scrape_configs[0].scrape_interval_ms, 5000);
  EXPECT_EQ(config->alerting.alertmanagers.size(), 1u);
  EXPECT_EQ(config->out_of_order_window_ms, 1'800'000);
  EXPECT_EQ(config->retention_ms, 3LL * 24 * 3600 * 1000);
  EXPECT_EQ(config->ignored, std::vector<std::string>{"remote_write"});
}

TEST(Config, EmptyFileHasTheDefaults) {
  absl::StatusOr<LoadedConfig> config = ParseConfig("", ".");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->global.scrape_interval_ms, 60'000);
  EXPECT_TRUE(config->scrape_configs.empty());
}

TEST(Config, UnknownKeyIsNamedWithItsLine) {
  EXPECT_NE(ErrorOf("global:\n  scrape_interval: 1s\nscrape_config: []\n")
                .find("line 3: field scrape_config not found in type config.plain"),
            std::string::npos);
}

TEST(Config, BadDurationIsNamed) {
  EXPECT_NE(ErrorOf("global:\n  scrape_interval: soon\n").find("not a valid duration string: \"soon\""),
            std::string::npos);
}

TEST(Config, TwoJobsOfOneNameAreRefused) {
  EXPECT_NE(ErrorOf("scrape_configs: [{job_name: a}, {job_name: a}]")
                .find("found multiple scrape configs with job name \"a\""),
            std::string::npos);
}

TEST(Config, MissingFileIsNamed) {
  EXPECT_NE(std::string(LoadConfig("/nonexistent/p.yml").status().message()).find("/nonexistent/p.yml"),
            std::string::npos);
}

}  // namespace
}  // namespace narthex::cli
