#include "base/disk_life.h"

#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "base/strings.h"

namespace narthex {
namespace {

namespace fs = std::filesystem;

constexpr size_t kNvmeLogBytes = 512;
constexpr int64_t kDayMs = 24 * 3600 * 1000;
constexpr int64_t kNvmeUnitBytes = 512'000;  // a thousand sectors

std::string FirstLine(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// The folder in /sys of the whole disk below `path`; "" if there is none (network, memory).
fs::path DiskFolder(const std::string& path, const std::string& sys) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return {};
  std::error_code error;
  fs::path folder =
      fs::canonical(fs::path(sys) / "dev/block" / StrCat(major(info.st_dev), ":", minor(info.st_dev)), error);
  if (error) return {};
  // Mapped disks (encryption, LVM) stand on others.
  for (int depth = 0; depth < 8; ++depth) {
    fs::directory_iterator below(folder / "slaves", error);
    if (error || below == fs::directory_iterator()) break;
    folder = fs::canonical(below->path(), error);
    if (error) return {};
  }
  return fs::exists(folder / "partition", error) ? folder.parent_path() : folder;
}

std::optional<int64_t> DaysLeft(double days_in_use, int used_percent) {
  if (used_percent <= 0 || days_in_use < 1) return std::nullopt;
  return static_cast<int64_t>(days_in_use * std::max(0, 100 - used_percent) / used_percent);
}

// eMMC: "0x02 0x01" for its two kinds of cells, each step a tenth; 0 = it does not tell, 11 = more than all.
std::optional<DiskLife> ReadEmmc(const fs::path& disk, int64_t now_ms) {
  unsigned a = 0, b = 0;
  std::string life = FirstLine(disk / "device/life_time");
  if (std::sscanf(life.c_str(), "%x %x", &a, &b) < 1 || std::max(a, b) == 0 || std::max(a, b) > 11) {
    return std::nullopt;
  }
  DiskLife out;
  out.kind = "eMMC";
  out.used_percent = static_cast<int>(std::min(std::max(a, b), 10u) * 10);
  unsigned reserve = 0;
  static constexpr std::array<const char*, 4> kReserves = {"", "normal", "warning", "urgent"};
  if (std::sscanf(FirstLine(disk / "device/pre_eol_info").c_str(), "%x", &reserve) == 1 && reserve < 4) {
    out.reserve = kReserves[reserve];
  }
  int month = 0, year = 0;
  if (std::sscanf(FirstLine(disk / "device/date").c_str(), "%d/%d", &month, &year) == 2) {
    std::tm made{};
    made.tm_year = year - 1900;
    made.tm_mon = month - 1;
    made.tm_mday = 1;
    double days = static_cast<double>(now_ms - static_cast<int64_t>(timegm(&made)) * 1000) / kDayMs;
    out.days_left = DaysLeft(days, out.used_percent);
  }
  return out;
}

std::optional<DiskLife> ReadNvme(const std::string& device) {
  int fd = open(device.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::array<char, kNvmeLogBytes> log{};
  nvme_admin_cmd command{};
  command.opcode = 0x02;  // get log page
  command.nsid = 0xffffffff;
  command.addr = reinterpret_cast<uintptr_t>(log.data());
  command.data_len = kNvmeLogBytes;
  command.cdw10 = 0x02 | (kNvmeLogBytes / 4 - 1) << 16;  // SMART; length in words, less one
  int result = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);
  close(fd);
  if (result != 0) return std::nullopt;
  return ParseNvmeLog({log.data(), log.size()});
}

}  // namespace

std::optional<DiskLife> ParseNvmeLog(std::string_view log) {
  if (log.size() < kNvmeLogBytes) return std::nullopt;
  auto number = [&](size_t at) {  // the low half of 128 bits
    uint64_t n = 0;
    for (size_t i = 8; i-- > 0;) n = n << 8 | static_cast<unsigned char>(log[at + i]);
    return n;
  };
  DiskLife out;
  out.kind = "NVMe";
  out.used_percent = static_cast<unsigned char>(log[5]);
  int spare = static_cast<unsigned char>(log[3]), threshold = static_cast<unsigned char>(log[4]);
  out.reserve = spare < threshold ? "urgent" : "normal";
  uint64_t units = std::min<uint64_t>(number(48), INT64_MAX / kNvmeUnitBytes);
  out.bytes_written = static_cast<int64_t>(units) * kNvmeUnitBytes;
  out.days_left = DaysLeft(static_cast<double>(number(128)) / 24, out.used_percent);
  return out;
}

std::optional<DiskLife> ReadDiskLife(const std::string& path, int64_t now_ms, const std::string& sys,
                                     const std::string& dev) {
  fs::path disk = DiskFolder(path, sys);
  if (disk.empty()) return std::nullopt;
  std::string name = disk.filename().string();
  std::optional<DiskLife> life =
      name.starts_with("nvme") ? ReadNvme(StrCat(dev, "/", name)) : ReadEmmc(disk, now_ms);
  if (life) life->device = name;
  return life;
}

}  // namespace narthex
