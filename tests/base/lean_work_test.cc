#include "base/lean_work.h"

#include <cstdio>

#include "base/regex.h"
#include "gtest/gtest.h"

namespace narthex {
namespace {

// Pages of files that the process holds, in KiB.
long FileKiB() {
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (status == nullptr) return -1;
  char line[256];
  long kib = -1;
  while (std::fgets(line, sizeof(line), status) != nullptr && std::sscanf(line, "RssFile: %ld", &kib) != 1) {
  }
  std::fclose(status);
  return kib;
}

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
