// The newest hours of a Prometheus directory: head chunks, write-ahead log, out-of-order log.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/labels.h"
#include "tsdb/blocks/block_reader.h"
#include "tsdb/blocks/wal_reader.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb::blocks {

// Not thread-safe.
class HeadReader {
 public:
  using Warn = std::function<void(const std::string&)>;
  // Reads series, deletions and metadata. In-order samples before `min_valid` are in blocks and left out.
  // What is damaged ends the log that it is in, as at a start of Prometheus, and is told to `warn`.
  static absl::StatusOr<std::unique_ptr<HeadReader>> Open(const std::string& directory, int64_t min_valid,
                                                          const Warn& warn);
  size_t series_count() const { return series_.size(); }  // label sets
  // Metadata by metric name.
  struct Metadata {
    std::string metric, type, unit, help;
  };
  const std::vector<Metadata>& metadata() const { return metadata_; }
  // The newest exemplars of the log, in its order, as many as a store keeps.
  const std::deque<std::pair<Labels, Exemplar>>& exemplars() const { return exemplars_; }
  // Says which head this is: other series or other files give another text.
  std::string Fingerprint() const;
  // Visits all series that have samples, in order of labels, holding at most about `max_samples` decoded
  // samples of the log at a time. Stops at the first error of `visit`.
  absl::Status Visit(size_t max_samples,
                     const std::function<absl::Status(const Labels&, const Samples&)>& visit);
  uint64_t deleted() const { return deleted_; }

 private:
  struct Series {
    Labels labels;
    std::vector<uint64_t> refs;  // a series that came back has several
  };
  struct Located {
    int64_t mint, maxt;
    bool out_of_order;
    RawChunk chunk;
  };
  using RecordVisitor = std::function<void(const WalRecord&)>;
  HeadReader(std::string directory, int64_t min_valid, Warn warn)
      : directory_(std::move(directory)), min_valid_(min_valid), warn_(std::move(warn)) {}
  absl::Status ReadLogs();
  absl::Status ReadHeadChunks();
  // All records of a log, with its newest checkpoint first.
  absl::Status VisitLog(const std::vector<std::string>& segments, bool complain, const RecordVisitor& visit);
  std::vector<std::string> LogSegments(const std::string& folder) const;
  void CollectSlice(size_t first, size_t count, std::vector<Samples>* out, absl::Status* status);
  void Finish(const Series& series, Samples* samples);

  const std::string directory_;
  const int64_t min_valid_;
  const Warn warn_;
  std::vector<Series> series_;                        // sorted by labels
  absl::flat_hash_map<uint64_t, uint32_t> index_of_;  // reference -> place in series_
  TombstoneMap tombstones_;                           // by reference
  std::vector<Metadata> metadata_;
  std::deque<std::pair<Labels, Exemplar>> exemplars_;
  std::vector<std::unique_ptr<MappedFile>> chunk_files_;
  absl::flat_hash_map<uint64_t, std::vector<Located>> chunks_;
  std::vector<std::string> wal_, wbl_;
  uint64_t log_samples_ = 0, deleted_ = 0;
};

}  // namespace narthex::tsdb::blocks
