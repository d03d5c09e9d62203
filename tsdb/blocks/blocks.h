// CONTRACT of tsdb/blocks: moving a Prometheus data directory into a store, and a store into Prometheus's
// blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "model/matcher.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb::blocks {

// One block that was moved, or skipped.
struct Moved {
  std::string name;  // ULID, or "head"
  int64_t mint = 0, maxt = 0;
  uint64_t series = 0, samples = 0, deleted = 0, chunks = 0, bytes = 0, exemplars = 0;
  bool skipped = false;  // it was moved before
};

struct ImportOptions {
  size_t max_samples = 4 << 20;                  // about as many are in memory at a time
  std::function<void(const Moved&)> block_done;  // may be null
  std::function<void(const std::string&)> warn;  // damage that costs samples of the head; may be null
};

// Reads the blocks, head chunks and logs of a Prometheus data directory into the store. After each block a
// note is left in the store: a run that was interrupted goes on where it was, and a block that has been
// imported is not imported again. Counts are compared with the block's own and some series are read back; a
// difference is an error. The directory is only read; Prometheus must not be running on it.
absl::StatusOr<std::vector<Moved>> Import(Db* db, const std::string& directory, const ImportOptions& options);

struct ExportOptions {
  int64_t block_ms = 2 * 3600'000;
  int64_t mint = INT64_MIN, maxt = INT64_MAX;  // both included
  Matchers match;                              // empty = all series
  const Clock* clock = nullptr;                // required: names of blocks begin with the time
  std::function<void(const Moved&)> block_done;
};

// Writes the store's samples as blocks into `directory`, aligned to block_ms. A block appears whole or not at
// all.
absl::StatusOr<std::vector<Moved>> Export(const Db& db, const std::string& directory,
                                          const ExportOptions& options);

}  // namespace narthex::tsdb::blocks
