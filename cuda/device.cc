// The table of functions of promql/device.h.
#include <atomic>
#include <cstdio>
#include <new>

#include "cuda/query.h"

namespace narthex::cuda {
namespace {

using promql::DeviceApi;
using promql::kDeviceOutOfMemory;

// One open device. Lives as long as its queries.
struct Device {
  Device(std::unique_ptr<Backend> b, uint64_t budget, uint64_t reserve)
      : backend(std::move(b)), cache(backend.get(), budget, reserve) {}
  const std::unique_ptr<Backend> backend;
  StripeCache cache;
  std::atomic<uint64_t> uploaded{0}, samples{0};
};

struct OpenQuery {
  OpenQuery(Device* d, const promql::DevicePlan& plan, const promql::DeviceHelpers& helpers)
      : device(d), query(d->backend.get(), &d->cache, plan, helpers) {}
  Device* const device;
  Query query;
};

// No exception leaves the library: the host's memory may end, too.
template <typename F>
int32_t Guarded(F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return kDeviceOutOfMemory;
  }
}

int32_t Begin(void* device, const promql::DevicePlan* plan, const promql::DeviceHelpers* helpers,
              void** query) {
  *query = nullptr;
  return Guarded([&] {
    Device* const d = static_cast<Device*>(device);
    d->cache.KeepReserve();
    auto open =
        std::make_unique<OpenQuery>(d, *plan, helpers != nullptr ? *helpers : promql::DeviceHelpers());
    const int32_t status = open->query.Begin();
    if (status == promql::kDeviceOk) *query = open.release();
    return status;
  });
}

int32_t Add(void* query, const promql::DeviceBatch* batch) {
  return Guarded([&] { return static_cast<OpenQuery*>(query)->query.Add(*batch); });
}

int32_t Finish(void* query, double* values, uint8_t* present) {
  return Guarded([&] { return static_cast<OpenQuery*>(query)->query.Finish(values, present); });
}

int32_t Quantile(void* query, const promql::DeviceHistograms* histograms, double* values, uint8_t* present,
                 int32_t* forced) {
  return Guarded(
      [&] { return static_cast<OpenQuery*>(query)->query.Quantile(*histograms, values, present, forced); });
}

int32_t Best(void* query, uint32_t* series, double* values) {
  return Guarded([&] { return static_cast<OpenQuery*>(query)->query.Best(series, values); });
}

void End(void* query) {
  OpenQuery* const open = static_cast<OpenQuery*>(query);
  if (open == nullptr) return;
  open->device->uploaded += open->query.uploaded_bytes();
  open->device->samples += open->query.samples();
  delete open;
}

void Close(void* device) { delete static_cast<Device*>(device); }

void Info(void* device, promql::DeviceInfo* out) { *out = static_cast<Device*>(device)->backend->Info(); }

void Use(void* device, promql::DeviceUse* out) {
  Device* const d = static_cast<Device*>(device);
  *out = {};
  d->cache.AddTo(out);
  out->uploaded_bytes = d->uploaded;
  out->samples = d->samples;
}

void ForgetBefore(void* device, int64_t ms) { static_cast<Device*>(device)->cache.ForgetBefore(ms); }

uint32_t Resident(void* device, const promql::DeviceStripe* stripes, uint32_t count) {
  uint32_t there = 0;
  for (uint32_t i = 0; i < count; ++i) there += static_cast<Device*>(device)->cache.Has(stripes[i]) ? 1 : 0;
  return there;
}

}  // namespace

void FillDeviceApi(DeviceApi* api) {
  api->close = Close;
  api->info = Info;
  api->use = Use;
  api->forget_before = ForgetBefore;
  api->resident = Resident;
  api->begin = Begin;
  api->add = Add;
  api->finish = Finish;
  api->quantile = Quantile;
  api->best = Best;
  api->end = End;
}

void* OpenDevice(std::unique_ptr<Backend> backend, const promql::DeviceOptions& options) {
  const uint64_t free = backend->FreeBytes();
  const uint64_t reserve = options.reserve_bytes;
  const uint64_t left = free > reserve ? free - reserve : 0;
  const uint64_t wanted = options.cache_bytes > 0 ? options.cache_bytes : free / 4;
  backend->SetReserve(reserve);
  return new Device(std::move(backend), wanted < left ? wanted : left, reserve);
}

}  // namespace narthex::cuda
