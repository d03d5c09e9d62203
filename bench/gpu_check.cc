// Differential fuzzing of the CUDA library against the host's code, without a test framework.
//   gpu_check LIBRARY SECONDS [FIRST_SEED]
// Ends with 0 if all answers had the same bits, 77 if there is no device.
#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/cuda/differential.h"

int main(int argc, char** argv) {
  using narthex::promql::DeviceApi;
  if (argc < 3) {
    std::fprintf(stderr, "usage: gpu_check LIBRARY SECONDS [FIRST_SEED]\n");
    return 2;
  }
  void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  const auto entry = reinterpret_cast<const DeviceApi* (*)()>(dlsym(library, narthex::promql::kDeviceEntry));
  if (entry == nullptr || entry()->abi != narthex::promql::kDeviceAbi) {
    std::fprintf(stderr, "%s is no device library of this version\n", argv[1]);
    return 1;
  }
  char error[256] = "";
  narthex::promql::DeviceOptions options;
  options.cache_bytes = 64 << 20;
  void* const device = entry()->open(&options, error, sizeof(error));
  if (device == nullptr) {
    std::printf("SKIPPED gpu_check: no CUDA device: %s\n", error);
    return 77;
  }
  narthex::promql::DeviceInfo info;
  entry()->info(device, &info);
  std::printf("calibration: %.1f ms; copy %.1f GB/s, device %.0f GB/s, %.1f G samples/s, a launch %.1f us\n",
              info.calibration_seconds * 1e3, info.copy_rate / 1e9, info.device_rate / 1e9,
              info.sample_rate / 1e9, info.launch_seconds * 1e6);
  const DeviceApi& host_api = *narthex::cuda::HostDevice();
  void* const host = host_api.open(&options, error, sizeof(error));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[2]));
  uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1, queries = 0, wrong = 0;
  for (; std::chrono::steady_clock::now() < end && wrong < 10; ++seed, ++queries) {
    const std::string difference = narthex::cuda::Compare(*entry(), device, host_api, host, seed);
    if (difference.empty()) continue;
    ++wrong;
    std::printf("DIFFERENT %s\n", difference.c_str());
  }
  std::printf("gpu_check: %llu queries, %llu different\n", static_cast<unsigned long long>(queries),
              static_cast<unsigned long long>(wrong));
  entry()->close(device);
  host_api.close(host);
  return wrong == 0 ? 0 : 1;
}
