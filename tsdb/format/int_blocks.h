// Unsigned codes in blocks of 32: width byte (bit 7: a change mask follows; from 65 on: a base follows, to
// which all are added), mask or base, packed codes. Shared by value chunks and timestamp columns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tsdb/format/bytes.h"

namespace narthex::tsdb {

void PutBlocks(std::string* out, const uint64_t* codes, size_t n);
bool ReadBlocks(ByteReader* in, uint64_t* codes, size_t n);

// Without a call into a library, as std::popcount is where the instruction is not taken for granted.
inline uint32_t CountOnes(uint32_t v) {
  v -= (v >> 1) & 0x55555555;
  v = (v & 0x33333333) + ((v >> 2) & 0x33333333);
  return (((v + (v >> 4)) & 0x0f0f0f0f) * 0x01010101) >> 24;
}

inline constexpr size_t kIntBlock = 32;
// A block as it stands: the codes that may be other than 0, in order, and which they are.
struct IntBlock {
  uint32_t changed = 0;
  uint64_t codes[kIntBlock];
};
// Reads a block of n <= 32 codes.
bool ReadBlock(ByteReader* in, size_t n, IntBlock* block);

}  // namespace narthex::tsdb
