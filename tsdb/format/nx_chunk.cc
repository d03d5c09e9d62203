#include "tsdb/format/nx_chunk.h"

#include <algorithm>
#include <cmath>

#include "tsdb/format/block_kernels.h"
#include "tsdb/format/int_blocks.h"
#include "tsdb/format/short_array.h"

namespace narthex::tsdb {
namespace {

constexpr double kPow10[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                             1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr double kMaxMantissa = 9007199254740992.0;  // 2^53: below it integer and double are the same number

// Header byte: bits 0-1 mode, bit 2 the gcd is 1 and left out, bit 3 ordered bits, bits 4-7 exponent.
enum Mode : uint8_t { kConstant = 0, kMonotonic = 1, kSigned = 2 };
constexpr uint8_t kNoGcd = 4;
constexpr uint8_t kOrdered = 8;

uint64_t Gcd(uint64_t a, uint64_t b) {
  while (b != 0 && a != b) {
    // The short division is the fast one on many machines.
    const uint64_t t = ((a | b) >> 32) == 0 ? static_cast<uint32_t>(a) % static_cast<uint32_t>(b) : a % b;
    a = b;
    b = t;
  }
  return a;
}

// Divides numbers that are multiples of an odd divisor: by multiplying with its inverse modulo 2^64.
uint64_t Inverse(uint64_t odd) {
  uint64_t inverse = odd;  // right in the lowest 3 bits, each step doubles them
  for (int i = 0; i < 5; ++i) inverse *= 2 - odd * inverse;
  return inverse;
}

// The smallest exponent that is exact for all values; -1 if there is none.
int FindExponent(const double* values, size_t n, int64_t* mantissas) {
  int e = 0;
  size_t raised_at = 0;
  for (size_t i = 0; i < n; ++i) {
    while (!ExactDecimal(values[i], e, &mantissas[i])) {
      if (++e > kMaxExponent) return -1;
      raised_at = i;
    }
  }
  // A later value has raised the exponent: the earlier ones are scaled again, exactness included.
  for (size_t i = 0; i < raised_at; ++i) {
    if (!ExactDecimal(values[i], e, &mantissas[i])) return -1;
  }
  return e;
}

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

}  // namespace

bool ExactDecimal(double value, int exponent, int64_t* mantissa) {
  const double scaled = value * kPow10[exponent];
  // Below 2^51 adding 1.5 * 2^52 and taking it away again rounds to an integer, as llrint does.
  constexpr double kMagic = 6755399441055744.0;
  constexpr double kMagicLimit = 2251799813685248.0;
  if (std::fabs(scaled) < kMagicLimit) {
    const double rounded = (scaled + kMagic) - kMagic;
    if (!SameBits(exponent == 0 ? rounded : rounded / kPow10[exponent], value)) return false;  // -0.0, too
    *mantissa = static_cast<int64_t>(rounded);
    return true;
  }
  if (!(std::fabs(scaled) < kMaxMantissa)) return false;
  const int64_t k = std::llrint(scaled);
  if (!SameBits(static_cast<double>(k) / kPow10[exponent], value)) return false;
  *mantissa = k;
  return true;
}

int64_t OrderedBits(double v) {
  const int64_t b = std::bit_cast<int64_t>(v);
  return b < 0 ? static_cast<int64_t>(0x8000000000000000ULL - static_cast<uint64_t>(b)) - 1 : b;
}

double FromOrderedBits(int64_t b) {
  if (b >= 0) return std::bit_cast<double>(b);
  return std::bit_cast<double>(0x8000000000000000ULL - static_cast<uint64_t>(b + 1));
}

double FromDecimal(int64_t mantissa, int exponent) {
  return static_cast<double>(mantissa) / kPow10[exponent];
}

namespace {

// `header` without a mode.
void PutInts(std::string* out, uint8_t header, const int64_t* ints, size_t n) {
  ShortArray<uint64_t, kIntBlock> codes(n - 1);  // differences first
  int64_t signs = 0;
  uint64_t any = 0;
  for (size_t i = 1; i < n; ++i) {
    const int64_t d = WrapSub(ints[i], ints[i - 1]);
    codes[i - 1] = static_cast<uint64_t>(d);
    signs |= d;
    any |= static_cast<uint64_t>(d);
  }
  if (any == 0) {
    out->push_back(static_cast<char>(header | kConstant));
    PutZigZag(out, ints[0]);
    return;
  }
  uint64_t gcd = 0;
  for (size_t i = 0; i < codes.size() && gcd != 1; ++i) {
    const uint64_t d = static_cast<int64_t>(codes[i]) < 0 ? 0 - codes[i] : codes[i];
    if (d != 0) gcd = Gcd(d, gcd);
  }
  if (gcd > static_cast<uint64_t>(INT64_MAX)) gcd = 1;
  if (gcd != 1) {
    const int shift = std::countr_zero(gcd);
    const uint64_t inverse = Inverse(gcd >> shift);
    for (uint64_t& code : codes) {
      code = static_cast<uint64_t>(static_cast<int64_t>(code) >> shift) * inverse;
    }
  }
  const bool monotonic = signs >= 0;
  if (!monotonic) {
    for (uint64_t& code : codes) code = ZigZag(static_cast<int64_t>(code));
  }
  out->push_back(static_cast<char>(header | (monotonic ? kMonotonic : kSigned) | (gcd == 1 ? kNoGcd : 0)));
  PutZigZag(out, ints[0]);
  if (gcd != 1) PutVarint(out, gcd);
  PutBlocks(out, codes.data(), n - 1);
}

}  // namespace

void PutNxDecimals(std::string* out, int exponent, const int64_t* integers, size_t n) {
  if (n > 0) PutInts(out, static_cast<uint8_t>(exponent << 4), integers, n);
}

void PutNxChunk(std::string* out, const double* values, size_t n) {
  if (n == 0) return;
  size_t same = 1;
  while (same < n && SameBits(values[same], values[0])) ++same;
  const size_t distinct = same == n ? 1 : n;
  ShortArray<int64_t, kIntBlock> ints(distinct);
  const int e = FindExponent(values, distinct, ints.data());
  if (e < 0) {
    for (size_t i = 0; i < distinct; ++i) ints[i] = OrderedBits(values[i]);
  }
  PutInts(out, e < 0 ? kOrdered : static_cast<uint8_t>(e << 4), ints.data(), distinct);
}

namespace {

// Turns integers into the values they stand for.
class ValueOf {
 public:
  ValueOf(bool ordered, int exponent) : ordered_(ordered), power_(kPow10[exponent]) {}

