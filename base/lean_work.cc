#include "base/lean_work.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/heap.h"

namespace narthex {
namespace {

// Releasing, and taking back what is in use, costs some hundred microseconds.
constexpr int64_t kPauseNs = 10'000'000;
constexpr int64_t kLeastBytes = 6 << 20;

// Pages of files that the process has mapped; 0 if nobody knows.
int64_t MappedPages() {
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[128];
  const ssize_t n = ::read(fd, text, sizeof(text) - 1);
  ::close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  long long size = 0, resident = 0, shared = 0;
  return std::sscanf(text, "%lld %lld %lld", &size, &resident, &shared) == 3 ? shared : 0;
}

int64_t NowNs() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * int64_t{1'000'000'000} + t.tv_nsec;
}

}  // namespace

// An eighth less, as it grows until the next step; what the work needs anyway is not taken from it.
LeanWork::LeanWork() : most_(std::max(MappedPages() / 8 * 7, kLeastBytes / sysconf(_SC_PAGESIZE))) {}

LeanWork::~LeanWork() {
  if (!code_) return;
  code_->Release();
  ReleaseFreeHeap();
}

void LeanWork::Step() {
  if (!code_ || (NowNs() - released_ns_ >= kPauseNs && MappedPages() > most_)) Turn();
}

void LeanWork::Turn() {
  if (code_) {
    code_->Release();
  } else {
    code_.emplace();  // releases, too
    ReleaseFreeHeap();
  }
  released_ns_ = NowNs();
}

}  // namespace narthex
