// What turns a block's codes into the values that they stand for. Compiled for each instruction set
// (Highway); all give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tsdb/format/int_blocks.h"

namespace narthex::tsdb {

struct DeltaCoding {
  bool zigzag = false;  // codes are of signed deltas
  uint64_t gcd = 1;     // of all deltas: codes are multiples of it
};

struct BlockKernels {
  // Room for what vectors write beyond the last of up to kIntBlock integers.
  static constexpr size_t kRoom = kIntBlock + 1;

  // sums[k] = start + the first k of the deltas that are packed in the block, k = 0 .. their number, without
  // regard to overflow. What is behind the last sum, up to kRoom, means nothing.
  void (*sums)(const PackedBlock& block, DeltaCoding coding, uint64_t start, uint64_t* sums);

  // out[i] = sums[bits set in `changed` up to the place at[i] - first], i = 0 .. n - 1.
  void (*pick)(const uint64_t* sums, uint32_t changed, const uint32_t* at, uint32_t first, size_t n,
               uint64_t* out);

  // values[i] = integers[i] / power. False, and nothing written, if one of them is not in [-2^51, 2^51).
  bool (*divide)(const uint64_t* integers, size_t n, double power, double* values);
};

// The best ones that the machine has.
const BlockKernels& MachineBlockKernels();
// Those of each instruction set of the machine, by name. Not for use beside other threads.
std::vector<std::pair<std::string, BlockKernels>> AllBlockKernels();

}  // namespace narthex::tsdb
