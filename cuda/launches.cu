#include "cuda/launches.h"

#include <algorithm>

#include "cuda/kernels.cuh"

namespace narthex::cuda {
namespace {

constexpr uint32_t kThreads = 128;

uint32_t Blocks(uint64_t threads, uint32_t in_block) {
  return static_cast<uint32_t>(std::min<uint64_t>((threads + in_block - 1) / in_block, 1 << 20));
}

using SeriesFn = void (*)(SeriesBatch, uint32_t, double*);

SeriesFn SeriesKernelOf(bool scan) { return scan ? SeriesFn(SeriesRows<true>) : SeriesFn(SeriesRows<false>); }

}  // namespace

cudaError_t LaunchWindows(const WindowBatch& batch, cudaStream_t queue) {
  const uint64_t cells = uint64_t{batch.timeline_count} * batch.plan.steps;
  WindowsKernel<<<Blocks(cells, kThreads), kThreads, 0, queue>>>(batch);
  return cudaGetLastError();
}

cudaError_t LaunchSeries(const SeriesBatch& batch, uint32_t ring_size, uint32_t blocks, uint64_t shared,
                         double* wide, cudaStream_t queue) {
  SeriesKernelOf(IsScan(batch.plan))<<<blocks, kSeriesThreads, shared, queue>>>(batch, ring_size, wide);
  return cudaGetLastError();
}

cudaError_t SeriesOccupancy(bool scan, uint64_t shared, int* blocks) {
  const SeriesFn kernel = SeriesKernelOf(scan);
  // The attribute belongs to the kernel, whoever launches it: always the most that a block can have, or a
  // query with a small ring would take the room of another one's large ring.
  int device = 0, most = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess)
    error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (error == cudaSuccess)
    error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
  if (error != cudaSuccess) return error;
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, kernel, kSeriesThreads, shared);
}

cudaError_t LaunchInit(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells,
                       cudaStream_t queue) {
  InitKernel<<<Blocks(cells, kThreads), kThreads, 0, queue>>>(plan, state, cells);
  return cudaGetLastError();
}

cudaError_t LaunchCombine(const GroupBatch& batch, cudaStream_t queue) {
  const uint64_t cells = uint64_t{batch.group_count} * batch.plan.steps;
  CombineKernel<<<Blocks(cells, kCellThreads), kCellThreads, 0, queue>>>(batch);
  return cudaGetLastError();
}

cudaError_t LaunchFinish(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells,
                         cudaStream_t queue) {
  FinishKernel<<<Blocks(cells, kThreads), kThreads, 0, queue>>>(plan, state, cells);
  return cudaGetLastError();
}

cudaError_t LaunchHistogram(const HistogramBatch& batch, cudaStream_t queue) {
  const uint64_t cells = uint64_t{batch.histograms.histograms} * batch.steps;
  HistogramKernel<<<Blocks(cells, kCellThreads), kCellThreads, 0, queue>>>(batch);
  return cudaGetLastError();
}

}  // namespace narthex::cuda
