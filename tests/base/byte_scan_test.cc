#include "base/byte_scan.h"

#include <gtest/gtest.h>

#include <string>

namespace narthex {
namespace {

bool HasQuote(std::string_view text) {
  return AnyByte(text, [](Bytes16 c) { return c == '"'; });
}

TEST(ByteScan, FindsAByteWhereverItStandsInTextsOfEachLength) {
  for (size_t size = 0; size <= 70; ++size) {
    // Around the text are bytes that are looked for.
    const std::string around =
        "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"" + std::string(size, 'a') + "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"";
    EXPECT_FALSE(HasQuote(std::string_view(around).substr(16, size))) << size;
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      text[at] = '"';
      EXPECT_TRUE(HasQuote(text)) << at << " of " << size;
    }
  }
}

}  // namespace
}  // namespace narthex
