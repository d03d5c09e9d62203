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
// A block as it stands. Codes that are not packed are 0.
struct PackedBlock {
  PackedBlock() = default;
  PackedBlock(const PackedBlock&) = delete;  // `bytes` may point into it
  PackedBlock& operator=(const PackedBlock&) = delete;
  uint32_t changed = 0;  // which codes are packed
  int width = 0;         // bits of a packed code
  uint64_t base = 0;     // is to be added to each of them
  // The packed codes, lowest bit first; nothing if their width is 0. kPadding bytes behind the last one can
  // be read, too, as vectors load whole words: if the input ends before that, the codes are kept in `padded`.
  const char* bytes = padded;
  static constexpr size_t kPadding = 16;
  char padded[kIntBlock * 8 + kPadding];
};
// Reads a block of n <= 32 codes. It refers to the input.
bool ReadBlock(ByteReader* in, size_t n, PackedBlock* block);
// The packed codes of a block without what is to be added to them, at most kIntBlock; there is room for as
// many.
void UnpackCodes(const PackedBlock& block, uint64_t* codes);

}  // namespace narthex::tsdb
