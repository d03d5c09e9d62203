#include "cli/flags.h"

#include <gtest/gtest.h>

#include "cli/flag_table.h"

namespace narthex::cli {
namespace {

std::string ErrorOf(const std::vector<std::string>& args) {
  return std::string(ParseServeFlags(args).status().message());
}

TEST(Flags, DefaultsArePrometheuss) {
  absl::StatusOr<ServeFlags> flags = ParseServeFlags({});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config_file, "prometheus.yml");
  EXPECT_EQ(flags->storage_path, "data/");
  EXPECT_EQ(flags->listen_addresses, std::vector<std::string>{"0.0.0.0:9090"});
  EXPECT_EQ(flags->lookback_delta_ms, 300'000);
  EXPECT_EQ(flags->max_samples, 50'000'000);
  EXPECT_FALSE(flags->enable_lifecycle);
  EXPECT_TRUE(flags->drain_notifications);
}

TEST(Flags, TakesBothSpellingsOfAValue) {
  absl::StatusOr<ServeFlags> flags =
      ParseServeFlags({"--config.file=a.yml", "--storage.tsdb.retention.time", "30d", "--query.timeout=1m30s",
                       "--storage.max-memory=96MB"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config_file, "a.yml");
  EXPECT_EQ(flags->retention_ms, 30LL * 24 * 3600 * 1000);
  EXPECT_EQ(flags->query_timeout_ms, 90'000);
  EXPECT_EQ(flags->max_storage_memory, 96 << 20);
}

TEST(Flags, KernelsAreOneOfThree) {
  absl::StatusOr<ServeFlags> flags = ParseServeFlags({"--promql.kernels=cuda", "--promql.device-memory=2GB"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->promql_kernels, "cuda");
  EXPECT_EQ(flags->device_memory, int64_t{2} << 30);
  EXPECT_EQ(flags->device_reserve, 512 << 20);
  EXPECT_EQ(ErrorOf({"--promql.kernels=gpu"}), "enum value must be one of auto,cpu,cuda, got 'gpu'");
}

TEST(Flags, BooleansCanBeNegated) {
  absl::StatusOr<ServeFlags> flags =
      ParseServeFlags({"--web.enable-lifecycle", "--no-alertmanager.drain-notification-queue-on-shutdown",
                       "--no-scrape.adjust-timestamps"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_TRUE(flags->enable_lifecycle);
  EXPECT_FALSE(flags->drain_notifications);
  EXPECT_FALSE(flags->adjust_timestamps);
}

TEST(Flags, EveryRowOfTheTableIsAccepted) {
  for (const FlagRow& row : FlagTable()) {
    std::string value = row.default_value;
    if (value.empty()) value = row.kind == FlagKind::kDuration ? "1h" : "x";
    std::string flag = std::string("--") + row.name;
    if (flag == "--query.disable-pass") value = "step-invariant";  // takes names of passes only
    EXPECT_EQ(ErrorOf({row.kind == FlagKind::kBool ? flag : flag + "=" + value}), "") << row.name;
  }
}

TEST(Flags, UnknownFlagIsNamed) {
  EXPECT_EQ(ErrorOf({"--web.enable-lifecicle"}), "unknown long flag '--web.enable-lifecicle'");
  EXPECT_EQ(ErrorOf({"--no-config.file"}), "unknown long flag '--no-config.file'");
}

TEST(Flags, MissingOrBadValuesAreRefused) {
  EXPECT_EQ(ErrorOf({"--config.file"}), "expected argument for flag '--config.file'");
  EXPECT_EQ(ErrorOf({"--query.timeout=soon"}), "not a valid duration string: \"soon\"");
  EXPECT_NE(ErrorOf({"--query.max-samples=many"}).find("parsing \"many\": invalid syntax"),
            std::string::npos);
  EXPECT_NE(ErrorOf({"--log.level=loud"}).find("debug,info,warn,error"), std::string::npos);
  EXPECT_EQ(ErrorOf({"--config.file=a", "--config.file=b"}), "flag 'config.file' cannot be repeated");
}

TEST(Flags, ShowsEveryFlagSorted) {
  absl::StatusOr<ServeFlags> flags = ParseServeFlags({"--web.listen-address=127.0.0.1:1"});
  ASSERT_TRUE(flags.ok());
  EXPECT_EQ(flags->all.size(), FlagTable().size());
  EXPECT_TRUE(std::is_sorted(flags->all.begin(), flags->all.end()));
}

TEST(Flags, FeaturesComeAsListsAndRepeated) {
  absl::StatusOr<ServeFlags> flags =
      ParseServeFlags({"--enable-feature=a,promql-experimental-functions", "--enable-feature=b"});
  ASSERT_TRUE(flags.ok());
  EXPECT_TRUE(flags->Feature("promql-experimental-functions"));
  EXPECT_TRUE(flags->Feature("b"));
  EXPECT_FALSE(flags->Feature("c"));
}

}  // namespace
}  // namespace narthex::cli
