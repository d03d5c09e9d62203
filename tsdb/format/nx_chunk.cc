#include "tsdb/format/nx_chunk.h"

#include <algorithm>
#include <cmath>

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

  // `span` has all bits that are set in any of the integers' distance from -2^51.
  void Convert(const int64_t* ints, size_t n, uint64_t span, double* values) const {
    if (ordered_ || (span >> 52) != 0) {
      for (size_t i = 0; i < n; ++i) values[i] = (*this)(ints[i]);
      return;
    }
    // Below 2^51 an integer becomes a double by adding it to the bits of 1.5 * 2^52: unlike the conversion
    // instruction this is a vector operation on every machine.
    constexpr int64_t kMagicBits = 0x4338000000000000;
    constexpr double kMagic = 6755399441055744.0;
    for (size_t i = 0; i < n; ++i) values[i] = std::bit_cast<double>(ints[i] + kMagicBits) - kMagic;
    if (power_ == 1) return;
    for (size_t i = 0; i < n; ++i) values[i] /= power_;
  }

 private:
  const bool ordered_;
  const double power_;
};

template <bool kIsMonotonic>
uint64_t DeltaOf(uint64_t code) {
  return kIsMonotonic ? code : static_cast<uint64_t>(UnZigZag(code));
}

// The integers of a block of up to 32 deltas behind *current. Returns all bits that are set in any of their
// distances from -2^51.
template <bool kIsMonotonic>
uint64_t DecodeInts(const IntBlock& block, size_t n, uint64_t gcd, int64_t* current, int64_t* ints) {
  const size_t changes = CountOnes(block.changed);
  uint64_t span = 0, sum = static_cast<uint64_t>(*current);
  if (changes == n) {
    for (size_t i = 0; i < n; ++i) {
      sum += DeltaOf<kIsMonotonic>(block.codes[i]) * gcd;
      ints[i] = static_cast<int64_t>(sum);
      span |= sum + (uint64_t{1} << 51);
    }
  } else {
    // Without a branch: which values change is not to be foreseen.
    uint64_t deltas[kIntBlock + 1] = {};
    for (size_t k = 0; k < changes; ++k) deltas[k] = DeltaOf<kIsMonotonic>(block.codes[k]) * gcd;
    for (size_t i = 0, k = 0; i < n; ++i) {
      const uint64_t bit = block.changed >> i & 1;
      sum += deltas[k] & (0 - bit);
      k += bit;
      ints[i] = static_cast<int64_t>(sum);
      span |= sum + (uint64_t{1} << 51);
    }
  }
  *current = static_cast<int64_t>(sum);
  return span;
}

// Calls put(begin, end, integer) for the runs of one value in a block of few changes.
template <bool kIsMonotonic, typename Put>
void DecodeRuns(const IntBlock& block, size_t n, uint64_t gcd, int64_t* current, Put put) {
  size_t i = 0, k = 0;
  for (uint32_t mask = block.changed; mask != 0; mask &= mask - 1, ++k) {
    const size_t at = static_cast<size_t>(std::countr_zero(mask));
    put(i, at, *current);
    *current =
        static_cast<int64_t>(static_cast<uint64_t>(*current) + DeltaOf<kIsMonotonic>(block.codes[k]) * gcd);
    i = at;
  }
  put(i, n, *current);
}

bool HasFewChanges(const IntBlock& block, size_t n) { return CountOnes(block.changed) < n / 4; }

template <bool kIsMonotonic>
void DecodeBlock(const IntBlock& block, size_t n, uint64_t gcd, const ValueOf& value_of, int64_t* current,
                 double* values) {
  if (HasFewChanges(block, n)) {
    DecodeRuns<kIsMonotonic>(block, n, gcd, current, [&](size_t begin, size_t end, int64_t k) {
      if (begin < end) std::fill(values + begin, values + end, value_of(k));
    });
    return;
  }
  int64_t ints[kIntBlock];
  const uint64_t span = DecodeInts<kIsMonotonic>(block, n, gcd, current, ints);
  value_of.Convert(ints, n, span, values);
}

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

// What the codes [begin, end) of a block add up to.
template <bool kIsMonotonic>
uint64_t SumOf(const IntBlock& block, size_t begin, size_t end) {
  uint64_t sum = 0;
  for (size_t k = begin; k < end; ++k) sum += DeltaOf<kIsMonotonic>(block.codes[k]);
  return sum;
}

