// Memory and queues of the one device that is used, kept from query to query because making them costs more
// than a small query does.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "promql/device.h"

namespace narthex::cuda {

inline int32_t StatusOf(cudaError_t error) {
  if (error == cudaSuccess) return promql::kDeviceOk;
  return error == cudaErrorMemoryAllocation ? promql::kDeviceOutOfMemory : promql::kDeviceLost;
}

// What a stream works with: two queues of low priority, so that what else runs on the device goes first, and
// a ring of pinned memory. Used by one thread at a time.
struct Queues {
  static constexpr uint32_t kChunks = 4;
  static constexpr uint64_t kChunk = 8 << 20;

  ~Queues();
  int32_t Open();

  cudaStream_t copy = nullptr, compute = nullptr;
  cudaEvent_t uploaded = nullptr, slot_done[2] = {}, chunk_done[kChunks] = {};
  uint8_t* chunks[kChunks] = {};
  // How many blocks of SeriesRows fit into a processor, by kind and log2 of the ring; 0: not asked yet.
  int series_blocks[2][32] = {};
};

// Thread-safe.
class CudaMemory {
 public:
  ~CudaMemory();
  void* Allocate(uint64_t bytes);
  void Free(void* at);
  void SetReserve(uint64_t bytes);
  // Gives back what is kept for the next query.
  void Trim();
  uint64_t FreeBytes() const;

  std::unique_ptr<Queues> TakeQueues();  // nullptr: the device does not answer
  void ReturnQueues(std::unique_ptr<Queues> queues);

 private:
  void TrimLocked();
  void* NewBlock(uint64_t size) const;

  mutable std::mutex mutex_;
  std::unordered_map<void*, uint64_t> sizes_;
  std::multimap<uint64_t, void*> kept_;
  uint64_t kept_bytes_ = 0, reserve_ = 0;
  std::vector<std::unique_ptr<Queues>> queues_;
};

}  // namespace narthex::cuda
