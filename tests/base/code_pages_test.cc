#include "base/code_pages.h"

#include <cstdio>
#include <string>

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
