// The CUDA library on a device, against the same code on the host. Skipped by name where there is none.
#include <dlfcn.h>

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/cuda/differential.h"

namespace narthex::cuda {
namespace {

#ifndef NARTHEX_CUDA_LIBRARY
#define NARTHEX_CUDA_LIBRARY ""
#endif

class CudaDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(NARTHEX_CUDA_LIBRARY)) GTEST_SKIP() << "the CUDA library is not built";
    void* const library = dlopen(NARTHEX_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    const auto entry = reinterpret_cast<const promql::DeviceApi* (*)()>(dlsym(library, promql::kDeviceEntry));
    ASSERT_NE(entry, nullptr);
    api_ = entry();
    ASSERT_EQ(api_->abi, promql::kDeviceAbi);
    char error[256] = "";
    promql::DeviceOptions options;
    options.cache_bytes = 32 << 20;
    device_ = api_->open(&options, error, sizeof(error));
    if (device_ == nullptr) GTEST_SKIP() << "no CUDA device: " << error;
  }
  void TearDown() override {
    if (device_ != nullptr) api_->close(device_);
  }

  const promql::DeviceApi* api_ = nullptr;
  void* device_ = nullptr;
};

TEST_F(CudaDevice, GivesTheHostsBits) {
  const promql::DeviceOptions options;
  char error[64];
  void* const host = HostDevice()->open(&options, error, sizeof(error));
  for (uint64_t seed = 0; seed < 300; ++seed) {
    EXPECT_EQ(Compare(*api_, device_, *HostDevice(), host, seed), "");
  }
  HostDevice()->close(host);
}

// What the test above does, between two host devices: it must work where no device is.
TEST(Differential, FindsNoDifferenceBetweenTwoHostDevices) {
  promql::DeviceOptions options;
  options.cache_bytes = 200'000;
  char error[64];
  void* const a = HostDevice()->open(&options, error, sizeof(error));
  void* const b = HostDevice()->open(&options, error, sizeof(error));
  int answered = 0;
  for (uint64_t seed = 0; seed < 25; ++seed) {
    EXPECT_EQ(Compare(*HostDevice(), a, *HostDevice(), b, seed), "");
    RandomQuery query = MakeQuery(seed);
    answered += Answer(*HostDevice(), a, &query, seed).status == promql::kDeviceOk ? 1 : 0;
  }
  EXPECT_EQ(answered, 25);
  HostDevice()->close(a);
  HostDevice()->close(b);
}

}  // namespace
}  // namespace narthex::cuda
