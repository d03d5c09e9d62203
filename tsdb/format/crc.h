// CRC-32C (Castagnoli), the checksum of journal records and stripes.
#pragma once

#include <cstdint>
#include <string_view>

namespace narthex::tsdb {

// Continues `seed` (0 for a fresh sum) over the bytes.
uint32_t Crc32c(uint32_t seed, std::string_view bytes);

}  // namespace narthex::tsdb
