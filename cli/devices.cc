#include "cli/devices.h"

#include <algorithm>
#include <filesystem>

namespace narthex::cli {
namespace {

constexpr char kLibrary[] = "libnarthex_cuda.so";

promql::KernelMode ModeOf(const std::string& name) {
  return name == "cpu"    ? promql::KernelMode::kCpu
         : name == "cuda" ? promql::KernelMode::kCuda
                          : promql::KernelMode::kAuto;
}

// Beside the program, where an installation puts libraries, and wherever the system looks.
std::vector<std::string> LibraryPlaces() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  std::vector<std::string> out;
  for (const std::filesystem::path& place :
       {program.parent_path() / kLibrary, program.parent_path() / "../lib" / kLibrary}) {
    if (!error && std::filesystem::exists(place, error)) out.push_back(place.string());
  }
  out.push_back(kLibrary);
  return out;
}

}  // namespace

std::unique_ptr<promql::Devices> OpenDevices(const ServeFlags& flags, const Clock* clock,
                                             const Logger* logger, MetricsRegistry* metrics) {
  promql::DevicesOptions options;
  options.mode = ModeOf(flags.promql_kernels);
  options.libraries = LibraryPlaces();
  options.device.cache_bytes = static_cast<uint64_t>(std::max<int64_t>(0, flags.device_memory));
  options.device.reserve_bytes = static_cast<uint64_t>(std::max<int64_t>(0, flags.device_reserve));
  options.retention_ms = flags.retention_ms;
  options.clock = clock;
  options.logger = logger;
  options.metrics = metrics;
  return promql::Devices::Create(std::move(options));
}

}  // namespace narthex::cli
