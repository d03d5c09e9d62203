// NX chunks (docs/storage-format.md) as a warp reads them: heads that all lanes read alike, then one code a
// lane.
#pragma once

#include "cuda/hd.h"

namespace narthex::cuda {

enum NxMode : uint32_t { kNxConstant = 0, kNxMonotonic = 1, kNxSigned = 2 };
inline constexpr uint32_t kNxBlock = 32;
inline constexpr uint32_t kNxBased = 65;  // a block's first byte from here to 127: its width, with a base

struct NxHead {
  uint32_t mode = 0, exponent = 0;
  bool ordered = false;
  int64_t first = 0;
  uint64_t gcd = 0;
  const uint8_t* blocks = nullptr;
};

struct NxBlock {
  uint32_t width = 0;
  uint32_t mask = 0;  // the codes that are there; all others are 0
  uint64_t base = 0;  // what is added to each that is there
  const uint8_t* codes = nullptr;
  const uint8_t* next = nullptr;
};

// False at the end of the bytes and where more than 64 bits come.
NARTHEX_HD bool ReadVarint(const uint8_t** at, const uint8_t* end, uint64_t* out) {
  uint64_t v = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    if (*at >= end) return false;
    const uint32_t byte = *(*at)++;
    if (shift == 63 && byte > 1) return false;
    v |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out = v;
      return true;
    }
  }
  return false;
}

NARTHEX_HD int64_t FromZigZag(uint64_t v) {
  return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
}

// False if the bytes are malformed.
NARTHEX_HD bool ReadNxHead(const uint8_t* at, const uint8_t* end, NxHead* head) {
  if (at >= end) return false;
  const uint32_t byte = *at++;
  head->mode = byte & 3;
  head->ordered = (byte & 8) != 0;
  head->exponent = byte >> 4;
  const bool no_gcd = (byte & 4) != 0;
  if (head->mode > kNxSigned || (no_gcd && head->mode == kNxConstant)) return false;
  uint64_t first = 0;
  if (!ReadVarint(&at, end, &first)) return false;
  head->first = FromZigZag(first);
  head->gcd = no_gcd ? 1 : 0;
  if (head->mode != kNxConstant && !no_gcd && !ReadVarint(&at, end, &head->gcd)) return false;
  head->blocks = at;
  return true;
}

// The block at `at` of n <= 32 codes; false if it is malformed.
NARTHEX_HD bool ReadNxBlock(const uint8_t* at, const uint8_t* end, uint32_t n, NxBlock* block) {
  if (at >= end) return false;
  const uint32_t head = *at++;
  block->width = head & 0x7f;
  block->base = 0;
  const uint32_t all = n == 32 ? 0xffffffffu : (1u << n) - 1;
  block->mask = all;
  if (head >= kNxBased && head < 0x80) {
    block->width = head - kNxBased;
    if (!ReadVarint(&at, end, &block->base)) return false;
  } else if (block->width > 64) {
    return false;
  } else if ((head & 0x80) != 0) {
    if (end - at < 4) return false;
    block->mask = Load32(at);
    at += 4;
    if ((block->mask & ~all) != 0) return false;
  }
  if (block->width == 0 && block->base == 0) block->mask = 0;
  const uint32_t bytes = (Ones(block->mask) * block->width + 7) / 8;
  if (end - at < static_cast<int64_t>(bytes)) return false;
  block->codes = at;
  block->next = at + bytes;
  return true;
}

// Code `i` of the block: that of the i-th bit of the mask, or 0.
NARTHEX_HD uint64_t CodeOf(const NxBlock& block, uint32_t i) {
  if ((block.mask >> i & 1) == 0) return 0;
  const uint32_t bit = Ones(block.mask & ((1u << i) - 1)) * block.width;
  const uint8_t* p = block.codes + (bit >> 3);
  const uint32_t shift = bit & 7;
  if (block.width <= 25) return block.base + (Load32(p) >> shift & ((1u << block.width) - 1));
  uint64_t v = Load64(p) >> shift;
  if (block.width == 64) return shift == 0 ? v : v | static_cast<uint64_t>(p[8]) << (64 - shift);
  if (shift + block.width > 64) v |= static_cast<uint64_t>(p[8]) << (64 - shift);
  return block.base + (v & ((uint64_t{1} << block.width) - 1));
}

// As long as a block's codes are this narrow, the sum of 32 of them fits into 32 bits.
inline constexpr uint32_t kNarrow = 26;

NARTHEX_HD bool IsNarrow(const NxBlock& block) {
  return block.width < kNarrow ? block.base < (uint64_t{1} << (kNarrow - 1))
                               : block.width == kNarrow && block.base == 0;
}

// Exact: all powers up to 10^22 are doubles.
NARTHEX_HD double PowerOfTen(uint32_t e) {
  double power = 1;
  for (uint32_t i = 0; i < e; ++i) power *= 10;
  return power;
}

// The value that an integer of the chunk stands for. `power`: PowerOfTen of its exponent.
NARTHEX_HD double NxValue(int64_t k, bool ordered, double power) {
  if (!ordered) return power == 1 ? static_cast<double>(k) : static_cast<double>(k) / power;
  if (k >= 0) return FromBits(static_cast<uint64_t>(k));
  return FromBits(kSignBit - static_cast<uint64_t>(k + 1));
}

}  // namespace narthex::cuda
