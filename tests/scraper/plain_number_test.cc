#include "scraper/plain_number.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace narthex::scraper {
namespace {

bool IsPlain(const std::string& text) {
  const size_t dot = text.find('.');
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto all_digits = [digit](std::string_view part) {
    return std::all_of(part.begin(), part.end(), digit);
  };
  if (dot == text.npos) return !text.empty() && text.size() <= 15 && all_digits(text);
  const std::string_view before = std::string_view(text).substr(0, dot);
  const std::string_view behind = std::string_view(text).substr(dot + 1);
  const auto fits = [](std::string_view part) { return !part.empty() && part.size() <= 7; };
  return fits(before) && fits(behind) && all_digits(before) && all_digits(behind);
}

TEST(PlainNumber, IsReadAsTheLibraryReadsItOrNotAtAll) {
  if (std::endian::native != std::endian::little) GTEST_SKIP() << "it reads nothing there";
  std::mt19937_64 random(1);
  constexpr char kBytes[] = "0123456789.e-+ \n\x80\xff";
  for (int run = 0; run < 300'000; ++run) {
    std::string text;
    for (uint64_t n = random() % 18; n > 0; --n) {
      text +=
          random() % 8 > 0 ? static_cast<char>('0' + random() % 10) : kBytes[random() % (sizeof(kBytes) - 1)];
    }
    std::string bytes = text + "\n";
    while (bytes.size() < 40) bytes += kBytes[random() % (sizeof(kBytes) - 1)];
    text = bytes.substr(0, bytes.find('\n'));
    double value = 0;
    size_t length = 0;
    ASSERT_EQ(ReadPlainNumber(bytes.data(), &value, &length), IsPlain(text)) << text;
    if (!IsPlain(text)) continue;
    ASSERT_EQ(length, text.size());
    ASSERT_EQ(value, std::strtod(text.c_str(), nullptr)) << text;
  }
}

}  // namespace
}  // namespace narthex::scraper
