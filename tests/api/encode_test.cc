// Values in JSON: the quick way against Go's format.
#include "api/encode.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "api/point_text.h"
#include "base/go_format.h"
#include "gtest/gtest.h"

namespace narthex::api {
namespace {

std::string Point(int64_t t, double v) {
  char text[PointText::kMostBytes];
  return std::string(text, PointText().Put({t, v}, text));
}

TEST(PointText, WritesTimesWithThreeDigitsOrNone) {
  EXPECT_EQ(Point(0, 1), R"([0,"1"])");
  EXPECT_EQ(Point(1435781430700, 1), R"([1435781430.700,"1"])");
  EXPECT_EQ(Point(-1001, 1), R"([-1.001,"1"])");
  EXPECT_EQ(Point(std::numeric_limits<int64_t>::min(), 1), R"([-9223372036854775.808,"1"])");
}

TEST(PointText, TimesThatFollowEachOtherAreThoseOfEachAlone) {
  PointText text;
  for (int64_t step : {1, 999, 1000, 15'000, 60'000, 9'999'000, 1'000'000'007}) {
    for (int64_t start :
         {int64_t{-20'000'000}, int64_t{0}, int64_t{1'435'781'430'700}, int64_t{9'999'999'990'000}}) {
      for (int64_t t = start, i = 0; i < 300; ++i, t += step) {
        char out[PointText::kMostBytes];
        EXPECT_EQ(std::string(out, text.Put({t, 1}, out)), Point(t, 1));
        const int64_t magnitude = t < 0 ? -t : t, fraction = magnitude % 1000;
        std::string expected = (t < 0 ? "-" : "") + std::to_string(magnitude / 1000);
        if (fraction != 0) expected += "." + std::to_string(1000 + fraction).substr(1);
        EXPECT_EQ(Point(t, 1), "[" + expected + ",\"1\"]");
      }
    }
  }
}

TEST(PointText, WritesSpecialValues) {
  EXPECT_EQ(Point(1000, std::nan("")), R"([1,"NaN"])");
  EXPECT_EQ(Point(1000, HUGE_VAL), R"([1,"+Inf"])");
  EXPECT_EQ(Point(1000, -HUGE_VAL), R"([1,"-Inf"])");
  EXPECT_EQ(Point(1000, -0.0), R"([1,"-0"])");
  EXPECT_EQ(Point(1000, 0), R"([1,"0"])");
  EXPECT_EQ(Point(1000, 1e-7), R"([1,"1e-07"])");
  EXPECT_EQ(Point(1000, 1e21), R"([1,"1e+21"])");
  EXPECT_EQ(Point(1000, 1e20), R"([1,"100000000000000000000"])");
  EXPECT_EQ(Point(1000, -123456789012345678.0), R"([1,"-123456789012345680"])");
}

TEST(PointText, WritesTheShortestTextOfAnyValue) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    double v = std::bit_cast<double>(random());
    if (i % 2 == 0) v = std::ldexp(static_cast<double>(random() >> 11), -static_cast<int>(random() % 80));
    if (i % 5 == 0) v = std::floor(v);
    if (!std::isfinite(v)) continue;
    const double magnitude = std::fabs(v);
    const bool exponent = magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21);
    EXPECT_EQ(Point(1000, v), "[1,\"" + FormatFloat(v, exponent ? 'e' : 'f', -1) + "\"]");
  }
}

// Those with a few digits behind the point are written another way than their neighbours.
TEST(PointText, WritesTheShortestTextOfDecimalsAndTheirNeighbours) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20000; ++i) {
    const double k = static_cast<double>(random() >> (64 - 1 - random() % 50));
    const double decimal = (i % 3 == 0 ? -k : k) / std::pow(10, random() % 7);
    for (double v : {decimal, std::nextafter(decimal, 1e300), std::nextafter(decimal, -1e300)}) {
      if (std::fabs(v) < 1e-6) continue;
      EXPECT_EQ(Point(1000, v), "[1,\"" + FormatFloat(v, 'f', -1) + "\"]");
    }
  }
}

}  // namespace
}  // namespace narthex::api
