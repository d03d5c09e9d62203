// The kernels: thin shells around the code that the host tests run.
#pragma once

#include "cuda/backend.h"
#include "cuda/launches.h"
#include "cuda/series_kernel.h"

namespace narthex::cuda {

inline constexpr uint32_t kCellThreads = 64;

__global__ void WindowsKernel(const __grid_constant__ WindowBatch batch) {
  const uint64_t cells = uint64_t{batch.timeline_count} * batch.plan.steps;
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < cells;
       i += uint64_t{gridDim.x} * blockDim.x) {
    const promql::DeviceTimeline t = batch.timelines[i / batch.plan.steps];
    batch.windows[i] =
        WindowOf(batch.plan, batch.times + t.first, t.count, static_cast<uint32_t>(i % batch.plan.steps));
  }
}

// One warp a series. `wide`: rings of `ring_size` in global memory, one a warp; null: in shared memory.
template <bool kScan>
__global__ void __launch_bounds__(kSeriesThreads)
    SeriesRows(const __grid_constant__ SeriesBatch batch, uint32_t ring_size, double* wide) {
  extern __shared__ double shared_rings[];
  const uint32_t in_block = threadIdx.x / kLanes;
  const uint32_t first = blockIdx.x * kSeriesWarps + in_block, stride = gridDim.x * kSeriesWarps;
  double* const memory =
      wide != nullptr ? wide + uint64_t{first} * ring_size : shared_rings + uint64_t{in_block} * ring_size;
  const DeviceWarp warp(threadIdx.x % kLanes);
  Ring ring;
  ring.values = memory;
  ring.mask = ring_size - 1;
  for (uint32_t s = first; s < batch.series_count; s += stride) {
    RunSeries<DeviceWarp, kScan>(warp, batch, ring, s);
    __syncwarp();
  }
}

__global__ void InitKernel(const __grid_constant__ promql::DevicePlan plan,
                           const __grid_constant__ GroupState state, uint64_t cells) {
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < cells;
       i += uint64_t{gridDim.x} * blockDim.x) {
    InitCell(plan, state, i);
  }
}

__global__ void __launch_bounds__(kCellThreads) CombineKernel(const __grid_constant__ GroupBatch batch) {
  const uint64_t cells = uint64_t{batch.group_count} * batch.plan.steps;
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < cells;
       i += uint64_t{gridDim.x} * blockDim.x) {
    CombineCell(batch, static_cast<uint32_t>(i / batch.plan.steps),
                static_cast<uint32_t>(i % batch.plan.steps));
  }
}

__global__ void FinishKernel(const __grid_constant__ promql::DevicePlan plan,
                             const __grid_constant__ GroupState state, uint64_t cells) {
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < cells;
       i += uint64_t{gridDim.x} * blockDim.x) {
    FinishCell(plan, state, i);
  }
}

__global__ void __launch_bounds__(kCellThreads)
    HistogramKernel(const __grid_constant__ HistogramBatch batch) {
  const uint64_t cells = uint64_t{batch.histograms.histograms} * batch.steps;
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < cells;
       i += uint64_t{gridDim.x} * blockDim.x) {
    HistogramCell(batch, static_cast<uint32_t>(i / batch.steps), static_cast<uint32_t>(i % batch.steps));
  }
}

}  // namespace narthex::cuda
