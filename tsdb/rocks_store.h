// The door to RocksDB: the index (small keys) and two families of stripes, whose files are ingested whole.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tsdb/file_hooks.h"

namespace narthex::tsdb {

// An atomic change of the index.
struct IndexBatch {
  std::vector<std::pair<std::string, std::string>> puts;
  std::vector<std::string> deletes;
  bool empty() const { return puts.empty() && deletes.empty(); }
};

enum class Family { kHours, kDays };  // stripes as they were sealed; merged days

// A place in a family as it was when the cursor was made, whatever is added or dropped since. Not
// thread-safe.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual void Seek(std::string_view key) = 0;  // the first key at or after it
  virtual void Next() = 0;
  virtual bool Valid() const = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual absl::Status status() const = 0;  // why it is not valid; OK at the end
};

// A file of stripes being written aside. Removed unless ingested. Not thread-safe.
class StripeFile {
 public:
  virtual ~StripeFile() = default;
  // Keys must ascend.
  virtual absl::Status Add(std::string_view key, std::string_view value) = 0;
  virtual bool empty() const = 0;
};

// Thread-safe.
class RocksStore {
 public:
  // `hooks` may be null. `written` gets the bytes that go to files. `damage` is told, by any thread, of each
  // range or record of the index that did not check and was skipped.
  using DamageSink = std::function<void(const std::string& what)>;
  static absl::StatusOr<std::unique_ptr<RocksStore>> Open(const std::string& path, FileHooks* hooks,
                                                          Counter* written, const Logger* logger,
                                                          DamageSink damage);
  virtual ~RocksStore() = default;

  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;  // false stops
  // Survives kill -9 on return; a power cut only after Sync (or sync = true).
  virtual absl::Status Write(const IndexBatch& batch, bool sync) = 0;
  virtual absl::StatusOr<std::string> Get(std::string_view key) = 0;  // NotFound
  // Blocks that do not check are stepped over.
  virtual absl::Status Scan(std::string_view prefix, const Visitor& visit) = 0;
  virtual absl::Status Sync() = 0;
  // What is in the index leaves RocksDB's log: a damaged log cannot take it back.
  virtual absl::Status Flush() = 0;
  // The same, and what was deleted in the index costs its readers nothing any more.
  virtual absl::Status Compact() = 0;
  // Whether the disk has room for writes.
  virtual absl::Status CheckRoom() const = 0;
  // Tries to leave the state after a failed write (disk full).
  virtual void Resume() = 0;

  virtual absl::StatusOr<std::unique_ptr<StripeFile>> NewFile(Family family) = 0;
  // Adds what the file holds at once, durably.
  virtual absl::Status Ingest(std::unique_ptr<StripeFile> file) = 0;
  // `keep`: blocks that are read stay in the cache, for who is likely to read them again.
  virtual std::unique_ptr<Cursor> NewCursor(Family family, bool keep) = 0;
  // Drops the keys in [begin, end), file by file where whole files are in the range.
  virtual absl::Status Drop(Family family, std::string_view begin, std::string_view end) = 0;
  virtual uint64_t Bytes(Family family, std::string_view begin, std::string_view end) = 0;
  // What it holds; and how much of that the block caches may be from now on. A write buffer over `buffers`
  // bytes is flushed.
  struct Memory {
    int64_t caches = 0, buffers = 0;
  };
  virtual Memory MemoryBytes() = 0;
  virtual void ShrinkTo(size_t caches, size_t buffers) = 0;
  virtual absl::Status Checkpoint(const std::string& path) = 0;
};

}  // namespace narthex::tsdb
