// The journal: own preallocated segment files in one directory, recycled when nothing in them is needed any
// more.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/log.h"
#include "base/mutex.h"
#include "tsdb/files.h"

namespace narthex::tsdb {

// Thread-safe. A record that Append reported as written survives kill -9; Sync makes it survive a power cut.
class Journal {
 public:
  using Replay = std::function<void(uint64_t sequence, std::string_view payload)>;
  struct OpenStats {
    uint64_t records = 0;
    uint64_t corruptions = 0;  // ranges that did not check and were skipped
  };
  // Replays every record in order, then is ready to append. Never fails on bad contents, only on I/O errors.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& directory, FileHooks* hooks,
                                                       const Logger* logger, const Replay& replay,
                                                       OpenStats* stats);
  ~Journal();

  // The record's sequence, always a new one. *written says whether it reached the file (false: disk full or
  // I/O error); *bytes is what went to the disk for it.
  uint64_t Append(std::string_view payload, absl::Status* written, uint64_t* bytes);
  absl::Status Sync();
  uint64_t last_sequence() const;
  uint64_t first_sequence() const;  // what the files may hold begins here
  // Sequences continue above this one.
  void RaiseSequence(uint64_t at_least);
  // Frees the segments whose records are all below `needed`.
  void Free(uint64_t needed);
  uint64_t bytes_written() const;
  size_t segment_count() const;
  // A journal of the records from `needed` on; its sequences continue above all of this one.
  absl::Status CopyTo(const std::string& directory, uint64_t needed) const;

 private:
  struct Segment {
    uint64_t number = 0;
    uint64_t first_sequence = 0, last_sequence = 0;
  };
  Journal(std::string directory, FileHooks* hooks, const Logger* logger)
      : directory_(std::move(directory)), files_(hooks), logger_(logger) {}
  absl::Status ReplayAll(const Replay& replay, OpenStats* stats);
  bool ReplaySegment(uint64_t number, std::string_view bytes, const Replay& replay, OpenStats* stats,
                     size_t* end);
  // Writes the segment's records from `needed` on to another file. (journal_copy.cc)
  absl::Status CopySegment(const Segment& segment, uint64_t needed, const std::string& path) const;
  absl::Status StartSegment(size_t record_size) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string SegmentPath(uint64_t number) const;
  std::string SparePath(uint64_t number) const;

  const std::string directory_;
  const Files files_;
  const Logger* const logger_;
  mutable Mutex mutex_;
  std::vector<Segment> segments_ ABSL_GUARDED_BY(mutex_);  // the last one is written to if fd_ is open
  std::string path_ ABSL_GUARDED_BY(mutex_);               // of the file that is open
  std::string frame_ ABSL_GUARDED_BY(mutex_);              // the record being written; only its room is kept
  std::vector<std::string> spares_ ABSL_GUARDED_BY(mutex_);
  int fd_ ABSL_GUARDED_BY(mutex_) = -1;
  size_t position_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t capacity_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 1;
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t written_ ABSL_GUARDED_BY(mutex_) = 0;
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace narthex::tsdb
