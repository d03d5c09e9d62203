// cuda/cuda_backend.cc, and with it the whole library as it is loaded, on the emulated runtime.
#include <cuda_runtime.h>

#include "gtest/gtest.h"
#include "tests/cuda/differential.h"

extern "C" const narthex::promql::DeviceApi* narthex_device();

namespace narthex::cuda {
namespace {

class EmulatedLibrary : public ::testing::Test {
 protected:
  void SetUp() override { Reset(); }
  void TearDown() override {
    if (device_ != nullptr) api_.close(device_);
    Reset();
  }
  static void Reset() {
    EmulatedFailure(-1, cudaSuccess);
    EmulatedEagerness(30, 1);
    EmulatedProcessors(3);
  }
  // The reason, if there is no device.
  std::string Open(const promql::DeviceOptions& options = {}) {
    char error[256] = "";
    device_ = api_.open(&options, error, sizeof(error));
    return error;
  }
  promql::DeviceInfo Info() {
    promql::DeviceInfo info;
    api_.info(device_, &info);
    return info;
  }
  promql::DeviceUse Use() {
    promql::DeviceUse use;
    api_.use(device_, &use);
    return use;
  }

  const promql::DeviceApi& api_ = *narthex_device();
  void* device_ = nullptr;
};

TEST_F(EmulatedLibrary, MeasuresTheDeviceWhenItIsOpened) {
  ASSERT_EQ(Open(), "");
  const promql::DeviceInfo info = Info();
  EXPECT_STREQ(info.backend, "cuda");
  EXPECT_STREQ(info.name, "emulated");
  EXPECT_EQ(info.capability, 90);
  EXPECT_GT(info.copy_rate, 0);
  EXPECT_GT(info.device_rate, 0);
  EXPECT_GT(info.sample_rate, 0);
  EXPECT_GT(info.launch_seconds, 0);
  EXPECT_GT(info.calibration_seconds, 0);
}

TEST_F(EmulatedLibrary, GivesTheHostsBits) {
  promql::DeviceOptions options;
  options.cache_bytes = 200'000;
  ASSERT_EQ(Open(options), "");
  char error[64];
  void* const host = HostDevice()->open(&options, error, sizeof(error));
  for (uint64_t seed = 100; seed < 125; ++seed) {
    EXPECT_EQ(Compare(api_, device_, *HostDevice(), host, seed), "");
  }
  HostDevice()->close(host);
  EXPECT_GT(Use().hits, 0u);
}

TEST_F(EmulatedLibrary, TakesAQuarterOfTheFreeMemoryAndNeverTheReserve) {
  size_t free = 0, total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  ASSERT_EQ(Open(), "");
  EXPECT_LE(Use().cache_budget, free / 4);
  EXPECT_GT(Use().cache_budget, free / 8);
  api_.close(device_);
  promql::DeviceOptions options;
  options.cache_bytes = free;
  options.reserve_bytes = free - (free / 10);
  ASSERT_EQ(Open(options), "");
  EXPECT_LE(Use().cache_budget, free / 10);
}

// What a query works with must not come out of the reserve either.
TEST_F(EmulatedLibrary, LeavesTheReserveToOthersWhileItWorks) {
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  promql::DeviceOptions options;
  options.cache_bytes = 1 << 20;
  options.reserve_bytes = free - (64 << 20);
  ASSERT_EQ(Open(options), "");
  RandomQuery query = MakeQuery(5);
  EXPECT_EQ(Answer(api_, device_, &query, 5).status, promql::kDeviceOk);
  void* other = nullptr;
  ASSERT_EQ(cudaMalloc(&other, 64 << 20), cudaSuccess);
  query = MakeQuery(9);
  EXPECT_EQ(Answer(api_, device_, &query, 9).status, promql::kDeviceOutOfMemory);
  cudaFree(other);
  // Nothing is left of the attempt, least of all stripes that were never filled.
  char error[64];
  void* const host = HostDevice()->open(&options, error, sizeof(error));
  EXPECT_EQ(Compare(api_, device_, *HostDevice(), host, 9), "");
  HostDevice()->close(host);
}

// Somebody else takes the device's memory: the stripes make room for it.
TEST_F(EmulatedLibrary, GivesTheCacheBackUnderPressure) {
  promql::DeviceOptions options;
  options.cache_bytes = 64 << 20;
  options.reserve_bytes = 100 << 20;
  ASSERT_EQ(Open(options), "");
  RandomQuery query = MakeQuery(5);
  ASSERT_EQ(Answer(api_, device_, &query, 5).status, promql::kDeviceOk);
  ASSERT_GT(Use().cache_bytes, 0u);
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  void* other = nullptr;
  ASSERT_EQ(cudaMalloc(&other, free - (60 << 20)), cudaSuccess);
  int32_t status = -1;
  for (int i = 0; i < 20; ++i) {
    RandomQuery small = MakeQuery(64);  // without keys: nothing of it stays
    status = Answer(api_, device_, &small, 64).status;
    EXPECT_TRUE(status == promql::kDeviceOk || status == promql::kDeviceOutOfMemory);
  }
  EXPECT_EQ(status, promql::kDeviceOk);
  EXPECT_EQ(Use().cache_bytes, 0u);
  EXPECT_GT(Use().evictions, 0u);
  cudaFree(other);
}

TEST_F(EmulatedLibrary, SaysWhyThereIsNoDevice) {
  EmulatedProcessors(0);
  EXPECT_EQ(Open(), "no CUDA-capable device is detected");
  EXPECT_EQ(device_, nullptr);
  EmulatedProcessors(3);
  EmulatedFailure(40, cudaErrorUnknown);
  EXPECT_EQ(Open(), "the device failed while it was measured: unknown error");
  EXPECT_EQ(device_, nullptr);
}

}  // namespace
}  // namespace narthex::cuda
