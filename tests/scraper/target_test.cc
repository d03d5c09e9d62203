#include "scraper/target.h"

#include <algorithm>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

ScrapeConfig Job() {
  ScrapeConfig config;
  config.job_name = "node";
  config.scrape_interval_ms = 15000;
  config.scrape_timeout_ms = 10000;
  return config;
}

RelabelConfig Rule(std::string source, std::string regex, std::string target, std::string replacement,
                   RelabelAction action = RelabelAction::kReplace) {
  RelabelConfig rule;
  rule.source_labels = {std::move(source)};
  rule.regex_text = regex;
  rule.regex = *Regex::Compile(regex);
  rule.target_label = std::move(target);
  rule.replacement = std::move(replacement);
  rule.action = action;
  return rule;
}

TEST(Target, DefaultsFollowTheJob) {
  ScrapeConfig config = Job();
  Labels discovered = DiscoveredLabels({{"__address__", "host"}, {"__meta_x", "1"}}, {{"zone", "a"}}, config);
  EXPECT_EQ(discovered.Get("__scrape_interval__"), "15s");
  auto target = MakeTarget(discovered, config);
  ASSERT_TRUE(target.ok() && target->has_value());
  EXPECT_EQ((*target)->url, "http://host/metrics");  // no port is added
  EXPECT_EQ((*target)->public_labels, Labels({{"instance", "host"}, {"job", "node"}, {"zone", "a"}}));
  EXPECT_FALSE((*target)->labels.Has("__meta_x"));
  EXPECT_FALSE((*target)->key.Has("__scrape_interval__"));
}

TEST(Target, RelabellingCanSetParamsAndInterval) {
  ScrapeConfig config = Job();
  config.params = {{"module", {"a b", "second"}}};
  config.relabel_configs = {Rule("__address__", "(.*)", "__param_target", "$1"),
                            Rule("__address__", ".*", "__scrape_interval__", "1m"),
                            Rule("__address__", ".*", "__address__", "proxy:9115")};
  auto target = MakeTarget(DiscoveredLabels({{"__address__", "x:1"}}, {}, config), config);
  ASSERT_TRUE(target.ok() && target->has_value());
  EXPECT_EQ((*target)->url, "http://proxy:9115/metrics?module=a+b&module=second&target=x%3A1");
  EXPECT_EQ((*target)->interval_ms, 60000);
  EXPECT_EQ((*target)->public_labels.Get("instance"), "proxy:9115");
}

TEST(Target, BadTargetsAreErrorsDroppedOnesAreNot) {
  ScrapeConfig config = Job();
  EXPECT_EQ(Message(MakeTarget(DiscoveredLabels({{"a", "b"}}, {}, config), config).status()), "no address");
  auto slow =
      MakeTarget(DiscoveredLabels({{"__address__", "h"}, {"__scrape_timeout__", "20s"}}, {}, config), config);
  EXPECT_EQ(Message(slow.status()),
            "scrape timeout cannot be greater than scrape interval (\"20s\" > \"15s\")");
  config.relabel_configs = {Rule("__address__", "h.*", "", "", RelabelAction::kDrop)};
  auto dropped = MakeTarget(DiscoveredLabels({{"__address__", "h"}}, {}, config), config);
  ASSERT_TRUE(dropped.ok());
  EXPECT_FALSE(dropped->has_value());
}

TEST(Target, FirstScrapeIsPinnedToWallTime) {
  ScrapeConfig config = Job();
  auto made = MakeTarget(DiscoveredLabels({{"__address__", "h:1"}}, {}, config), config);
  const Target target = **made;
  const int64_t interval = 15'000'000'000;
  int64_t now = 1'700'000'000'123'000'000;
  int64_t first = now + FirstScrapeDelayNs(target, now, 42);
  int64_t later = now + 7'000'000'000;
  int64_t second = later + FirstScrapeDelayNs(target, later, 42);
  EXPECT_GT(first, now);
  EXPECT_LE(first, now + interval);
  EXPECT_EQ((second - first) % interval, 0);
}

TEST(Target, TargetsShareSlotsAndUseAllOfThem) {
  ScrapeConfig config = Job();
  auto made = MakeTarget(DiscoveredLabels({{"__address__", "h:1"}}, {}, config), config);
  Target target = **made;
  const int64_t now = 1'700'000'000'000'000'000;
  for (const int64_t interval_ms : {100, 1000, 5000, 60'000}) {
    target.interval_ms = interval_ms;
    const int64_t interval = interval_ms * 1'000'000;
    const int64_t slot = std::min(kSlotNs, interval / kMinSlots);
    std::set<int64_t> slots;
    for (int i = 0; i < 5000; ++i) {
      target.hash = Fnv64(std::to_string(i));
      const int64_t first = now + FirstScrapeDelayNs(target, now, 42);
      EXPECT_EQ(first % slot, 0);
      slots.insert(first % interval / slot);
    }
    EXPECT_EQ(slots.size(), static_cast<size_t>(interval / slot));
  }
}

}  // namespace
}  // namespace narthex::scraper
