// The chunk segments of a block (chunks/NNNNNN) and of the head (chunks_head/NNNNNN).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tsdb/blocks/mapped_file.h"

namespace narthex::tsdb::blocks {

struct RawChunk {
  uint8_t encoding = 0;
  std::string_view data;
};

// Reads the chunk at `offset` of a block's segment file. The checksum is checked.
absl::StatusOr<RawChunk> ReadChunkAt(std::string_view file, std::string_view name, uint64_t offset);
// Checks the header of a block's segment file.
absl::Status CheckChunkHeader(std::string_view file, std::string_view name);

// Thread-safe after Open.
class ChunkFiles {
 public:
  // Maps the segments of `directory`: 000001, 000002, ...
  static absl::StatusOr<ChunkFiles> Open(const std::string& directory);
  absl::StatusOr<RawChunk> Read(uint64_t ref) const;
  void Release() const;
  uint64_t bytes() const;

 private:
  std::vector<std::unique_ptr<MappedFile>> segments_;
};

// A chunk that Prometheus moved out of its memory before the block was written.
struct HeadChunk {
  uint64_t series = 0;  // the reference that the WAL gave the series
  int64_t mint = 0, maxt = 0;
  bool out_of_order = false;
  RawChunk chunk;
};
// Visits the chunks of one head segment. Stops with an error at the first that does not check.
absl::Status VisitHeadChunks(std::string_view file, std::string_view name,
                             const std::function<void(const HeadChunk&)>& visit);

// Files of a folder whose names are digits only, in order of their numbers. Empty if there is no such folder.
std::vector<std::string> NumberedFiles(const std::string& directory);

}  // namespace narthex::tsdb::blocks
