#include "tsdb/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::tsdb {
namespace {

absl::Status Errno(std::string_view what, const std::string& path) {
  const std::string text = StrCat(what, " ", path, ": ", std::strerror(errno));
  return errno == ENOSPC || errno == EDQUOT ? absl::ResourceExhaustedError(text) : absl::InternalError(text);
}

}  // namespace

absl::StatusOr<int> Files::Open(const std::string& path) const {
  if (hooks_ != nullptr && ::access(path.c_str(), F_OK) != 0) RETURN_IF_ERROR(hooks_->Create(path));
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Errno("open", path);
  return fd;
}

absl::Status Files::Allocate(int fd, const std::string& path, uint64_t size) const {
  if (hooks_ != nullptr) RETURN_IF_ERROR(hooks_->Extend(path, size));
  errno = ::posix_fallocate(fd, 0, static_cast<off_t>(size));
  return errno == 0 ? absl::OkStatus() : Errno("allocate", path);
}

absl::Status Files::Write(int fd, const std::string& path, uint64_t offset, std::string_view bytes) const {
  if (hooks_ != nullptr) RETURN_IF_ERROR(hooks_->Write(path, offset, bytes));
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Errno("write", path);
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::Status Files::Sync(int fd, const std::string& path) const {
  if (hooks_ != nullptr) RETURN_IF_ERROR(hooks_->Sync(path));
  return ::fdatasync(fd) == 0 ? absl::OkStatus() : Errno("sync", path);
}

absl::Status Files::SyncDirectory(const std::string& path) const {
  if (hooks_ != nullptr) RETURN_IF_ERROR(hooks_->SyncDirectory(path));
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Errno("open", path);
  const absl::Status s = ::fsync(fd) == 0 ? absl::OkStatus() : Errno("sync", path);
  ::close(fd);
  return s;
}

absl::Status Files::Rename(const std::string& from, const std::string& to) const {
  if (hooks_ != nullptr) RETURN_IF_ERROR(hooks_->Rename(from, to));
  return ::rename(from.c_str(), to.c_str()) == 0 ? absl::OkStatus() : Errno("rename", from);
}

absl::Status Files::Remove(const std::string& path) const {
  if (hooks_ != nullptr) RETURN_IF_ERROR(hooks_->Remove(path));
  return ::unlink(path.c_str()) == 0 ? absl::OkStatus() : Errno("remove", path);
}

absl::Status Files::WriteWhole(const std::string& path, std::string_view bytes) const {
  return WriteWhole(path, [&] { return std::exchange(bytes, {}); });
}

absl::Status Files::WriteWhole(const std::string& path, const Pieces& pieces) const {
  const std::string next = path + ".tmp";
  std::error_code ec;
  if (std::filesystem::exists(next, ec)) RETURN_IF_ERROR(Remove(next));
  ASSIGN_OR_RETURN(const int fd, Open(next));
  absl::Status s;
  uint64_t written = 0;
  for (std::string_view piece = pieces(); s.ok() && !piece.empty(); piece = pieces()) {
    s = Write(fd, next, written, piece);
    written += piece.size();
  }
  if (s.ok()) s = Sync(fd, next);
  ::close(fd);
  if (s.ok()) s = Rename(next, path);
  if (s.ok()) s = SyncDirectory(std::filesystem::path(path).parent_path().string());
  return s;
}

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Errno("open", path);
  std::string out;
  struct stat st;
  if (::fstat(fd, &st) == 0) out.resize(static_cast<size_t>(st.st_size));
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // an unreadable sector: what is before it is still good
    done += static_cast<size_t>(n);
  }
  out.resize(done);
  ::close(fd);
  return out;
}

}  // namespace narthex::tsdb
