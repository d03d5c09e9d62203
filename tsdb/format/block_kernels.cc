// Compiled once for each instruction set; the best one that the machine has is taken at run time.
#include "tsdb/format/block_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tsdb/format/block_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>

HWY_BEFORE_NAMESPACE();
namespace narthex::tsdb {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<uint64_t, 8>;
using Vec = hn::Vec<D>;

// Each lane with the one `kBy` lanes before it added, if there is one.
template <size_t kBy>
Vec AddFromBefore(Vec v) {
  const D d;
  HWY_ALIGN uint64_t from[8] = {};
  for (size_t i = kBy; i < 8; ++i) from[i] = i - kBy;
  const auto has_one = hn::Gt(hn::Iota(hn::RebindToSigned<D>(), 1), hn::Set(hn::RebindToSigned<D>(), kBy));
  const Vec before = hn::TableLookupLanes(v, hn::SetTableIndices(d, from));
  return hn::Add(v, hn::IfThenElseZero(hn::RebindMask(d, has_one), before));
}

template <bool kZigZag, bool kMultiply>
void SumsOf(const uint64_t* codes, size_t n, uint64_t gcd, uint64_t start, uint64_t* sums) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const Vec one = hn::Set(d, 1), factor = hn::Set(d, gcd);
  HWY_ALIGN uint64_t last[8];
  for (uint64_t& lane : last) lane = lanes - 1;
  const auto to_last = hn::SetTableIndices(d, last);
  Vec carry = hn::Set(d, start);
  sums[0] = start;
  for (size_t i = 0; i < n; i += lanes) {
    Vec v = hn::LoadU(d, codes + i);
    if (kZigZag) v = hn::Xor(hn::ShiftRight<1>(v), hn::Sub(hn::Zero(d), hn::And(v, one)));
    if (kMultiply) v = hn::Mul(v, factor);
    if (lanes > 1) v = AddFromBefore<1>(v);
    if (lanes > 2) v = AddFromBefore<2>(v);
    if (lanes > 4) v = AddFromBefore<4>(v);
    v = hn::Add(v, carry);
    hn::StoreU(v, d, sums + 1 + i);
    carry = hn::TableLookupLanes(v, to_last);
  }
}

void DeltaSums(const uint64_t* codes, size_t n, DeltaCoding coding, uint64_t start, uint64_t* sums) {
  if (coding.gcd == 1) {
    coding.zigzag ? SumsOf<true, false>(codes, n, 1, start, sums)
                  : SumsOf<false, false>(codes, n, 1, start, sums);
  } else {
    coding.zigzag ? SumsOf<true, true>(codes, n, coding.gcd, start, sums)
                  : SumsOf<false, true>(codes, n, coding.gcd, start, sums);
  }
}

void Pick(const uint64_t* sums, uint32_t changed, const uint32_t* at, uint32_t first, size_t n,
          uint64_t* out) {
  for (size_t i = 0; i < n; ++i) {
    out[i] = sums[std::popcount(changed & ((uint32_t{2} << (at[i] - first)) - 1))];
  }
}

// Below 2^51 an integer becomes a double by adding it to the bits of 1.5 * 2^52: unlike the conversion
// instruction this is a vector operation on every machine.
template <bool kDivide>
bool ValuesOf(const uint64_t* integers, size_t n, double power, double* values) {
  constexpr uint64_t kMagicBits = 0x4338000000000000, kMost = uint64_t{1} << 51;
  constexpr double kMagic = 6755399441055744.0;
  const D d;
  const hn::RebindToFloat<D> df;
  const size_t lanes = hn::Lanes(d);
  Vec distances = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    distances = hn::Or(distances, hn::Add(hn::LoadU(d, integers + i), hn::Set(d, kMost)));
  }
  uint64_t rest = 0;
  for (; i < n; ++i) rest |= integers[i] + kMost;
  if ((rest >> 52) != 0 || !hn::AllTrue(d, hn::Eq(hn::ShiftRight<52>(distances), hn::Zero(d)))) return false;
  const auto divisor = hn::Set(df, power), magic = hn::Set(df, kMagic);
  for (i = 0; i + lanes <= n; i += lanes) {
    const auto biased = hn::BitCast(df, hn::Add(hn::LoadU(d, integers + i), hn::Set(d, kMagicBits)));
    const auto whole = hn::Sub(biased, magic);
    hn::StoreU(kDivide ? hn::Div(whole, divisor) : whole, df, values + i);
  }
  for (; i < n; ++i) {
    const double whole = std::bit_cast<double>(integers[i] + kMagicBits) - kMagic;
    values[i] = kDivide ? whole / power : whole;
  }
  return true;
}

bool Divide(const uint64_t* integers, size_t n, double power, double* values) {
  return power == 1 ? ValuesOf<false>(integers, n, power, values)
                    : ValuesOf<true>(integers, n, power, values);
}

void FillKernels(BlockKernels* out) { *out = {DeltaSums, Pick, Divide}; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace narthex::tsdb
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace narthex::tsdb {

HWY_EXPORT(FillKernels);

const BlockKernels& MachineBlockKernels() {
  static const BlockKernels kernels = [] {
    BlockKernels out;
    HWY_DYNAMIC_DISPATCH(FillKernels)(&out);
    return out;
  }();
  return kernels;
}

std::vector<std::pair<std::string, BlockKernels>> AllBlockKernels() {
  std::vector<std::pair<std::string, BlockKernels>> out;
  for (int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets != 0; targets &= targets - 1) {
    const int64_t target = targets & -targets;
    hwy::SetSupportedTargetsForTest(target);
    HWY_DYNAMIC_DISPATCH(FillKernels)(&out.emplace_back(hwy::TargetName(target), BlockKernels{}).second);
  }
  hwy::SetSupportedTargetsForTest(0);
  return out;
}

}  // namespace narthex::tsdb
#endif
