// What code for host and device alike needs: the execution-space mark and bit operations.
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define NARTHEX_HD __host__ __device__ __forceinline__
#else
#define NARTHEX_HD inline
#endif

namespace narthex::cuda {

inline constexpr uint64_t kStaleBits = 0x7ff0000000000002;
inline constexpr uint64_t kNanBits = 0x7ff8000000000001;
inline constexpr uint64_t kInfBits = 0x7ff0000000000000;
inline constexpr uint64_t kSignBit = 0x8000000000000000;

NARTHEX_HD double FromBits(uint64_t bits) {
#ifdef __CUDA_ARCH__
  return __longlong_as_double(static_cast<long long>(bits));
#else
  double v;
  std::memcpy(&v, &bits, 8);
  return v;
#endif
}

NARTHEX_HD uint64_t ToBits(double v) {
#ifdef __CUDA_ARCH__
  return static_cast<uint64_t>(__double_as_longlong(v));
#else
  uint64_t bits;
  std::memcpy(&bits, &v, 8);
  return bits;
#endif
}

// Only comparisons and bits: the same on both sides, whatever the compiler thinks of NaN.
NARTHEX_HD bool IsNan(double v) { return (ToBits(v) & ~kSignBit) > kInfBits; }
NARTHEX_HD bool IsInf(double v) { return (ToBits(v) & ~kSignBit) == kInfBits; }
NARTHEX_HD double Abs(double v) { return FromBits(ToBits(v) & ~kSignBit); }
NARTHEX_HD double Nan() { return FromBits(kNanBits); }
NARTHEX_HD double Inf() { return FromBits(kInfBits); }

NARTHEX_HD double Sqrt(double v) {
#ifdef __CUDA_ARCH__
  return __dsqrt_rn(v);
#else
  return __builtin_sqrt(v);
#endif
}

NARTHEX_HD uint32_t Ones(uint32_t v) {
#ifdef __CUDA_ARCH__
  return static_cast<uint32_t>(__popc(v));
#else
  return static_cast<uint32_t>(__builtin_popcount(v));
#endif
}

// The number of the highest bit that is set; v != 0.
NARTHEX_HD uint32_t HighestBit(uint32_t v) {
#ifdef __CUDA_ARCH__
  return 31u - static_cast<uint32_t>(__clz(static_cast<int>(v)));
#else
  return 31u - static_cast<uint32_t>(__builtin_clz(v));
#endif
}

// Little-endian loads from any address. They may touch kPadding bytes beyond what they return.
inline constexpr uint32_t kPadding = 16;

NARTHEX_HD uint32_t Load32(const uint8_t* p) {
#ifdef __CUDA_ARCH__
  const uint64_t address = reinterpret_cast<uint64_t>(p);
  const uint32_t* words = reinterpret_cast<const uint32_t*>(address & ~3ull);
  return __funnelshift_r(__ldg(words), __ldg(words + 1), static_cast<uint32_t>(address & 3) * 8);
#else
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
#endif
}

NARTHEX_HD uint64_t Load64(const uint8_t* p) {
#ifdef __CUDA_ARCH__
  const uint64_t address = reinterpret_cast<uint64_t>(p);
  const uint32_t* words = reinterpret_cast<const uint32_t*>(address & ~3ull);
  const uint32_t shift = static_cast<uint32_t>(address & 3) * 8;
  const uint32_t a = __ldg(words), b = __ldg(words + 1), c = __ldg(words + 2);
  return static_cast<uint64_t>(__funnelshift_r(b, c, shift)) << 32 | __funnelshift_r(a, b, shift);
#else
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
#endif
}

}  // namespace narthex::cuda
