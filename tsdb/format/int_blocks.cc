#include "tsdb/format/int_blocks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace narthex::tsdb {
namespace {

constexpr size_t kBlock = kIntBlock;
constexpr uint8_t kMasked = 0x80;
constexpr int kBased = 65;       // plus the width: above what a width can be
constexpr int kBasedWidth = 62;  // the widest

size_t PackedBytes(size_t n, int width) { return (n * static_cast<size_t>(width) + 7) / 8; }

// Lowest bit first.
void Pack(std::string* out, const uint64_t* codes, size_t n, int width) {
  char bytes[kBlock * 8 + 8];  // the last word may reach beyond the last byte
  size_t at = 0;
  uint64_t word = 0;
  int filled = 0;
  for (size_t i = 0; i < n; ++i) {
    word |= codes[i] << filled;
    filled += width;
    if (filled < 64) continue;
    word = LittleEndian(word);
    std::memcpy(bytes + at, &word, 8);
    at += 8;
    filled -= 64;
    word = filled == 0 ? 0 : codes[i] >> (width - filled);
  }
  word = LittleEndian(word);
  std::memcpy(bytes + at, &word, 8);
  out->append(bytes, PackedBytes(n, width));
}

uint64_t Load(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, 8);
  return LittleEndian(word);
}

// Eight codes begin at a whole byte, and where they are narrow one word has all of them. Codes behind the
// last may be written, up to 32 in all.
template <int kWidth>
void UnpackNarrow(const char* bytes, uint64_t* codes, size_t n) {
  constexpr uint64_t kMask = (uint64_t{1} << kWidth) - 1;
  constexpr int kHalf = kWidth * 4;  // bits
  for (size_t i = 0; i < n; i += 8, codes += 8, bytes += kWidth) {
    const uint64_t word = Load(bytes);
    for (int k = 0; k < 4; ++k) codes[k] = (word >> (k * kWidth)) & kMask;
    if constexpr (kWidth <= 8) {
      for (int k = 4; k < 8; ++k) codes[k] = (word >> (k * kWidth)) & kMask;
    } else {
      if (i + 4 >= n) return;
      const uint64_t rest = Load(bytes + kHalf / 8) >> (kHalf % 8);
      for (int k = 0; k < 4; ++k) codes[4 + k] = (rest >> (k * kWidth)) & kMask;
    }
  }
}

constexpr int kNarrow = 16;
using UnpackFn = void (*)(const char*, uint64_t*, size_t);
template <int... kWidths>
constexpr std::array<UnpackFn, sizeof...(kWidths)> UnpackTable(std::integer_sequence<int, kWidths...>) {
  return {UnpackNarrow<kWidths + 1>...};
}
constexpr auto kUnpack = UnpackTable(std::make_integer_sequence<int, kNarrow>());

// Codes of `width` bits from bytes that may be read 9 bytes beyond the last code.
void UnpackWords(const char* bytes, uint64_t* codes, size_t n, int width) {
  if (width <= kNarrow) return kUnpack[static_cast<size_t>(width - 1)](bytes, codes, n);
  const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
  size_t bit = 0;
  if (width <= 56) {
    for (size_t i = 0; i < n; ++i, bit += static_cast<size_t>(width)) {
      uint64_t word;
      std::memcpy(&word, bytes + bit / 8, 8);
      codes[i] = (word >> (bit & 7)) & mask;
    }
    return;
  }
  for (size_t i = 0; i < n; ++i, bit += static_cast<size_t>(width)) {
    uint64_t word;
    std::memcpy(&word, bytes + bit / 8, 8);
    const int shift = static_cast<int>(bit & 7);
    word >>= shift;
    if (shift + width > 64)
      word |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[bit / 8 + 8])) << (64 - shift);
    codes[i] = word & mask;
  }
}

