// Compiled once for each instruction set; the best one that the machine has is taken at run time.
#include "tsdb/format/block_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tsdb/format/block_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>
#include <cstring>

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

// Hands out the packed codes of a block in order, a vector at a time. It has no vectors itself: some are of
// no size that a compiler knows.
class Codes {
 public:
  explicit Codes(const PackedBlock& block) : block_(block), width_(static_cast<size_t>(block.width)) {
    const size_t lanes = hn::Lanes(D());
    // A word that begins anywhere in a byte has this much of what follows. The second of two may begin 57
    // bits behind the last code.
    constexpr size_t kSure = 57;
    static_assert(PackedBlock::kPadding >= (kSure + 7) / 8 + sizeof(uint64_t));
    words_ = lanes * width_ <= kSure ? 1 : lanes > 1 && lanes / 2 * width_ <= kSure ? 2 : 0;
    if (words_ == 0)
      UnpackCodes(block, wide_);
    else
      at_once_ = lanes / words_;
  }

  // Where in its word each lane's code begins, and what its bits are: for At().
  Vec Shifts() const {
    const D d;
    return hn::Mul(hn::And(hn::Iota(d, 0), hn::Set(d, at_once_ - 1)), hn::Set(d, width_));
  }
  Vec Mask() const { return hn::Set(D(), words_ == 0 ? 0 : (uint64_t{1} << width_) - 1); }

  // Those from number i on, a multiple of the vector's lanes.
  Vec At(size_t i, Vec shifts, Vec mask) const {
    const D d;
    if (words_ == 0) return hn::LoadU(d, wide_ + i);
    Vec word = hn::Set(d, Word(i));
    if (words_ == 2) {
      const auto in_first = hn::FirstN(d, at_once_);
      word = hn::IfThenElse(in_first, word, hn::Set(d, Word(i + at_once_)));
    }
    return hn::And(hn::Shr(word, shifts), mask);
  }

 private:
  // With the packed code `i` in its lowest bits.
  uint64_t Word(size_t i) const {
    uint64_t word;
    std::memcpy(&word, block_.bytes + i * width_ / 8, sizeof word);
    return LittleEndian(word) >> (i * width_ % 8);
  }

  const PackedBlock& block_;
  const size_t width_;
  size_t words_ = 0, at_once_ = 1;  // words that have the codes of a vector, and codes that each of them has
  uint64_t wide_[kIntBlock];        // if one or two words do not do
};

template <bool kZigZag, bool kMultiply>
void SumsOf(const PackedBlock& block, uint64_t gcd, uint64_t start, uint64_t* sums) {
  const D d;
  const size_t lanes = hn::Lanes(d), n = CountOnes(block.changed);
  const Vec one = hn::Set(d, 1), factor = hn::Set(d, gcd), base = hn::Set(d, block.base);
  HWY_ALIGN uint64_t last[8];
  for (uint64_t& lane : last) lane = lanes - 1;
  const auto to_last = hn::SetTableIndices(d, last);
  const Codes codes(block);
  const Vec shifts = codes.Shifts(), mask = codes.Mask();
  Vec carry = hn::Set(d, start);
  sums[0] = start;
  for (size_t i = 0; i < n; i += lanes) {
    Vec v = hn::Add(codes.At(i, shifts, mask), base);
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

void Sums(const PackedBlock& block, DeltaCoding coding, uint64_t start, uint64_t* sums) {
  if (coding.gcd == 1) {
    coding.zigzag ? SumsOf<true, false>(block, 1, start, sums) : SumsOf<false, false>(block, 1, start, sums);
  } else {
    coding.zigzag ? SumsOf<true, true>(block, coding.gcd, start, sums)
                  : SumsOf<false, true>(block, coding.gcd, start, sums);
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

void FillKernels(BlockKernels* out) { *out = {Sums, Pick, Divide}; }

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
