#include "base/go_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace narthex {
namespace {

TEST(FormatFloatF, WritesTheShortestDigitsWithoutExponent) {
  EXPECT_EQ(FormatFloatF(0), "0");
  EXPECT_EQ(FormatFloatF(-0.0), "-0");
  EXPECT_EQ(FormatFloatF(0.1), "0.1");
  EXPECT_EQ(FormatFloatF(1e-7), "0.0000001");
  EXPECT_EQ(FormatFloatF(1435781430.781), "1435781430.781");
  EXPECT_EQ(FormatFloatF(1e21), "1000000000000000000000");
  EXPECT_EQ(FormatFloatF(-1065253311469298048.0), "-1065253311469298000");
  EXPECT_EQ(FormatFloatF(9007199254740993.0), "9007199254740992");
}

TEST(FormatFloatF, NamesWhatIsNoNumber) {
  EXPECT_EQ(FormatFloatF(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(FormatFloatF(HUGE_VAL), "+Inf");
  EXPECT_EQ(FormatFloatF(-HUGE_VAL), "-Inf");
}

TEST(FormatFloatG, TurnsToExponentsAsGoDoes) {
  EXPECT_EQ(FormatFloatG(123456), "123456");
  EXPECT_EQ(FormatFloatG(1234567), "1.234567e+06");
  EXPECT_EQ(FormatFloatG(0.0001), "0.0001");
  EXPECT_EQ(FormatFloatG(0.00001), "1e-05");
}

TEST(FormatFloat, KeepsThePrecisionAskedFor) {
  EXPECT_EQ(FormatFloat(2.5, 'f', 2), "2.50");
  EXPECT_EQ(FormatFloat(1, 'e', -1), "1e+00");
  EXPECT_EQ(FormatFloat(1234567, 'g', 4), "1.235e+06");
}

TEST(ParseGoFloat, TakesWhatGoTakes) {
  EXPECT_EQ(ParseGoFloat("1e3"), 1000);
  EXPECT_EQ(ParseGoFloat("0x1p-2"), 0.25);
  EXPECT_EQ(ParseGoFloat("+Inf"), HUGE_VAL);
  EXPECT_TRUE(std::isnan(*ParseGoFloat("nan")));
  for (const char* bad : {"", " 1", "1 ", "1_000", "one", "--1", "0x", "1e"}) {
    EXPECT_FALSE(ParseGoFloat(bad).has_value()) << bad;
  }
}

TEST(GoQuote, RoundTripsThroughUnquote) {
  for (std::string text : {"plain", "with \"quotes\" and \\", "tab\tnewline\n", "käse", "\x01\xff"}) {
    EXPECT_EQ(GoUnquote(GoQuote(text)), text) << GoQuote(text);
  }
  EXPECT_FALSE(GoUnquote("\"open").has_value());
  EXPECT_FALSE(GoUnquote("\"bad \\z escape\"").has_value());
}

TEST(Rfc3339, RoundTripsMilliseconds) {
  EXPECT_EQ(FormatRfc3339(1435781451781), "2015-07-01T20:10:51.781Z");
  EXPECT_EQ(ParseRfc3339("2015-07-01T20:10:51.781Z"), 1435781451781);
  EXPECT_EQ(ParseRfc3339("2015-07-01T22:10:51+02:00"), 1435781451000);
  EXPECT_FALSE(ParseRfc3339("2015-13-01T00:00:00Z").has_value());
  EXPECT_FALSE(ParseRfc3339("yesterday").has_value());
}

}  // namespace
}  // namespace narthex
