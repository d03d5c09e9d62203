// What the process holds, as the system counts it.
#pragma once

#include <cstdio>

namespace narthex {

// Pages of files, in KiB; -1 if the system does not tell.
inline long FileKiB() {
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (status == nullptr) return -1;
  char line[256];
  long kib = -1;
  while (std::fgets(line, sizeof(line), status) != nullptr && std::sscanf(line, "RssFile: %ld", &kib) != 1) {
  }
  std::fclose(status);
  return kib;
}

}  // namespace narthex
