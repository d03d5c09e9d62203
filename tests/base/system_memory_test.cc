#include "base/system_memory.h"

#include <gtest/gtest.h>

namespace narthex {
namespace {

TEST(SystemMemory, ReadsTheLimitsThatControlGroupsState) {
  EXPECT_EQ(ParseCgroupLimit("536870912\n"), 536870912);
  EXPECT_EQ(ParseCgroupLimit("max"), 0);
  EXPECT_EQ(ParseCgroupLimit("9223372036854771712"), 0) << "version 1's way to say: none";
  EXPECT_EQ(ParseCgroupLimit(""), 0);
  EXPECT_EQ(ParseCgroupLimit("-1"), 0);
}

TEST(SystemMemory, IsNeverMoreThanTheMachineHas) {
  EXPECT_GT(MemoryLimitBytes(), 16 << 20);
  EXPECT_LT(MemoryLimitBytes(), int64_t{1} << 50);
}

}  // namespace
}  // namespace narthex
