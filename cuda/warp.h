// 32 lanes in step: a warp of the device, or a loop on the host. Kernels are written once against this, so
// that the host runs the same code.
//
// Lanes<T> holds one T a lane. Each(f) runs f(lane) for every lane; what it writes to shared memory is seen
// by all lanes after Sync().
#pragma once

#include "cuda/hd.h"

namespace narthex::cuda {

inline constexpr uint32_t kLanes = 32;

class HostWarp {
 public:
  template <typename T>
  struct Lanes {
    T v[kLanes] = {};
    T& operator[](uint32_t lane) { return v[lane]; }
    const T& operator[](uint32_t lane) const { return v[lane]; }
  };
  template <typename F>
  void Each(F f) const {
    for (uint32_t lane = 0; lane < kLanes; ++lane) f(lane);
  }
  void Sync() const {}
  bool Leads() const { return true; }
  uint32_t Ballot(const Lanes<bool>& x) const {
    uint32_t bits = 0;
    for (uint32_t lane = 0; lane < kLanes; ++lane) bits |= static_cast<uint32_t>(x[lane]) << lane;
    return bits;
  }
  template <typename T>
  T Broadcast(const Lanes<T>& x, uint32_t lane) const {
    return x[lane];
  }
  // x[lane - 1]; `before` in lane 0.
  template <typename T>
  Lanes<T> Up(const Lanes<T>& x, T before) const {
    Lanes<T> out;
    out[0] = before;
    for (uint32_t lane = 1; lane < kLanes; ++lane) out[lane] = x[lane - 1];
    return out;
  }
  // Inclusive prefix sums, in the rounds of the device: unsigned, so that their order does not matter.
  template <typename T>
  void Scan(Lanes<T>* x) const {
    for (uint32_t d = 1; d < kLanes; d <<= 1) {
      for (uint32_t lane = kLanes; lane-- > d;) (*x)[lane] += (*x)[lane - d];
    }
  }
};

#ifdef __CUDACC__
class DeviceWarp {
 public:
  template <typename T>
  struct Lanes {
    T v{};
    __device__ __forceinline__ T& operator[](uint32_t) { return v; }
    __device__ __forceinline__ const T& operator[](uint32_t) const { return v; }
  };
  __device__ explicit DeviceWarp(uint32_t lane) : lane_(lane) {}
  template <typename F>
  __device__ __forceinline__ void Each(F f) const {
    f(lane_);
  }
  __device__ __forceinline__ void Sync() const { __syncwarp(); }
  __device__ __forceinline__ bool Leads() const { return lane_ == 0; }
  __device__ __forceinline__ uint32_t Ballot(const Lanes<bool>& x) const {
    return __ballot_sync(0xffffffffu, x.v);
  }
  template <typename T>
  __device__ __forceinline__ T Broadcast(const Lanes<T>& x, uint32_t lane) const {
    return __shfl_sync(0xffffffffu, x.v, static_cast<int>(lane));
  }
  template <typename T>
  __device__ __forceinline__ Lanes<T> Up(const Lanes<T>& x, T before) const {
    Lanes<T> out;
    out.v = __shfl_up_sync(0xffffffffu, x.v, 1);
    if (lane_ == 0) out.v = before;
    return out;
  }
  template <typename T>
  __device__ __forceinline__ void Scan(Lanes<T>* x) const {
#pragma unroll
    for (uint32_t d = 1; d < kLanes; d <<= 1) {
      const T other = __shfl_up_sync(0xffffffffu, x->v, d);
      if (lane_ >= d) x->v += other;
    }
  }

 private:
  const uint32_t lane_;
};
#endif

}  // namespace narthex::cuda
