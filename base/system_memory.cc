#include "base/system_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/strings.h"

namespace narthex {
namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The group of a cgroup v2 hierarchy, as /proc/self/cgroup names it ("0::/system.slice/...").
std::string GroupPath() {
  std::string line = FirstLine("/proc/self/cgroup");
  return line.starts_with("0::") ? line.substr(3) : "/";
}

}  // namespace

int64_t ParseCgroupLimit(const std::string& text) {
  int64_t limit = 0;
  // Version 1 writes a number near 2^63 where there is no limit.
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max() / 2;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &limit) || limit <= 0 || limit > kNone) return 0;
  return limit;
}

int64_t MemoryLimitBytes() {
  int64_t limit = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  std::string group = GroupPath();
  for (const std::string& path :
       {StrCat("/sys/fs/cgroup", group, "/memory.max"), std::string("/sys/fs/cgroup/memory.max"),
        std::string("/sys/fs/cgroup/memory/memory.limit_in_bytes")}) {
    if (int64_t bytes = ParseCgroupLimit(FirstLine(path)); bytes > 0) limit = std::min(limit, bytes);
  }
  return limit;
}

}  // namespace narthex
