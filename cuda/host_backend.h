// A device that is none: the kernels' code on the host, one lane after the other. For tests, and to see what
// a device would be asked to do where there is none.
#pragma once

#include <memory>

#include "cuda/backend.h"

namespace narthex::cuda {

// What the host device is to do wrong. May be changed while it runs.
struct HostFaults {
  uint64_t memory = uint64_t{1} << 30;  // that it says it has
  int64_t lost_after = -1;              // streams fail after so many calls, -1: never
  bool opens = true;
};

// Not thread-safe as to `faults`, which outlives the device.
std::unique_ptr<Backend> NewHostBackend(const HostFaults* faults);
// The functions of a host device; open() obeys the faults set last by SetHostFaults.
const promql::DeviceApi* HostDevice();
void SetHostFaults(const HostFaults* faults);

}  // namespace narthex::cuda
