// A directory: which series each stripe of a run holds, so that a query reads only the stripes that it needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace narthex::tsdb {

// The series of stripes 0, 1, ..., each list as its stripe has it (sorted by labels).
std::string EncodeDirectory(const std::vector<std::vector<uint32_t>>& stripes);
// False if the checksum or the structure is wrong.
bool DecodeDirectory(std::string_view bytes, std::vector<std::vector<uint32_t>>* stripes);

}  // namespace narthex::tsdb