  double operator()(int64_t k) const {
    return ordered_ ? FromOrderedBits(k) : static_cast<double>(k) / power_;
  }

  void Convert(const BlockKernels& kernels, const uint64_t* ints, size_t n, double* values) const {
    if (!ordered_ && kernels.divide(ints, n, power_, values)) return;
    for (size_t i = 0; i < n; ++i) values[i] = (*this)(static_cast<int64_t>(ints[i]));
  }

 private:
  const bool ordered_;
  const double power_;
};

// The integers of a block from the one before it on, and which of them those of its places are.
class BlockIntegers {
 public:
  // `current` is the integer before the block.
  void Set(const PackedBlock& block, size_t n, DeltaCoding coding, int64_t current) {
    changed_ = block.changed;
    changes_ = CountOnes(changed_);
    n_ = n;
    kernels_.sums(block, coding, static_cast<uint64_t>(current), sums_);
  }
  int64_t last() const { return static_cast<int64_t>(sums_[changes_]); }

  // The values at up to kIntBlock places at[i] - first.
  void ConvertAt(std::span<const uint32_t> at, size_t first, const ValueOf& value_of, double* values) const {
    uint64_t ints[kIntBlock];
    if (changes_ == n_) {
      for (size_t i = 0; i < at.size(); ++i) ints[i] = sums_[at[i] - first + 1];
    } else {
      kernels_.pick(sums_, changed_, at.data(), static_cast<uint32_t>(first), at.size(), ints);
    }
    value_of.Convert(kernels_, ints, at.size(), values);
  }

