// What runs the kernels: a GPU, or the host with the same code. Everything above it is plain C++ and tested
// without a device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/group_kernel.h"
#include "cuda/histogram_kernel.h"
#include "cuda/series_kernel.h"
#include "promql/device.h"

namespace narthex::cuda {

// Where the windows of a batch come from and go to.
struct WindowBatch {
  promql::DevicePlan plan;
  const promql::DeviceTimeline* timelines = nullptr;
  const int64_t* times = nullptr;
  StepWindow* windows = nullptr;
  uint32_t timeline_count = 0;
};

// The work of one query, in order. A call only says what is to be done; what goes wrong is told by Wait() and
// Status(), and nothing is done after it. Used by one thread.
//
// Uploads of a slot run beside the kernels of the other one: BeginUpload waits until the slot's kernels are
// done, EndUpload lets the kernels behind it see what was uploaded, EndSlot ends what BeginUpload waits for.
class Stream {
 public:
  static constexpr uint32_t kSlots = 2;
  virtual ~Stream() = default;
  virtual int32_t BeginUpload(uint32_t slot) = 0;
  // `from` may change afterwards.
  virtual void Upload(void* to, const void* from, uint64_t bytes) = 0;
  struct Copy {
    void* to = nullptr;
    const void* from = nullptr;
    uint64_t bytes = 0;
  };
  // The same of many; threads may help.
  virtual void UploadAll(const std::vector<Copy>& copies, const promql::DeviceHelpers& helpers) {
    for (const Copy& c : copies) Upload(c.to, c.from, c.bytes);
  }
  virtual void EndUpload() = 0;
  virtual void EndSlot(uint32_t slot) = 0;

  virtual void Windows(const WindowBatch& batch) = 0;
  virtual void Series(const SeriesBatch& batch, uint32_t ring_size) = 0;
  virtual void Init(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) = 0;
  virtual void Combine(const GroupBatch& batch) = 0;
  virtual void FinishGroups(const promql::DevicePlan& plan, const GroupState& state, uint64_t cells) = 0;
  virtual void Histogram(const HistogramBatch& batch) = 0;
  virtual void Clear(void* at, uint64_t bytes) = 0;  // zeros, in the order of the kernels

  // Waits for everything before it.
  virtual int32_t Download(void* to, const void* from, uint64_t bytes) = 0;
  virtual int32_t Wait() = 0;
  virtual int32_t Status() const = 0;
};

// One device. Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual promql::DeviceInfo Info() = 0;
  virtual uint64_t FreeBytes() = 0;
  // nullptr: there is no room, or not more than the reserve.
  virtual void* Allocate(uint64_t bytes) = 0;
  // So much of the free memory is for others. Told before the first query.
  virtual void SetReserve(uint64_t bytes) = 0;
  virtual void Free(void* at) = 0;
  virtual void Trim() {}                            // gives back what it keeps for the next query
  virtual std::unique_ptr<Stream> NewStream() = 0;  // nullptr: the device does not answer
};

// The table of functions, but for open(), over a backend; what open() returns is made by OpenDevice.
void FillDeviceApi(promql::DeviceApi* api);
void* OpenDevice(std::unique_ptr<Backend> backend, const promql::DeviceOptions& options);

}  // namespace narthex::cuda
