#include "base/lean_work.h"

#include "base/regex.h"
#include "gtest/gtest.h"
#include "tests/support/resident.h"

namespace narthex {
namespace {

TEST(LeanWorkTest, LetsGoOfCodeWithTheFirstStepAndAtTheEnd) {
  const long before = FileKiB();
  if (before < 0) GTEST_SKIP() << "the system does not tell";
  {
    LeanWork work;
    EXPECT_GE(FileKiB(), before) << "nothing was done yet";
    work.Step();
    EXPECT_LT(FileKiB(), before);
    auto regex = Regex::Compile("a.c|x[0-9]+");
    ASSERT_TRUE(regex.ok());
    EXPECT_TRUE(regex->Matches("x12"));
  }
  EXPECT_LT(FileKiB(), before);
}

TEST(LeanWorkTest, WorkWithoutStepsLeavesAllAsItWas) {
  const long before = FileKiB();
  if (before < 0) GTEST_SKIP() << "the system does not tell";
  { LeanWork work; }
  EXPECT_GE(FileKiB(), before);
}

}  // namespace
}  // namespace narthex
