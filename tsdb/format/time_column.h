// A timestamp column: count, first, then deltas of deltas in blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tsdb/format/bytes.h"

namespace narthex::tsdb {

void PutTimeColumn(std::string* out, const std::vector<int64_t>& times);
bool ReadTimeColumn(ByteReader* in, std::vector<int64_t>* times);

}  // namespace narthex::tsdb
