#include "cuda/cuda_memory.h"

namespace narthex::cuda {
namespace {

constexpr uint64_t kMostKept = 512 << 20;
constexpr size_t kMostQueues = 4;

// So coarse that queries of about the same size fit into each other's blocks.
uint64_t Rounded(uint64_t bytes) {
  uint64_t step = 64 << 10;
  while (step * 8 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

}  // namespace

Queues::~Queues() {
  // Nothing may be on its way from or to memory that is freed.
  for (cudaStream_t stream : {copy, compute}) {
    if (stream == nullptr) continue;
    (void)cudaStreamSynchronize(stream);
    cudaStreamDestroy(stream);
  }
  for (uint8_t* chunk : chunks) cudaFreeHost(chunk);
  for (cudaEvent_t event : {uploaded, slot_done[0], slot_done[1]}) {
    if (event != nullptr) cudaEventDestroy(event);
  }
  for (cudaEvent_t event : chunk_done) {
    if (event != nullptr) cudaEventDestroy(event);
  }
}

int32_t Queues::Open() {
  int least = 0, greatest = 0;
  cudaError_t error = cudaDeviceGetStreamPriorityRange(&least, &greatest);
  for (cudaStream_t* stream : {&copy, &compute}) {
    if (error == cudaSuccess) error = cudaStreamCreateWithPriority(stream, cudaStreamNonBlocking, least);
  }
  const unsigned flags = cudaEventDisableTiming | cudaEventBlockingSync;
  for (cudaEvent_t* event : {&uploaded, &slot_done[0], &slot_done[1]}) {
    if (error == cudaSuccess) error = cudaEventCreateWithFlags(event, flags);
  }
  for (uint32_t i = 0; i < kChunks; ++i) {
    if (error == cudaSuccess) error = cudaEventCreateWithFlags(&chunk_done[i], flags);
    if (error == cudaSuccess) {
      error = cudaHostAlloc(reinterpret_cast<void**>(&chunks[i]), kChunk, cudaHostAllocDefault);
    }
  }
  return StatusOf(error);
}

CudaMemory::~CudaMemory() {
  queues_.clear();
  TrimLocked();
}

void* CudaMemory::Allocate(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const uint64_t size = Rounded(bytes);
  const auto kept = kept_.lower_bound(size);
  if (kept != kept_.end() && kept->first <= 2 * size) {
    void* const at = kept->second;
    sizes_[at] = kept->first;
    kept_bytes_ -= kept->first;
    kept_.erase(kept);
    return at;
  }
  void* at = NewBlock(size);
  if (at == nullptr) {
    TrimLocked();
    at = NewBlock(size);
  }
  if (at != nullptr) sizes_[at] = size;
  return at;
}

// nullptr if there is no room beside the reserve.
void* CudaMemory::NewBlock(uint64_t size) const {
  if (reserve_ > 0 && FreeBytes() < reserve_ + size) return nullptr;
  void* at = nullptr;
  if (cudaMalloc(&at, size) == cudaSuccess) return at;
  (void)cudaGetLastError();  // it would be taken for a kernel's
  return nullptr;
}

void CudaMemory::SetReserve(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  reserve_ = bytes;
}

void CudaMemory::Free(void* at) {
  const std::lock_guard lock(mutex_);
  const auto found = sizes_.find(at);
  if (found == sizes_.end()) return;
  const uint64_t size = found->second;
  sizes_.erase(found);
  if (kept_bytes_ + size > kMostKept) {
    cudaFree(at);
    return;
  }
  kept_.emplace(size, at);
  kept_bytes_ += size;
}

void CudaMemory::Trim() {
  const std::lock_guard lock(mutex_);
  TrimLocked();
}

void CudaMemory::TrimLocked() {
  for (const auto& [size, at] : kept_) cudaFree(at);
  kept_.clear();
  kept_bytes_ = 0;
}

uint64_t CudaMemory::FreeBytes() const {
  size_t free = 0, total = 0;
  return cudaMemGetInfo(&free, &total) == cudaSuccess ? free : 0;
}

std::unique_ptr<Queues> CudaMemory::TakeQueues() {
  {
    const std::lock_guard lock(mutex_);
    if (!queues_.empty()) {
      std::unique_ptr<Queues> out = std::move(queues_.back());
      queues_.pop_back();
      return out;
    }
  }
  auto made = std::make_unique<Queues>();
  return made->Open() == promql::kDeviceOk ? std::move(made) : nullptr;
}

void CudaMemory::ReturnQueues(std::unique_ptr<Queues> queues) {
  const std::lock_guard lock(mutex_);
  if (queues_.size() < kMostQueues) queues_.push_back(std::move(queues));
}

}  // namespace narthex::cuda
