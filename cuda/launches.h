// The kernels as functions that put them on a queue: narthex_cuda.cu's side of the border between nvcc and
// the C++ compiler. Tests have their own, which run on the host when an emulated queue comes to them.
#pragma once

#include <cuda_runtime.h>

#include "cuda/backend.h"

namespace narthex::cuda {

inline constexpr uint32_t kSeriesWarps = 8;  // of a block
inline constexpr uint32_t kSeriesThreads = kSeriesWarps * kLanes;

cudaError_t LaunchWindows(const WindowBatch& batch, cudaStream_t queue);
// Rings of `ring_size` values for each warp: in `shared` bytes a block, or in `wide`, global memory, if that
// is not null.
cudaError_t LaunchSeries(const SeriesBatch& batch, uint32_t ring_size, uint32_t blocks, uint64_t shared,
                         double* wide, cudaStream_t queue);
// How many blocks of that kernel a processor runs at once.
cudaError_t SeriesOccupancy(bool scan, uint64_t shared, int* blocks);
cudaError_t LaunchInit(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells,
                       cudaStream_t queue);
cudaError_t LaunchCombine(const GroupBatch& batch, cudaStream_t queue);
cudaError_t LaunchFinish(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells,
                         cudaStream_t queue);
cudaError_t LaunchHistogram(const HistogramBatch& batch, cudaStream_t queue);

inline bool IsScan(const promql::DevicePlan& plan) { return plan.function >= promql::kDeviceResets; }

}  // namespace narthex::cuda
