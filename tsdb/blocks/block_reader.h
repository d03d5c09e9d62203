// A block on disk: index, chunks and tombstones together.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tsdb/blocks/block_meta.h"
#include "tsdb/blocks/chunk.h"
#include "tsdb/blocks/chunk_files.h"
#include "tsdb/blocks/index_reader.h"
#include "tsdb/blocks/mapped_file.h"

namespace narthex::tsdb::blocks {

using Intervals = std::vector<std::pair<int64_t, int64_t>>;  // both ends included
using TombstoneMap = absl::flat_hash_map<uint64_t, Intervals>;

// Reads a `tombstones` file: deleted ranges by series reference.
absl::StatusOr<TombstoneMap> ParseTombstones(std::string_view bytes, std::string_view name);
// Takes out what is in one of the intervals.
void DropIntervals(const Intervals& intervals, Samples* samples);
// Takes out what is outside [mint, maxt] (both included), and equal times but the last.
void Trim(int64_t mint, int64_t maxt, Samples* samples);

// Thread-safe after Open.
class BlockReader {
 public:
  static absl::StatusOr<std::unique_ptr<BlockReader>> Open(const std::string& directory);
  const BlockMeta& meta() const { return meta_; }
  const IndexReader& index() const { return index_; }
  // Appends the samples of the series in [mint, maxt] (both included); deleted ones are left out, and
  // counted.
  absl::Status Read(uint64_t series, const std::vector<ChunkMeta>& chunks, int64_t mint, int64_t maxt,
                    Samples* out, uint64_t* deleted) const;
  void Release() const;
  uint64_t bytes() const { return chunks_.bytes() + index_file_->bytes().size(); }

 private:
  BlockReader(BlockMeta meta, std::unique_ptr<MappedFile> index_file, IndexReader index, ChunkFiles chunks)
      : meta_(std::move(meta)),
        index_file_(std::move(index_file)),
        index_(std::move(index)),
        chunks_(std::move(chunks)) {}
  const BlockMeta meta_;
  const std::unique_ptr<MappedFile> index_file_;
  const IndexReader index_;
  const ChunkFiles chunks_;
  TombstoneMap tombstones_;
};

}  // namespace narthex::tsdb::blocks
