// libFuzzer: any bytes as the index of a Prometheus block. Checksums are kept right so that what is behind
// them is reached: the last byte of the input says where.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tsdb/blocks/block_reader.h"
#include "tsdb/blocks/index_reader.h"
#include "tsdb/format/crc.h"

namespace {

void PutChecksum(std::string* bytes, size_t begin, size_t end) {
  if (end + 4 > bytes->size() || begin > end) return;
  const uint32_t crc = narthex::tsdb::Crc32c(0, std::string_view(*bytes).substr(begin, end - begin));
  for (int i = 0; i < 4; ++i) (*bytes)[end + i] = static_cast<char>(crc >> (24 - 8 * i));
}

uint64_t Big(const std::string& bytes, size_t at, size_t n) {
  uint64_t v = 0;
  for (size_t i = 0; i < n && at + i < bytes.size(); ++i) v = v << 8 | static_cast<uint8_t>(bytes[at + i]);
  return v;
}

// Makes header, table of contents and section checksums right.
void Repair(std::string* bytes) {
  const std::string header("\xBA\xAA\xD7\x00\x02", 5);
  if (bytes->size() < 57) return;
  bytes->replace(0, 5, header);
  const size_t toc = bytes->size() - 52;
  for (size_t i = 0; i < 6; ++i) {
    const uint64_t at = Big(*bytes, toc + i * 8, 8) % toc;
    for (size_t k = 0; k < 8; ++k) (*bytes)[toc + i * 8 + k] = static_cast<char>(at >> (56 - 8 * k));
    const uint64_t length = Big(*bytes, at, 4);
    if (i == 0 || i == 5) PutChecksum(bytes, at + 4, at + 4 + (length < toc ? length : 0));
  }
  PutChecksum(bytes, toc, toc + 48);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex::tsdb::blocks;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)ParseTombstones(bytes, "tombstones");
  (void)ParseBlockMeta(bytes, "meta.json");
  if (size > 0 && (data[size - 1] & 1) != 0) Repair(&bytes);
  auto index = IndexReader::Open(bytes, "index");
  if (!index.ok()) return 0;
  auto series = index->AllSeries();
  std::vector<uint64_t> refs;
  if (series.ok()) refs = *series;
  for (uint64_t ref = 0; ref < 16; ++ref) refs.push_back(ref);
  narthex::Labels labels;
  std::vector<ChunkMeta> chunks;
  for (uint64_t ref : refs) (void)index->Series(ref, &labels, &chunks);
  return 0;
}
