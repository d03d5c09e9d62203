// A query's work on the device: copies on one queue, kernels on another.
#pragma once

#include <memory>
#include <vector>

#include "cuda/cuda_memory.h"
#include "cuda/launches.h"

namespace narthex::cuda {

// What the launches must know of the device.
struct LaunchLimits {
  uint32_t processors = 1;
  uint64_t shared_bytes = 0;  // that a block may ask for
};

class CudaStream : public Stream {
 public:
  CudaStream(CudaMemory* memory, std::unique_ptr<Queues> queues, const LaunchLimits& limits)
      : memory_(memory), queues_(std::move(queues)), limits_(limits) {}
  ~CudaStream() override;

  int32_t BeginUpload(uint32_t slot) override;
  void Upload(void* to, const void* from, uint64_t bytes) override;
  void UploadAll(const std::vector<Copy>& copies, const promql::DeviceHelpers& helpers) override;
  void EndUpload() override;
  void EndSlot(uint32_t slot) override;

  void Windows(const WindowBatch& batch) override;
  void Series(const SeriesBatch& batch, uint32_t ring_size) override;
  void Init(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) override;
  void Combine(const GroupBatch& batch) override;
  void FinishGroups(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) override;
  void Histogram(const HistogramBatch& batch) override;
  void Clear(void* at, uint64_t bytes) override;

  int32_t Download(void* to, const void* from, uint64_t bytes) override;
  int32_t Wait() override;
  int32_t Status() const override { return status_; }

  cudaStream_t compute() const { return queues_->compute; }

 private:
  void Note(cudaError_t error) {
    if (error != cudaSuccess && status_ == promql::kDeviceOk) status_ = StatusOf(error);
  }
  bool Go(uint64_t work) const { return work > 0 && status_ == promql::kDeviceOk; }
  // A way into the pinned ring that is not gone yet.
  struct Slice {
    uint8_t* to = nullptr;
    const uint8_t* from = nullptr;
    uint64_t bytes = 0;
    uint64_t first = 0;  // bytes of the slices before it
  };
  void Append(const Copy& copy, const promql::DeviceHelpers& helpers);
  void Join(uint8_t* to);
  void Fill(const promql::DeviceHelpers& helpers);
  void FillPart(uint64_t begin, uint64_t end) const;
  void EndCopy();
  void Await(cudaEvent_t event);
  void Flush(const promql::DeviceHelpers& helpers = {});
  void NextChunk(const promql::DeviceHelpers& helpers);
  bool ReserveWide(uint64_t bytes);

  CudaMemory* const memory_;
  std::unique_ptr<Queues> queues_;
  const LaunchLimits limits_;
  int32_t status_ = promql::kDeviceOk;
  bool slot_used_[kSlots] = {};
  double* wide_ = nullptr;
  uint64_t wide_size_ = 0;
  // The pinned ring: the chunk that is filled; what is to be copied into it; the copies from there that are
  // not on their way yet, and the last one of them, which may still grow.
  uint32_t chunk_ = 0;
  uint64_t fill_ = 0, pending_ = 0, pending_at_ = 0;
  uint8_t* pending_to_ = nullptr;
  std::vector<Slice> slices_;
  std::vector<Copy> copies_;
};

}  // namespace narthex::cuda
