#include "cuda/host_backend.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace narthex::cuda {
namespace {

using promql::kDeviceLost;
using promql::kDeviceOk;

// Runs everything at once, so there is nothing to wait for.
class HostStream : public Stream {
 public:
  HostStream(const HostFaults* faults, std::atomic<int64_t>* calls) : faults_(faults), calls_(calls) {}

  int32_t BeginUpload(uint32_t) override { return Live() ? kDeviceOk : kDeviceLost; }
  void Upload(void* to, const void* from, uint64_t bytes) override {
    if (Live() && bytes > 0) std::memcpy(to, from, bytes);
  }
  void EndUpload() override {}
  void EndSlot(uint32_t) override {}

  void Windows(const WindowBatch& b) override {
    if (!Live()) return;
    for (uint32_t t = 0; t < b.timeline_count; ++t) {
      for (uint32_t i = 0; i < b.plan.steps; ++i) {
        b.windows[uint64_t{t} * b.plan.steps + i] =
            WindowOf(b.plan, b.times + b.timelines[t].first, b.timelines[t].count, i);
      }
    }
  }

  void Series(const SeriesBatch& b, uint32_t ring_size) override {
    if (!Live()) return;
    std::vector<double> memory(ring_size);
    const Ring ring{memory.data(), ring_size - 1};
    const HostWarp warp;
    for (uint32_t s = 0; s < b.series_count; ++s) {
      if (b.plan.function >= promql::kDeviceResets)
        RunSeries<HostWarp, true>(warp, b, ring, s);
      else
        RunSeries<HostWarp, false>(warp, b, ring, s);
    }
  }

  void Init(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) override {
    if (!Live()) return;
    for (uint64_t i = 0; i < cells; ++i) InitCell(plan, state, i);
  }
  void Combine(const GroupBatch& b) override {
    if (!Live()) return;
    for (uint32_t g = 0; g < b.group_count; ++g) {
      for (uint32_t i = 0; i < b.plan.steps; ++i) CombineCell(b, g, i);
    }
  }
  void FinishGroups(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) override {
    if (!Live()) return;
    for (uint64_t i = 0; i < cells; ++i) FinishCell(plan, state, i);
  }
  void Histogram(const HistogramBatch& b) override {
    if (!Live()) return;
    for (uint32_t h = 0; h < b.histograms.histograms; ++h) {
      for (uint32_t i = 0; i < b.steps; ++i) HistogramCell(b, h, i);
    }
  }
  void Clear(void* at, uint64_t bytes) override {
    if (Live()) std::memset(at, 0, bytes);
  }
  int32_t Download(void* to, const void* from, uint64_t bytes) override {
    if (!Live()) return kDeviceLost;
    if (bytes > 0) std::memcpy(to, from, bytes);
    return kDeviceOk;
  }
  int32_t Wait() override { return Status(); }
  int32_t Status() const override { return lost_ ? kDeviceLost : kDeviceOk; }

 private:
  // Counts the call. A lost device stays lost.
  bool Live() {
    if (faults_->lost_after >= 0 && (*calls_)++ >= faults_->lost_after) lost_ = true;
    return !lost_;
  }

  const HostFaults* const faults_;
  std::atomic<int64_t>* const calls_;
  bool lost_ = false;
};

class HostBackend : public Backend {
 public:
  explicit HostBackend(const HostFaults* faults) : faults_(faults) {}

  promql::DeviceInfo Info() override {
    promql::DeviceInfo info;
    std::snprintf(info.backend, sizeof(info.backend), "host");
    std::snprintf(info.name, sizeof(info.name), "host code, one lane after the other");
    info.processors = 1;
    info.memory_total = faults_->memory;
    info.memory_free = FreeBytes();
    info.copy_rate = 1e10;
    info.device_rate = 1e10;
    info.sample_rate = 1e8;
    info.launch_seconds = 1e-6;
    return info;
  }
  uint64_t FreeBytes() override {
    const std::lock_guard lock(mutex_);
    return used_ < faults_->memory ? faults_->memory - used_ : 0;
  }
  void* Allocate(uint64_t bytes) override {
    const std::lock_guard lock(mutex_);
    if (used_ + bytes + reserve_ > faults_->memory) return nullptr;
    void* const at = std::aligned_alloc(64, (bytes + 64 + 63) / 64 * 64);
    if (at == nullptr) return nullptr;
    std::memset(at, 0xa5, bytes);  // a device does not clear its memory either
    used_ += bytes;
    sizes_[at] = bytes;
    return at;
  }
  void SetReserve(uint64_t bytes) override { reserve_ = bytes; }
  void Free(void* at) override {
    const std::lock_guard lock(mutex_);
    used_ -= sizes_[at];
    sizes_.erase(at);
    std::free(at);
  }
  std::unique_ptr<Stream> NewStream() override { return std::make_unique<HostStream>(faults_, &calls_); }

 private:
  const HostFaults* const faults_;
  std::mutex mutex_;
  uint64_t used_ = 0, reserve_ = 0;
  std::unordered_map<void*, uint64_t> sizes_;
  std::atomic<int64_t> calls_{0};
};

std::atomic<const HostFaults*> host_faults{nullptr};

void* Open(const promql::DeviceOptions* options, char* error, uint32_t error_size) {
  static const HostFaults kNone;
  const HostFaults* const faults = host_faults.load() != nullptr ? host_faults.load() : &kNone;
  if (!faults->opens) {
    std::snprintf(error, error_size, "the host device was told not to open");
    return nullptr;
  }
  return OpenDevice(NewHostBackend(faults), *options);
}

}  // namespace

std::unique_ptr<Backend> NewHostBackend(const HostFaults* faults) {
  return std::make_unique<HostBackend>(faults);
}

const promql::DeviceApi* HostDevice() {
  static const promql::DeviceApi api = [] {
    promql::DeviceApi out;
    FillDeviceApi(&out);
    out.open = Open;
    return out;
  }();
  return &api;
}

void SetHostFaults(const HostFaults* faults) { host_faults = faults; }

}  // namespace narthex::cuda
