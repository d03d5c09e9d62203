// The store's own files: POSIX calls with errors in words, under FileHooks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tsdb/file_hooks.h"

namespace narthex::tsdb {

// Thread-safe. `hooks` may be null. A full disk gives ResourceExhausted.
class Files {
 public:
  explicit Files(FileHooks* hooks) : hooks_(hooks) {}
  // For reading and writing; made if it is not there.
  absl::StatusOr<int> Open(const std::string& path) const;
  absl::Status Allocate(int fd, const std::string& path, uint64_t size) const;
  absl::Status Write(int fd, const std::string& path, uint64_t offset, std::string_view bytes) const;
  absl::Status Sync(int fd, const std::string& path) const;
  absl::Status SyncDirectory(const std::string& path) const;
  absl::Status Rename(const std::string& from, const std::string& to) const;
  absl::Status Remove(const std::string& path) const;
  // All or nothing, and for good, even over a power cut.
  absl::Status WriteWhole(const std::string& path, std::string_view bytes) const;
  // The same of pieces, until one is empty.
  using Pieces = std::function<std::string_view()>;
  absl::Status WriteWhole(const std::string& path, const Pieces& pieces) const;

 private:
  FileHooks* const hooks_;
};

// What is readable of a file from its beginning.
absl::StatusOr<std::string> ReadWhole(const std::string& path);

}  // namespace narthex::tsdb
