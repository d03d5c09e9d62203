#include "base/disk_life.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>

#include "base/strings.h"

namespace narthex {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNow = 1'700'000'000'000;  // 14 November 2023

// A /sys in which the disk of the test's folder is an eMMC with a partition.
class DiskLifeTest : public ::testing::Test {
 protected:
  DiskLifeTest() {
    root_ = fs::path(::testing::TempDir()) / "narthex_disk_life";
    fs::remove_all(root_);
    disk_ = root_ / "devices/mmc0/block/mmcblk0";
    fs::create_directories(disk_ / "device");
    fs::create_directories(disk_ / "mmcblk0p2");
    fs::create_directories(root_ / "dev/block");
    Write(disk_ / "mmcblk0p2/partition", "2");
  }
  ~DiskLifeTest() override { fs::remove_all(root_); }
  void Write(const fs::path& file, const std::string& text) { std::ofstream(file) << text << "\n"; }
  void Point(const fs::path& folder) {
    struct stat info {};
    ASSERT_EQ(stat(root_.c_str(), &info), 0);
    fs::create_symlink(folder, root_ / "dev/block" / StrCat(major(info.st_dev), ":", minor(info.st_dev)));
  }
  std::optional<DiskLife> Read() {
    return ReadDiskLife(root_.string(), kNow, root_.string(), root_.string());
  }

  fs::path root_, disk_;
};

TEST_F(DiskLifeTest, AnEmmcTellsItsLifeInTenths) {
  Point(disk_ / "mmcblk0p2");
  Write(disk_ / "device/life_time", "0x01 0x03");
  Write(disk_ / "device/pre_eol_info", "0x02");
  Write(disk_ / "device/date", "11/2020");
  std::optional<DiskLife> life = Read();
  ASSERT_TRUE(life);
  EXPECT_EQ(life->device, "mmcblk0");
  EXPECT_EQ(life->kind, "eMMC");
  EXPECT_EQ(life->used_percent, 30);
  EXPECT_EQ(life->reserve, "warning");
  EXPECT_EQ(life->days_left, 2587);  // 1108.9 days used up at most 30 percent
}

TEST_F(DiskLifeTest, AMappedDiskIsTheOneBelow) {
  fs::create_directories(root_ / "devices/dm-0/slaves");
  fs::create_symlink(disk_ / "mmcblk0p2", root_ / "devices/dm-0/slaves/mmcblk0p2");
  Point(root_ / "devices/dm-0");
  Write(disk_ / "device/life_time", "0x0b 0x01");
  std::optional<DiskLife> life = Read();
  ASSERT_TRUE(life);
  EXPECT_EQ(life->device, "mmcblk0");
  EXPECT_EQ(life->used_percent, 100);
  EXPECT_FALSE(life->days_left) << "nobody knows how old it is";
}

TEST_F(DiskLifeTest, WhatTellsNothingHasNoLife) {
  EXPECT_FALSE(Read()) << "an unknown device";
  Point(disk_);
  EXPECT_FALSE(Read()) << "an SD card has no life_time";
  Write(disk_ / "device/life_time", "0x00 0x00");
  EXPECT_FALSE(Read()) << "not defined";
  Write(disk_ / "device/life_time", "nonsense");
  EXPECT_FALSE(Read());
}

TEST(NvmeLogTest, TellsPercentageBytesAndDays) {
  std::string log(512, '\0');
  log[3] = 100;  // spare
  log[4] = 10;   // threshold
  log[5] = 4;
  log[48] = 2;  // units
  log[128] = static_cast<char>(0xe0);
  log[129] = 0x2e;  // 12,000 hours
  std::optional<DiskLife> life = ParseNvmeLog(log);
  ASSERT_TRUE(life);
  EXPECT_EQ(life->kind, "NVMe");
  EXPECT_EQ(life->used_percent, 4);
  EXPECT_EQ(life->reserve, "normal");
  EXPECT_EQ(life->bytes_written, 1'024'000);
  EXPECT_EQ(life->days_left, 12'000);
  log[3] = 5;
  EXPECT_EQ(ParseNvmeLog(log)->reserve, "urgent");
  log[5] = 0;
  EXPECT_FALSE(ParseNvmeLog(log)->days_left);
  EXPECT_FALSE(ParseNvmeLog("short"));
}

}  // namespace
}  // namespace narthex
