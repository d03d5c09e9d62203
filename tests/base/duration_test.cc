#include "base/duration.h"

#include <gtest/gtest.h>

namespace narthex {
namespace {

TEST(ParseDuration, ReadsUnitsInOrder) {
  EXPECT_EQ(*ParseDurationMs("0"), 0);
  EXPECT_EQ(*ParseDurationMs("15s"), 15'000);
  EXPECT_EQ(*ParseDurationMs("1h30m"), 5'400'000);
  EXPECT_EQ(*ParseDurationMs("1y2w3d4h5m6s7ms"), (((365LL + 14 + 3) * 24 + 4) * 60 + 5) * 60'000 + 6'007);
}

TEST(ParseDuration, NamesTheBadText) {
  EXPECT_EQ(ParseDurationMs("").status().message(), "empty duration string");
  for (const char* bad : {"1", "s", "1m1h", "1m1m", "-1s"}) {
    EXPECT_EQ(std::string(ParseDurationMs(bad).status().message()),
              "not a valid duration string: \"" + std::string(bad) + "\"");
  }
  for (const auto& [bad, unit] : {std::pair("1.5h", "."), std::pair("1 s", " s"), std::pair("1x", "x")}) {
    EXPECT_EQ(std::string(ParseDurationMs(bad).status().message()),
              "unknown unit \"" + std::string(unit) + "\" in duration \"" + bad + "\"");
  }
  EXPECT_EQ(ParseDurationMs("1000000000y").status().message(), "duration out of range");
}

TEST(FormatDuration, IsTheShortestExactSpelling) {
  EXPECT_EQ(FormatDurationMs(0), "0s");
  EXPECT_EQ(FormatDurationMs(90'000), "1m30s");
  EXPECT_EQ(FormatDurationMs(15LL * 24 * 3600 * 1000), "15d");
  EXPECT_EQ(FormatDurationMs(7LL * 24 * 3600 * 1000), "1w");
  EXPECT_EQ(FormatDurationMs(1'001), "1s1ms");
}

}  // namespace
}  // namespace narthex
