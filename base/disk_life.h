// What a flash disk says of its wear: eMMC in /sys, NVMe in its SMART log where the process may read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace narthex {

struct DiskLife {
  std::string device;    // "mmcblk0"
  std::string kind;      // "eMMC", "NVMe"
  int used_percent = 0;  // of the life that the maker promises; eMMC tells it in steps of ten, the upper end
  std::string reserve;   // of spare blocks: "normal", "warning", "urgent"; "" if the disk does not tell
  int64_t bytes_written = 0;  // over its life; 0 if the disk does not tell
  // Until the promised life is used up, if the disk is used as it was so far. Unset while nothing is used.
  std::optional<int64_t> days_left;
};

// The disk that holds `path`. Nothing where no disk tells: SD cards, hard disks, virtual disks. Reads a few
// files.
std::optional<DiskLife> ReadDiskLife(const std::string& path, int64_t now_ms, const std::string& sys = "/sys",
                                     const std::string& dev = "/dev");
// The SMART log page of an NVMe disk, 512 bytes.
std::optional<DiskLife> ParseNvmeLog(std::string_view log);

}  // namespace narthex
