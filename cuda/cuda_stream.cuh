// A query's work on the device: copies on one queue, kernels on another.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "cuda/cuda_memory.h"
#include "cuda/kernels.cuh"

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

  ~CudaStream() override {
    const int32_t status = Wait();
    if (wide_ != nullptr) memory_->Free(wide_);
    if (status == promql::kDeviceOk) memory_->ReturnQueues(std::move(queues_));
  }

  int32_t BeginUpload(uint32_t slot) override {
    if (slot_used_[slot]) Note(cudaEventSynchronize(queues_->slot_done[slot]));
    return status_;
  }

  void Upload(void* to, const void* from, uint64_t bytes) override {
    uint8_t* at = static_cast<uint8_t*>(to);
    const uint8_t* source = static_cast<const uint8_t*>(from);
    while (bytes > 0 && status_ == promql::kDeviceOk) {
      Join(at);
      if (fill_ == Queues::kChunk) {
        NextChunk();
        continue;
      }
      const uint64_t n = std::min(bytes, Queues::kChunk - fill_);
      std::memcpy(queues_->chunks[chunk_] + fill_, source, n);
      fill_ += n;
      pending_ += n;
      at += n;
      source += n;
      bytes -= n;
    }
  }

  void EndUpload() override {
    Flush();
    Note(cudaEventRecord(queues_->uploaded, queues_->copy));
    Note(cudaStreamWaitEvent(queues_->compute, queues_->uploaded, 0));
  }

  void EndSlot(uint32_t slot) override {
    Note(cudaEventRecord(queues_->slot_done[slot], queues_->compute));
    slot_used_[slot] = true;
  }

  void Windows(const WindowBatch& b) override {
    const uint64_t cells = uint64_t{b.timeline_count} * b.plan.steps;
    if (!Go(cells)) return;
    WindowsKernel<<<Blocks(cells, 128), 128, 0, queues_->compute>>>(b);
    Note(cudaGetLastError());
  }

  void Series(const SeriesBatch& b, uint32_t ring_size) override {
    if (!Go(b.series_count)) return;
    if (b.plan.function >= promql::kDeviceResets)
      LaunchSeries(SeriesRows<true>, b, ring_size);
    else
      LaunchSeries(SeriesRows<false>, b, ring_size);
  }

  void Init(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) override {
    if (!Go(cells)) return;
    InitKernel<<<Blocks(cells, 128), 128, 0, queues_->compute>>>(plan, state, cells);
    Note(cudaGetLastError());
  }
  void Combine(const GroupBatch& b) override {
    const uint64_t cells = uint64_t{b.group_count} * b.plan.steps;
    if (!Go(cells)) return;
    CombineKernel<<<Blocks(cells, kCellThreads), kCellThreads, 0, queues_->compute>>>(b);
    Note(cudaGetLastError());
  }
  void FinishGroups(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) override {
    if (!Go(cells)) return;
    FinishKernel<<<Blocks(cells, 128), 128, 0, queues_->compute>>>(plan, state, cells);
    Note(cudaGetLastError());
  }
  void Histogram(const HistogramBatch& b) override {
    const uint64_t cells = uint64_t{b.histograms.histograms} * b.steps;
    if (!Go(cells)) return;
    HistogramKernel<<<Blocks(cells, kCellThreads), kCellThreads, 0, queues_->compute>>>(b);
    Note(cudaGetLastError());
  }
  void Clear(void* at, uint64_t bytes) override {
    if (Go(bytes)) Note(cudaMemsetAsync(at, 0, bytes, queues_->compute));
  }

  // Through pinned memory; one chunk is on its way while the one before is copied out.
  int32_t Download(void* to, const void* from, uint64_t bytes) override {
    if (Wait() != promql::kDeviceOk) return status_;
    uint8_t* out = static_cast<uint8_t*>(to);
    const uint8_t* source = static_cast<const uint8_t*>(from);
    const uint64_t chunks = (bytes + Queues::kChunk - 1) / Queues::kChunk;
    const auto size = [&](uint64_t i) { return std::min(Queues::kChunk, bytes - i * Queues::kChunk); };
    for (uint64_t i = 0; i <= chunks && status_ == promql::kDeviceOk; ++i) {
      if (i < chunks) {
        Note(cudaMemcpyAsync(queues_->chunks[i % 2], source + i * Queues::kChunk, size(i),
                             cudaMemcpyDeviceToHost, queues_->compute));
        Note(cudaEventRecord(queues_->chunk_done[i % 2], queues_->compute));
      }
      if (i == 0) continue;
      Note(cudaEventSynchronize(queues_->chunk_done[(i - 1) % 2]));
      std::memcpy(out + (i - 1) * Queues::kChunk, queues_->chunks[(i - 1) % 2], size(i - 1));
    }
    return status_;
  }

  int32_t Wait() override {
    if (status_ == promql::kDeviceOk) Flush();
    Note(cudaStreamSynchronize(queues_->copy));
    Note(cudaStreamSynchronize(queues_->compute));
    fill_ = 0;
    return status_;
  }
  int32_t Status() const override { return status_; }

  cudaStream_t compute() const { return queues_->compute; }

 private:
  void Note(cudaError_t error) {
    if (error != cudaSuccess && status_ == promql::kDeviceOk) status_ = StatusOf(error);
  }
  bool Go(uint64_t work) const { return work > 0 && status_ == promql::kDeviceOk; }
  static uint32_t Blocks(uint64_t threads, uint32_t in_block) {
    return static_cast<uint32_t>(std::min<uint64_t>((threads + in_block - 1) / in_block, 1 << 20));
  }

  // Continues the copy under way if `to` follows it closely: what lies between is padding of what is before.
  void Join(uint8_t* to) {
    const int64_t gap = to - (pending_to_ + pending_);
    if (pending_ > 0 && gap >= 0 && gap < 32 && fill_ + static_cast<uint64_t>(gap) < Queues::kChunk) {
      std::memset(queues_->chunks[chunk_] + fill_, 0, static_cast<uint64_t>(gap));
      fill_ += static_cast<uint64_t>(gap);
      pending_ += static_cast<uint64_t>(gap);
      return;
    }
    Flush();
    pending_to_ = to;
    pending_at_ = fill_;
  }

  void Flush() {
    if (pending_ > 0) {
      Note(cudaMemcpyAsync(pending_to_, queues_->chunks[chunk_] + pending_at_, pending_,
                           cudaMemcpyHostToDevice, queues_->copy));
    }
    pending_ = 0;
  }

  void NextChunk() {
    Flush();
    Note(cudaEventRecord(queues_->chunk_done[chunk_], queues_->copy));
    chunk_ = (chunk_ + 1) % Queues::kChunks;
    Note(cudaEventSynchronize(queues_->chunk_done[chunk_]));
    fill_ = 0;
  }

  using SeriesFn = void (*)(SeriesBatch, uint32_t, double*);

  void LaunchSeries(SeriesFn kernel, const SeriesBatch& b, uint32_t ring_size) {
    const uint64_t shared = uint64_t{kSeriesWarps} * ring_size * sizeof(double);
    const bool fits = shared <= limits_.shared_bytes;
    if (fits) {
      Note(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                static_cast<int>(shared)));
    }
    int in_processor = 0;
    Note(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&in_processor, kernel, kSeriesThreads,
                                                       fits ? shared : 0));
    if (in_processor < 1) in_processor = 1;
    if (!fits) in_processor = 1;  // rings in global memory should stay in the cache
    const uint32_t most = limits_.processors * static_cast<uint32_t>(in_processor);
    const uint32_t blocks = std::min((b.series_count + kSeriesWarps - 1) / kSeriesWarps, most);
    if (!fits && !ReserveWide(uint64_t{blocks} * shared)) return;
    if (status_ != promql::kDeviceOk) return;
    kernel<<<blocks, kSeriesThreads, fits ? shared : 0, queues_->compute>>>(b, ring_size,
                                                                            fits ? nullptr : wide_);
    Note(cudaGetLastError());
  }

  bool ReserveWide(uint64_t bytes) {
    if (bytes <= wide_size_) return true;
    if (wide_ != nullptr) {
      Note(cudaStreamSynchronize(queues_->compute));
      memory_->Free(wide_);
    }
    wide_ = static_cast<double*>(memory_->Allocate(bytes));
    wide_size_ = wide_ == nullptr ? 0 : bytes;
    if (wide_ == nullptr && status_ == promql::kDeviceOk) status_ = promql::kDeviceOutOfMemory;
    return wide_ != nullptr;
  }

  CudaMemory* const memory_;
  std::unique_ptr<Queues> queues_;
  const LaunchLimits limits_;
  int32_t status_ = promql::kDeviceOk;
  bool slot_used_[kSlots] = {};
  double* wide_ = nullptr;
  uint64_t wide_size_ = 0;
  // The pinned ring: the chunk that is filled, and the part of it that is not on its way yet.
  uint32_t chunk_ = 0;
  uint64_t fill_ = 0, pending_ = 0, pending_at_ = 0;
  uint8_t* pending_to_ = nullptr;
};

}  // namespace narthex::cuda
