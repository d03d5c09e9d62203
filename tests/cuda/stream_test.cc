// cuda/cuda_stream.cc and cuda/cuda_memory.cc on an emulated runtime whose queues run late or early at
// random: whatever the schedule, the answers are those of the host's device.
#include "cuda/cuda_stream.h"

#include <cstdio>

#include "cuda/query.h"
#include "gtest/gtest.h"
#include "tests/cuda/differential.h"

namespace narthex::cuda {
namespace {

class EmulatedBackend : public Backend {
 public:
  promql::DeviceInfo Info() override { return {}; }
  uint64_t FreeBytes() override { return memory_.FreeBytes(); }
  void* Allocate(uint64_t bytes) override { return memory_.Allocate(bytes); }
  void Free(void* at) override { memory_.Free(at); }
  void SetReserve(uint64_t bytes) override { memory_.SetReserve(bytes); }
  void Trim() override { memory_.Trim(); }
  std::unique_ptr<Stream> NewStream() override {
    std::unique_ptr<Queues> queues = memory_.TakeQueues();
    if (queues == nullptr) return nullptr;
    // So little shared memory that wide windows use rings in global memory.
    return std::make_unique<CudaStream>(&memory_, std::move(queues), LaunchLimits{3, 40'000});
  }

 private:
  CudaMemory memory_;
};

class EmulatedDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    FillDeviceApi(&api_);
    EmulatedFailure(-1, cudaSuccess);
    EmulatedEagerness(0, 0);
  }
  void* Open(uint64_t cache_bytes) {
    promql::DeviceOptions options;
    options.cache_bytes = cache_bytes;
    return OpenDevice(std::make_unique<EmulatedBackend>(), options);
  }
  void* OpenHost() {
    const promql::DeviceOptions options;
    char error[64];
    return HostDevice()->open(&options, error, sizeof(error));
  }
  promql::DeviceApi api_;
};

TEST_F(EmulatedDevice, GivesTheHostsBitsWhateverTheSchedule) {
  void* const host = OpenHost();
  for (int eagerness : {0, 5, 50, 100}) {
    void* const device = Open(300'000);
    for (uint64_t seed = 0; seed < 24; ++seed) {
      EmulatedEagerness(eagerness, seed);
      EXPECT_EQ(Compare(api_, device, *HostDevice(), host, seed), "") << "eagerness " << eagerness;
    }
    api_.close(device);
  }
  HostDevice()->close(host);
}

// More bytes than the pinned ring holds, in pieces of all sizes.
TEST_F(EmulatedDevice, CopiesWhatDoesNotFitIntoTheRingAtOnce) {
  std::mt19937_64 random(9);
  for (int eagerness : {0, 20}) {
    EmulatedEagerness(eagerness, 1);
    CudaMemory memory;
    constexpr uint64_t kBytes = 24 << 20;
    std::string from(kBytes, '\0'), back(kBytes, '\0');
    for (char& c : from) c = static_cast<char>(random());
    CudaStream stream(&memory, memory.TakeQueues(), {});
    uint8_t* const to = static_cast<uint8_t*>(memory.Allocate(kBytes));
    for (uint64_t at = 0; at < kBytes;) {
      const uint64_t n =
          std::min<uint64_t>(kBytes - at, 1 + random() % (random() % 8 == 0 ? 6'000'000 : 70'000));
      std::string piece = from.substr(at, n);
      stream.Upload(to + at, piece.data(), n);
      piece.assign(n, 'x');  // may change afterwards
      at += n;
    }
    stream.EndUpload();
    ASSERT_EQ(stream.Download(back.data(), to, kBytes), promql::kDeviceOk);
    EXPECT_TRUE(from == back);
    memory.Free(to);
  }
}

// A stripe without bytes that the device does not have: nothing happens, and with its bytes all goes on.
TEST_F(EmulatedDevice, AsksForTheBytesOfWhatItDoesNotHave) {
  void* const device = Open(0);
  RandomQuery query = MakeQuery(7);
  const QueryAnswer want = Answer(api_, device, &query, 7);
  api_.close(device);
  void* const other = Open(300'000);
  promql::DeviceApi lying = api_;
  lying.resident = [](void*, const promql::DeviceStripe*, uint32_t count) { return count; };
  const QueryAnswer got = Answer(lying, other, &query, 7, /*bytes=*/false);
  EXPECT_EQ(got.missing, static_cast<int>(query.batches.size()));
  EXPECT_EQ(got.status, promql::kDeviceOk);
  EXPECT_EQ(got.present, want.present);
  EXPECT_EQ(got.best, want.best);
  for (size_t i = 0; i < want.values.size(); ++i) {
    if (want.present[i] != 0) {
      ASSERT_EQ(Bits(got.values[i]), Bits(want.values[i]));
    }
  }
  api_.close(other);
}

// An error at any call ends the query with a status, and nothing else happens.
TEST_F(EmulatedDevice, SaysWhenTheRuntimeFails) {
  RandomQuery query = MakeQuery(3);
  int failed = 0;
  for (int64_t after = 0; after < 400; after += 7) {
    for (cudaError_t error : {cudaErrorUnknown, cudaErrorMemoryAllocation}) {
      void* const device = Open(300'000);
      EmulatedFailure(after, error);
      const int32_t status = Answer(api_, device, &query, 3).status;
      EmulatedFailure(-1, cudaSuccess);
      EXPECT_TRUE(status == promql::kDeviceOk || status == promql::kDeviceLost ||
                  status == promql::kDeviceOutOfMemory);
      failed += status != promql::kDeviceOk ? 1 : 0;
      api_.close(device);
    }
  }
  EXPECT_GT(failed, 5);
}

}  // namespace
}  // namespace narthex::cuda
