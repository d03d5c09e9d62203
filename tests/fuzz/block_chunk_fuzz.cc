// libFuzzer: any bytes as a chunk of each encoding, as a segment of chunks and as head chunks.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tsdb/blocks/block_reader.h"
#include "tsdb/blocks/chunk.h"
#include "tsdb/blocks/chunk_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace narthex::tsdb::blocks;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (uint8_t encoding = 0; encoding < 8; ++encoding) {
    Samples samples;
    (void)DecodeChunk(encoding, bytes, &samples);
    Trim(0, INT64_MAX / 2, &samples);
    (void)ChunkSampleCount(encoding, bytes);
  }
  (void)CheckChunkHeader(bytes, "chunks");
  for (uint64_t offset = 0; offset < 16; ++offset) (void)ReadChunkAt(bytes, "chunks", offset);
  (void)VisitHeadChunks(bytes, "chunks_head", [](const HeadChunk&) {});
  return 0;
}
