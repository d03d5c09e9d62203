#include "base/code_pages.h"

#include <string>

#include "base/regex.h"
#include "gtest/gtest.h"
#include "tests/support/resident.h"

namespace narthex {
namespace {

TEST(CodePagesTest, ReleasesWhatIsNotUsedAndTheProgramGoesOn) {
  const long before = FileKiB();
  ReleaseUnusedCode();
  const long after = FileKiB();
  if (before >= 0) {
    EXPECT_LT(after, before);
  }
  auto regex = Regex::Compile("a.c|x[0-9]+");
  ASSERT_TRUE(regex.ok());
  EXPECT_TRUE(regex->Matches("x12"));
}

}  // namespace
}  // namespace narthex
