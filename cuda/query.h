// One query on a device: batches of series in, groups out.
#pragma once

#include <memory>
#include <vector>

#include "cuda/backend.h"
#include "cuda/stripe_cache.h"

namespace narthex::cuda {

// Memory of the device that grows when it must. Owned by one query.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(Backend* backend) : backend_(backend) {}
  ~DeviceBuffer() {
    if (at_ != nullptr) backend_->Free(at_);
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  // nullptr: there is no room. What was in it is lost if it grows.
  void* Reserve(uint64_t bytes);
  template <typename T>
  T* As() const {
    return static_cast<T*>(at_);
  }

 private:
  Backend* const backend_;
  void* at_ = nullptr;
  uint64_t size_ = 0;
};

// Used by one thread.
class Query {
 public:
  Query(Backend* backend, StripeCache* cache, const promql::DevicePlan& plan,
        const promql::DeviceHelpers& helpers = {});
  ~Query();

  int32_t Begin();
  int32_t Add(const promql::DeviceBatch& batch);
  int32_t Finish(double* values, uint8_t* present);
  int32_t Quantile(const promql::DeviceHistograms& histograms, double* values, uint8_t* present,
                   int32_t* forced);
  int32_t Best(uint32_t* series, double* values);
  uint64_t uploaded_bytes() const { return uploaded_; }
  uint64_t samples() const { return samples_; }

 private:
  // What a batch needs on the device, until the kernels of the batch are done.
  struct Slot {
    explicit Slot(Backend* backend) : inputs(backend), windows(backend), rows(backend) {}
    DeviceBuffer inputs, windows, rows;
    std::vector<StripeCache::Entry*> pinned, filled;
  };

  int32_t Check(const promql::DeviceBatch& batch) const;
  bool TakeStripes(const promql::DeviceBatch& batch, Slot* slot, std::vector<StripeCache::Place>* places);
  void LetGo(Slot* slot, bool uploaded);
  int32_t CheckFaults();
  void FinishGroups();
  uint32_t RingSize(const promql::DeviceBatch& batch) const;

  Backend* const backend_;
  StripeCache* const cache_;
  const promql::DevicePlan plan_;
  const promql::DeviceHelpers helpers_;
  const bool ranking_;
  const uint64_t cells_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::unique_ptr<Slot>> slots_;
  DeviceBuffer state_memory_, results_;
  GroupState state_;
  uint32_t* faults_ = nullptr;
  uint32_t batches_ = 0, first_series_ = 0;
  bool finished_ = false;
  std::vector<uint32_t> place_of_group_;  // in the current batch, kNoSeries: not in it
  uint64_t uploaded_ = 0, samples_ = 0;
};

}  // namespace narthex::cuda