  void Convert(const ValueOf& value_of, double* values) const {
    if (changes_ == n_) {
      value_of.Convert(kernels_, sums_ + 1, n_, values);
    } else if (changes_ == 0) {
      std::fill(values, values + n_, value_of(last()));
    } else {
      // Without a branch: which values change is not to be foreseen.
      uint64_t ints[kIntBlock];
      for (size_t i = 0, k = 0; i < n_; ++i) {
        k += changed_ >> i & 1;
        ints[i] = sums_[k];
      }
      value_of.Convert(kernels_, ints, n_, values);
    }
  }

 private:
  const BlockKernels& kernels_ = MachineBlockKernels();
  uint32_t changed_ = 0;
  size_t changes_ = 0, n_ = 0;
  uint64_t sums_[BlockKernels::kRoom];
};

// What all chunks begin with.
struct ChunkHead {
  bool Read(ByteReader* in) {
    const uint8_t header = in->Byte();
    mode = header & 3;
    ordered = (header & kOrdered) != 0;
    exponent = header >> 4;
    first = in->SignedVarint();
    const bool no_gcd = (header & kNoGcd) != 0;
    if (mode > kSigned || (no_gcd && mode == kConstant)) in->Fail();
    if (in->ok() && mode != kConstant) gcd = no_gcd ? 1 : in->Varint();
    return in->ok();
  }
  int mode = 0, exponent = 0;
  bool ordered = false;
  int64_t first = 0;
  uint64_t gcd = 0;
};

DeltaCoding CodingOf(const ChunkHead& head) { return {head.mode != kMonotonic, head.gcd}; }

bool ReadBlocksOf(ByteReader* in, size_t n, const ChunkHead& head, size_t begin, size_t end, double* values) {
  const ValueOf value_of(head.ordered, head.exponent);
  const DeltaCoding coding = CodingOf(head);
  int64_t current = head.first;
  if (begin == 0 && end > 0) values[0] = value_of(current);
  PackedBlock block;
  BlockIntegers integers;
  double part[kIntBlock];
  for (size_t i = 1; i < n && i < end; i += kIntBlock) {
    const size_t m = std::min(kIntBlock, n - i);
    if (!ReadBlock(in, m, &block)) return false;
    integers.Set(block, m, coding, current);
    current = integers.last();
    if (i >= begin && i + m <= end) {
      integers.Convert(value_of, values + (i - begin));
    } else if (i + m > begin) {
      integers.Convert(value_of, part);
      const size_t from = std::max(i, begin), to = std::min(i + m, end);
      std::copy(part + (from - i), part + (to - i), values + (from - begin));
    }
  }
  return in->ok();
}

bool ReadBlocksAt(ByteReader* in, size_t n, const ChunkHead& head, std::span<const uint32_t> at,
                  double* values) {
  const ValueOf value_of(head.ordered, head.exponent);
  const DeltaCoding coding = CodingOf(head);
  int64_t current = head.first;
  size_t next = 0;  // into `at`
  if (!at.empty() && at[0] == 0) values[next++] = value_of(current);
  PackedBlock block;
  BlockIntegers integers;
  for (size_t i = 1; i < n && next < at.size(); i += kIntBlock) {
    const size_t m = std::min(kIntBlock, n - i);
    if (!ReadBlock(in, m, &block)) return false;
    integers.Set(block, m, coding, current);
    current = integers.last();
    size_t count = 0;
    while (next + count < at.size() && at[next + count] < i + m) ++count;
    integers.ConvertAt(at.subspan(next, count), i, value_of, values + next);
    next += count;
  }
  return in->ok();
}

}  // namespace

bool ReadNxChunkRange(ByteReader* in, size_t n, size_t begin, size_t end, double* values) {
  if (n == 0) return in->ok();
  ChunkHead head;
  if (!head.Read(in)) return false;
  if (head.mode == kConstant) {
    std::fill(values, values + (end - begin), ValueOf(head.ordered, head.exponent)(head.first));
    return true;
  }
  return ReadBlocksOf(in, n, head, begin, end, values);
}

bool ReadNxChunkAt(ByteReader* in, size_t n, std::span<const uint32_t> at, double* values) {
  if (n == 0) return in->ok();
  ChunkHead head;
  if (!head.Read(in)) return false;
  if (head.mode == kConstant) {
    std::fill(values, values + at.size(), ValueOf(head.ordered, head.exponent)(head.first));
    return true;
  }
  return ReadBlocksAt(in, n, head, at, values);
}

bool ReadNxChunk(ByteReader* in, double* values, size_t n) { return ReadNxChunkRange(in, n, 0, n, values); }

namespace {

constexpr int kFewDigits = 3;

// The smallest exponent for which the value is an exact decimal; -1 if there is none.
int SmallestExponent(double value, int64_t* mantissa) {
  if (ExactDecimal(value, 0, mantissa)) return 0;
  // Up to 2^50 a decimal that is exact with some digits is exact with more of them, too: one test at the
  // largest such exponent tells about all below. Most have few digits.
  constexpr double kSure = static_cast<double>(int64_t{1} << 50);
  const double magnitude = std::fabs(value);
  if (magnitude * kPow10[kFewDigits] < kSure && ExactDecimal(value, kFewDigits, mantissa)) {
    int e = kFewDigits;
    for (; *mantissa % 10 == 0 && e > 1; --e) *mantissa /= 10;
    return e;
  }
  int e = 1;
  while (e < kMaxExponent && magnitude * kPow10[e + 1] < kSure) ++e;
  if (magnitude * kPow10[e] >= kSure || !ExactDecimal(value, e, mantissa)) {
    for (; e <= kMaxExponent; ++e) {
      if (ExactDecimal(value, e, mantissa)) return e;
    }
    return -1;
  }
  for (; *mantissa % 10 == 0 && e > 0; --e) *mantissa /= 10;
  return e;
}

}  // namespace

// Varint whose low two bits say what follows: 0 integer delta, 1 decimal delta (exponent byte first), 2 raw
// bits.
char* WriteValueDelta(char* out, double previous, double value) {
  int64_t k = 0, p = 0;
  const int e = SmallestExponent(value, &k);
  if (e < 0) {
    *out++ = 2;
    const uint64_t bits = LittleEndian(std::bit_cast<uint64_t>(value));
    std::memcpy(out, &bits, sizeof(bits));
    return out + sizeof(bits);
  }
  if (!ExactDecimal(previous, e, &p)) p = 0;
  const uint64_t code = ZigZag(k - p);  // both below 2^53
  out = WriteVarint(out, code << 2 | (e == 0 ? 0 : 1));
  if (e > 0) *out++ = static_cast<char>(e);
  return out;
}

void PutValueDelta(std::string* out, double previous, double value) {
  char buffer[kLongestValueDelta];
  out->append(buffer, WriteValueDelta(buffer, previous, value));
}

double ReadValueDelta(ByteReader* in, double previous) {
  const uint64_t code = in->Varint();
  int e = 0;
  switch (code & 3) {
    case 0:
      break;
    case 1:
      e = in->Byte();
      if (e > kMaxExponent) {
        in->Fail();
        return 0;
      }
      break;
    case 2:
      return in->Double();
    default:
      in->Fail();
      return 0;
  }
  int64_t p = 0;
  if (!ExactDecimal(previous, e, &p)) p = 0;
  return FromDecimal(WrapAdd(p, UnZigZag(code >> 2)), e);
}

double ValueDeltas::Read(ByteReader* in) {
  const uint64_t code = in->Varint();
  int e = 0;
  if ((code & 3) == 1) {
    e = in->Byte();
  } else if ((code & 3) != 0) {
    exponent_ = -1;
    if ((code & 3) != 2) in->Fail();
    return value_ = in->Double();
  }
  if (e > kMaxExponent) {
    in->Fail();
    return 0;
  }
  int64_t p = mantissa_;
  if (e != exponent_ && !ExactDecimal(value_, e, &p)) p = 0;
  const int64_t k = WrapAdd(p, UnZigZag(code >> 2));
  value_ = FromDecimal(k, e);
  // Beyond 2^50 two integers may be one decimal, and the value alone decides which it is.
  constexpr int64_t kUnique = int64_t{1} << 50;
  exponent_ = k > -kUnique && k < kUnique ? e : -1;
  mantissa_ = k;
  return value_;
}

}  // namespace narthex::tsdb
