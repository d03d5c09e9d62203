#include "cli/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <limits>

namespace narthex::cli {
namespace {

using Values = std::vector<std::pair<MetricLabels, double>>;

Values One(double value) { return {{MetricLabels{}, value}}; }

// Field `index` (0 = size, 1 = resident) of /proc/self/statm, in bytes.
double MemoryBytes(int index) {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  long fields[2] = {0, 0};
  int read = std::fscanf(file, "%ld %ld", &fields[0], &fields[1]);
  std::fclose(file);
  return read == 2 ? static_cast<double>(fields[index]) * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double OpenFds() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

double MaxFds() {
  rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

}  // namespace

void RegisterProcessMetrics(MetricsRegistry* registry, double start_time_seconds) {
  registry->AddCallback("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
                        "counter", [] { return One(CpuSeconds()); });
  registry->AddCallback("process_resident_memory_bytes", "Resident memory size in bytes.", "gauge",
                        [] { return One(MemoryBytes(1)); });
  registry->AddCallback("process_virtual_memory_bytes", "Virtual memory size in bytes.", "gauge",
                        [] { return One(MemoryBytes(0)); });
  registry->AddCallback("process_open_fds", "Number of open file descriptors.", "gauge",
                        [] { return One(OpenFds()); });
  registry->AddCallback("process_max_fds", "Maximum number of open file descriptors.", "gauge",
                        [] { return One(MaxFds()); });
  registry->AddCallback("process_start_time_seconds",
                        "Start time of the process since unix epoch in seconds.", "gauge",
                        [start_time_seconds] { return One(start_time_seconds); });
}

}  // namespace narthex::cli
