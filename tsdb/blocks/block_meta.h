// meta.json of a block, and the names of blocks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace narthex::tsdb::blocks {

struct BlockMeta {
  std::string ulid;
  int64_t mint = 0, maxt = 0;  // maxt is not included
  uint64_t samples = 0, series = 0, chunks = 0, tombstones = 0;
  uint64_t float_samples = 0, histogram_samples = 0;
  int level = 1;
  bool out_of_order = false;  // made of samples that came late: says nothing about where the head begins
  std::vector<std::string> sources;  // the level-1 blocks that it was made of
};

// `name` is the file's, for errors.
absl::StatusOr<BlockMeta> ParseBlockMeta(std::string_view text, std::string_view name);
std::string FormatBlockMeta(const BlockMeta& meta);

bool IsUlid(std::string_view text);
// 48 bits of time, then 80 bits of `entropy` (the low 16 of `high`, and `low`).
std::string MakeUlid(int64_t time_ms, uint64_t high, uint64_t low);

// Folders of `directory` that are blocks: named by a ULID, with a meta.json. Sorted by start, then name.
absl::StatusOr<std::vector<BlockMeta>> ListBlocks(const std::string& directory);

}  // namespace narthex::tsdb::blocks
