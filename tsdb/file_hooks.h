// A seat under the store's files: tests refuse writes here (disk full) and note what a power cut may lose.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace narthex::tsdb {

// Told of every change of a file before it is made; a change that is refused is not made and its error goes
// where the operating system's would. ResourceExhausted stands for a full disk. Thread-safe.
class FileHooks {
 public:
  virtual ~FileHooks() = default;
  virtual uint64_t FreeBytes() const = 0;                    // of the disk
  virtual absl::Status Create(const std::string& path) = 0;  // made, or emptied if it was there
  virtual absl::Status Write(const std::string& path, uint64_t offset, std::string_view bytes) = 0;
  virtual absl::Status Extend(const std::string& path, uint64_t size) = 0;    // zeros up to size
  virtual absl::Status Truncate(const std::string& path, uint64_t size) = 0;  // cut at size
  virtual absl::Status Sync(const std::string& path) = 0;           // what was written to the file stays
  virtual absl::Status SyncDirectory(const std::string& path) = 0;  // the names in it stay
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Link(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
};

}  // namespace narthex::tsdb