int64_t Behind(int64_t before, uint64_t delta) {
  return static_cast<int64_t>(static_cast<uint64_t>(before) + delta);
}

template <bool kIsMonotonic>
bool ReadBlocksOf(ByteReader* in, size_t n, const ChunkHead& head, size_t begin, size_t end, double* values) {
  const ValueOf value_of(head.ordered, head.exponent);
  int64_t current = head.first;
  if (begin == 0 && end > 0) values[0] = value_of(current);
  IntBlock block;
  double part[kIntBlock];
  for (size_t i = 1; i < n && i < end; i += kIntBlock) {
    const size_t m = std::min(kIntBlock, n - i);
    if (!ReadBlock(in, m, &block)) return false;
    if (i + m <= begin) {
      current = Behind(current, SumOf<kIsMonotonic>(block, 0, CountOnes(block.changed)) * head.gcd);
    } else if (i >= begin && i + m <= end) {
      DecodeBlock<kIsMonotonic>(block, m, head.gcd, value_of, &current, values + (i - begin));
    } else {
      DecodeBlock<kIsMonotonic>(block, m, head.gcd, value_of, &current, part);
      const size_t from = std::max(i, begin), to = std::min(i + m, end);
      std::copy(part + (from - i), part + (to - i), values + (from - begin));
    }
  }
  return in->ok();
}

template <bool kIsMonotonic>
bool ReadBlocksAt(ByteReader* in, size_t n, const ChunkHead& head, std::span<const uint32_t> at,
                  double* values) {
  const ValueOf value_of(head.ordered, head.exponent);
  int64_t current = head.first;
  size_t next = 0;  // into `at`
  if (!at.empty() && at[0] == 0) values[next++] = value_of(current);
  IntBlock block;
  for (size_t i = 1; i < n && next < at.size(); i += kIntBlock) {
    const size_t m = std::min(kIntBlock, n - i);
    if (!ReadBlock(in, m, &block)) return false;
    const size_t changes = CountOnes(block.changed);
    if (at[next] >= i + m) {
      current = Behind(current, SumOf<kIsMonotonic>(block, 0, changes) * head.gcd);
      continue;
    }
    // Integers are worked out at the places only; between them deltas add up.
    uint64_t sums[kIntBlock + 1];
    sums[0] = 0;
    for (size_t k = 0; k < changes; ++k) sums[k + 1] = sums[k] + DeltaOf<kIsMonotonic>(block.codes[k]);
    for (; next < at.size() && at[next] < i + m; ++next) {
      const size_t place = at[next] - i;
      const size_t end = changes == m ? place + 1 : CountOnes(block.changed & ((uint32_t{2} << place) - 1));
      values[next] = value_of(Behind(current, sums[end] * head.gcd));
    }
    current = Behind(current, sums[changes] * head.gcd);
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
  return head.mode == kMonotonic ? ReadBlocksOf<true>(in, n, head, begin, end, values)
                                 : ReadBlocksOf<false>(in, n, head, begin, end, values);
}

bool ReadNxChunkAt(ByteReader* in, size_t n, std::span<const uint32_t> at, double* values) {
  if (n == 0) return in->ok();
  ChunkHead head;
  if (!head.Read(in)) return false;
  if (head.mode == kConstant) {
    std::fill(values, values + at.size(), ValueOf(head.ordered, head.exponent)(head.first));
    return true;
  }
  return head.mode == kMonotonic ? ReadBlocksAt<true>(in, n, head, at, values)
                                 : ReadBlocksAt<false>(in, n, head, at, values);
}

bool ReadNxChunk(ByteReader* in, double* values, size_t n) {
  if (n == 0) return in->ok();
  ChunkHead head;
  if (!head.Read(in)) return false;
  const ValueOf value_of(head.ordered, head.exponent);
  int64_t current = head.first;
  if (head.mode == kConstant) {
    std::fill(values, values + n, value_of(current));
    return true;
  }
  values[0] = value_of(current);
  IntBlock block;
  for (size_t i = 1; i < n; i += kIntBlock) {
    const size_t m = std::min(kIntBlock, n - i);
    if (!ReadBlock(in, m, &block)) return false;
    if (head.mode == kMonotonic)
      DecodeBlock<true>(block, m, head.gcd, value_of, &current, values + i);
    else
      DecodeBlock<false>(block, m, head.gcd, value_of, &current, values + i);
  }
  return in->ok();
}

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
