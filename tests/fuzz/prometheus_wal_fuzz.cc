// libFuzzer: any bytes as a record of Prometheus's write-ahead log, and as a segment.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tsdb/blocks/wal_reader.h"
#include "tsdb/format/crc.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex::tsdb::blocks;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  WalRecord record;
  (void)DecodeWalRecord(bytes, &record);
  const auto visit = [&](std::string_view r) { return DecodeWalRecord(r, &record); };
  (void)VisitWalRecords(bytes, "wal", visit);
  // As one part with a good checksum; the first byte is the header.
  if (size < 1 || size > 30'000) return 0;
  const std::string_view body = bytes.substr(1);
  std::string segment(1, static_cast<char>(data[0]));
  segment.push_back(static_cast<char>(body.size() >> 8));
  segment.push_back(static_cast<char>(body.size()));
  const uint32_t crc = narthex::tsdb::Crc32c(0, body);
  for (int shift = 24; shift >= 0; shift -= 8) segment.push_back(static_cast<char>(crc >> shift));
  segment += body;
  (void)VisitWalRecords(segment, "wal", visit);
  return 0;
}
