// Unsigned codes in blocks of 32: width byte (bit 7: a change mask follows), mask, packed codes. Shared by
// value chunks and timestamp columns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tsdb/format/bytes.h"

namespace narthex::tsdb {

void PutBlocks(std::string* out, const uint64_t* codes, size_t n);
bool ReadBlocks(ByteReader* in, uint64_t* codes, size_t n);

}  // namespace narthex::tsdb
