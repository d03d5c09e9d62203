// The kernels of cuda/launches.h on an emulated queue.
#include "cuda/launches.h"

#include <vector>

namespace narthex::cuda {
namespace {

cudaError_t Launch(cudaStream_t queue, std::function<void()> work) {
  EmulatedLaunch(queue, std::move(work));
  return cudaSuccess;
}

// Blocks and warps take series as on the device, each with a ring of its own; the last block comes first.
template <bool kScan>
void RunSeriesGrid(const SeriesBatch& b, uint32_t ring_size, uint32_t blocks, double* wide) {
  std::vector<double> shared(wide == nullptr ? uint64_t{kSeriesWarps} * ring_size : 0);
  const HostWarp warp;
  const uint32_t warps = blocks * kSeriesWarps;
  for (uint32_t w = warps; w-- > 0;) {
    Ring ring;
    ring.values =
        wide != nullptr ? wide + uint64_t{w} * ring_size : shared.data() + (w % kSeriesWarps) * ring_size;
    ring.mask = ring_size - 1;
    for (uint32_t s = w; s < b.series_count; s += warps) RunSeries<HostWarp, kScan>(warp, b, ring, s);
  }
}

}  // namespace

cudaError_t LaunchWindows(const WindowBatch& b, cudaStream_t queue) {
  return Launch(queue, [b] {
    for (uint64_t i = 0; i < uint64_t{b.timeline_count} * b.plan.steps; ++i) {
      const promql::DeviceTimeline t = b.timelines[i / b.plan.steps];
      b.windows[i] = WindowOf(b.plan, b.times + t.first, t.count, static_cast<uint32_t>(i % b.plan.steps));
    }
  });
}

cudaError_t LaunchSeries(const SeriesBatch& b, uint32_t ring_size, uint32_t blocks, uint64_t, double* wide,
                         cudaStream_t queue) {
  return Launch(queue, [=] {
    if (IsScan(b.plan))
      RunSeriesGrid<true>(b, ring_size, blocks, wide);
    else
      RunSeriesGrid<false>(b, ring_size, blocks, wide);
  });
}

cudaError_t SeriesOccupancy(bool, uint64_t, int* blocks) {
  *blocks = 2;
  return cudaSuccess;
}

cudaError_t LaunchInit(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells,
                       cudaStream_t queue) {
  return Launch(queue, [=] {
    for (uint64_t i = cells; i-- > 0;) InitCell(plan, state, i);
  });
}

cudaError_t LaunchCombine(const GroupBatch& b, cudaStream_t queue) {
  return Launch(queue, [b] {
    for (uint64_t i = uint64_t{b.group_count} * b.plan.steps; i-- > 0;) {
      CombineCell(b, static_cast<uint32_t>(i / b.plan.steps), static_cast<uint32_t>(i % b.plan.steps));
    }
  });
}

cudaError_t LaunchFinish(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells,
                         cudaStream_t queue) {
  return Launch(queue, [=] {
    for (uint64_t i = cells; i-- > 0;) FinishCell(plan, state, i);
  });
}

cudaError_t LaunchHistogram(const HistogramBatch& b, cudaStream_t queue) {
  return Launch(queue, [b] {
    for (uint64_t i = uint64_t{b.histograms.histograms} * b.steps; i-- > 0;) {
      HistogramCell(b, static_cast<uint32_t>(i / b.steps), static_cast<uint32_t>(i % b.steps));
    }
  });
}

}  // namespace narthex::cuda
