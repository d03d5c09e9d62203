#include "base/decimal_text.h"

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace narthex {
namespace {

// What stands behind the room is to stay as it is.
std::string Text(auto put, auto value) {
  char room[kDecimalRoom + 8];
  std::memset(room, '#', sizeof room);
  const char* end = put(value, room);
  EXPECT_EQ(std::string(room + kDecimalRoom, 8), "########") << value;
  return end == nullptr ? "none" : std::string(room, static_cast<size_t>(end - room));
}

std::string ByLibrary(double value) {
  char buffer[400];
  return std::string(buffer,
                     std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr);
}

TEST(DecimalText, IntegersOfEachLengthAndTheirNeighbours) {
  std::vector<uint64_t> cases = {0, UINT64_MAX, UINT64_MAX - 1};
  for (uint64_t power = 1, i = 0; i < 20; ++i, power *= 10) {
    for (uint64_t n : {power - 1, power, power + 1, power * 5}) cases.push_back(n);
  }
  for (uint64_t n : cases) EXPECT_EQ(Text(PutInteger, n), std::to_string(n));
}

TEST(DecimalText, FourDigitsHaveZerosInFront) {
  for (uint32_t n = 0; n < 10'000; ++n) {
    ASSERT_EQ(Text(PutFourDigits, n), std::to_string(10'000 + n).substr(1));
  }
}

TEST(DecimalText, DecimalsOfUpToFiveDigitsBehindThePoint) {
  for (int64_t power : {10, 100, 1'000, 10'000, 100'000}) {
    for (int64_t k = 0; k < 120'000; k += k < 20'000 ? 1 : 37) {
      const double value = static_cast<double>(k) / static_cast<double>(power);
      ASSERT_EQ(Text(PutFloat, value), ByLibrary(value));
      ASSERT_EQ(Text(PutFloat, -value), ByLibrary(-value));
    }
  }
}

TEST(DecimalText, AnyDoublesAndThoseNextToShortOnes) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 300'000; ++round) {
    double value = std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 75) - 75);
    if (round % 3 == 1) value = static_cast<double>(random() % 10'000'000'000) / 1e4;
    if (round % 3 == 2) value = std::nextafter(static_cast<double>(random() % 100'000'000) / 100, 0);
    if (value != 0 && (value < 1e-6 || value >= 1e15)) continue;
    ASSERT_EQ(Text(PutFloat, value), ByLibrary(value)) << round;
  }
}

TEST(DecimalText, EdgesOfWhatIsWritten) {
  EXPECT_EQ(Text(PutFloat, 0.0), "0");
  EXPECT_EQ(Text(PutFloat, -0.0), "-0");
  EXPECT_EQ(Text(PutFloat, 1e-6), "0.000001");
  EXPECT_EQ(Text(PutFloat, 1.2345678901234567e-06), "0.0000012345678901234567");
  EXPECT_EQ(Text(PutFloat, 999999999999999.0), "999999999999999");
  EXPECT_EQ(Text(PutFloat, -999999999999999.9), "-999999999999999.9");
  for (double value : {1e15, -1e15, 9.99999999999999e-07, 5e-324, 1e300, HUGE_VAL, -HUGE_VAL, std::nan("")}) {
    EXPECT_EQ(Text(PutFloat, value), "none") << value;
  }
}

}  // namespace
}  // namespace narthex