// Codes that are all far from 0 and near each other, as those of a steady counter, against the smallest.
// False if `limit` bytes would not do.
bool PutBasedBlock(std::string* out, const uint64_t* codes, size_t n, size_t limit) {
  uint64_t least = codes[0], most = codes[0];
  for (size_t i = 1; i < n; ++i) {
    least = std::min(least, codes[i]);
    most = std::max(most, codes[i]);
  }
  const int width = BitWidth(most - least);
  const size_t base_bytes = static_cast<size_t>(BitWidth(least) + 6) / 7;
  if (width > kBasedWidth || 1 + base_bytes + PackedBytes(n, width) > limit) return false;
  out->push_back(static_cast<char>(kBased + width));
  PutVarint(out, least);
  uint64_t rest[kBlock];
  for (size_t i = 0; i < n; ++i) rest[i] = codes[i] - least;
  if (width > 0) Pack(out, rest, n, width);
  return true;
}

void PutBlock(std::string* out, const uint64_t* codes, size_t n) {
  uint64_t all = 0;
  uint32_t mask = 0;
  uint64_t changed[kBlock];
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    all |= codes[i];
    if (codes[i] == 0) continue;
    mask |= uint32_t{1} << i;
    changed[count++] = codes[i];
  }
  const int width = BitWidth(all);
  // One byte at least is saved, or it is not worth the addition.
  if (count == n && PutBasedBlock(out, codes, n, PackedBytes(n, width))) return;
  if (4 + PackedBytes(count, width) < PackedBytes(n, width)) {
    out->push_back(static_cast<char>(kMasked | width));
    PutFixed32(out, mask);
    Pack(out, changed, count, width);
  } else {
    out->push_back(static_cast<char>(width));
    if (width > 0) Pack(out, codes, n, width);
  }
}

}  // namespace

void PutBlocks(std::string* out, const uint64_t* codes, size_t n) {
  for (size_t i = 0; i < n; i += kBlock) PutBlock(out, codes + i, std::min(kBlock, n - i));
}

namespace {

uint32_t AllOf(size_t n) { return n == 32 ? ~uint32_t{0} : (uint32_t{1} << n) - 1; }

bool TakePacked(ByteReader* in, PackedBlock* block) {
  const std::string_view bytes = in->Take(PackedBytes(CountOnes(block->changed), block->width));
  if (!in->ok()) return false;
  block->bytes = bytes.data();
  if (in->left() < PackedBlock::kPadding) {
    std::memcpy(block->padded, bytes.data(), bytes.size());
    std::memset(block->padded + bytes.size(), 0, PackedBlock::kPadding);
    block->bytes = block->padded;
  }
  return true;
}

}  // namespace

bool ReadBlock(ByteReader* in, size_t n, PackedBlock* block) {
  const uint8_t head = in->Byte();
  const bool based = head >= kBased && head < kMasked;
  block->width = based ? head - kBased : head & 0x7f;
  block->base = based ? in->Varint() : 0;
  if (block->width > 64) in->Fail();
  if (!in->ok()) return false;
  block->changed = AllOf(n);
  if ((head & kMasked) != 0) {
    const std::string_view mask = in->Take(4);
    if (!in->ok()) return false;
    block->changed = GetFixed32(mask.data());
    if ((block->changed & ~AllOf(n)) != 0) {
      in->Fail();
      return false;
    }
  }
  if (block->width > 0) return TakePacked(in, block);
  block->bytes = block->padded;  // not those of the block before
  if (!based) block->changed = 0;
  return true;
}

void UnpackCodes(const PackedBlock& block, uint64_t* codes) {
  const size_t n = CountOnes(block.changed);
  if (block.width == 0)
    std::fill(codes, codes + n, 0);
  else
    UnpackWords(block.bytes, codes, n, block.width);
}

bool ReadBlocks(ByteReader* in, uint64_t* codes, size_t n) {
  PackedBlock block;
  uint64_t packed[kIntBlock];
  for (size_t i = 0; i < n; i += kBlock) {
    const size_t m = std::min(kBlock, n - i);
    if (!ReadBlock(in, m, &block)) return false;
    UnpackCodes(block, packed);
    std::fill(codes + i, codes + i + m, 0);
    uint32_t mask = block.changed;
    for (size_t k = 0; mask != 0; ++k, mask &= mask - 1) {
      codes[i + static_cast<size_t>(std::countr_zero(mask))] = packed[k] + block.base;
    }
  }
  return in->ok();
}

}  // namespace narthex::tsdb
