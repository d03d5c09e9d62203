// The door to RocksDB: an index column family (small keys) and a stripe column family (files that are
// ingested).
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

namespace narthex::tsdb {

// An atomic change of the index.
struct IndexBatch {
  std::vector<std::pair<std::string, std::string>> puts;
  std::vector<std::string> deletes;
  bool empty() const { return puts.empty() && deletes.empty(); }
};

// Thread-safe.
class RocksStore {
 public:
  static absl::StatusOr<std::unique_ptr<RocksStore>> Open(const std::string& path);
  virtual ~RocksStore() = default;

  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;  // false stops
  // Survives kill -9 on return; a power cut only after Sync (or sync = true).
  virtual absl::Status Write(const IndexBatch& batch, bool sync) = 0;
  virtual absl::StatusOr<std::string> Get(std::string_view key) = 0;  // NotFound
  virtual absl::Status Scan(std::string_view prefix, const Visitor& visit) = 0;
  virtual absl::Status Sync() = 0;
  // Tries to leave the state after a failed write (disk full).
  virtual void Resume() = 0;

  // Adds all stripes at once, durably. Returns the bytes of the file.
  virtual absl::StatusOr<uint64_t> Ingest(const std::map<std::string, std::string>& stripes) = 0;
  virtual absl::Status GetStripe(std::string_view key, std::string* value) = 0;
  // Keys in [begin, end) in order. Blocks that RocksDB finds corrupt end the scan with an error.
  virtual absl::Status ScanStripes(std::string_view begin, std::string_view end, const Visitor& visit) = 0;
  virtual absl::Status DropStripes(std::string_view begin, std::string_view end) = 0;
  virtual absl::Status DeleteStripe(std::string_view key) = 0;
  virtual uint64_t StripeBytes(std::string_view begin, std::string_view end) = 0;
  virtual absl::Status Checkpoint(const std::string& path) = 0;
};

}  // namespace narthex::tsdb
