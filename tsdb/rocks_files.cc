#include "tsdb/rocks_files.h"

#include <rocksdb/file_system.h>

#include <string>
#include <utility>

namespace narthex::tsdb {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToIo(const absl::Status& s) {
  if (s.ok()) return IOStatus::OK();
  const std::string text(s.message());
  return absl::IsResourceExhausted(s) ? IOStatus::NoSpace(text) : IOStatus::IOError(text);
}

#define RETURN_IF_REFUSED(expr)        \
  do {                                 \
    IOStatus refused = ToIo((expr));   \
    if (!refused.ok()) return refused; \
  } while (false)

class HookedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  HookedFile(std::unique_ptr<FSWritableFile> target, FileHooks* hooks, std::string path, uint64_t size)
      : FSWritableFileOwnerWrapper(std::move(target)), hooks_(hooks), path_(std::move(path)), size_(size) {}

  IOStatus Append(const Slice& data, const IOOptions& o, IODebugContext* d) override {
    RETURN_IF_REFUSED(Note(data));
    return FSWritableFileOwnerWrapper::Append(data, o, d);
  }
  IOStatus Append(const Slice& data, const IOOptions& o, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* d) override {
    RETURN_IF_REFUSED(Note(data));
    return FSWritableFileOwnerWrapper::Append(data, o, info, d);
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& o,
                            IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Write(path_, offset, {data.data(), data.size()}));
    return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, o, d);
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& o,
                            const rocksdb::DataVerificationInfo& info, IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Write(path_, offset, {data.data(), data.size()}));
    return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, o, info, d);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& o, IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Truncate(path_, size));
    size_ = size;
    return FSWritableFileOwnerWrapper::Truncate(size, o, d);
  }
  IOStatus Sync(const IOOptions& o, IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Sync(path_));
    return FSWritableFileOwnerWrapper::Sync(o, d);
  }
  IOStatus Fsync(const IOOptions& o, IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Sync(path_));
    return FSWritableFileOwnerWrapper::Fsync(o, d);
  }

 private:
  absl::Status Note(const Slice& data) {
    absl::Status s = hooks_->Write(path_, size_, {data.data(), data.size()});
    if (s.ok()) size_ += data.size();
    return s;
  }
  FileHooks* const hooks_;
  const std::string path_;
  uint64_t size_;
};

class HookedDirectory : public rocksdb::FSDirectoryWrapper {
 public:
  HookedDirectory(std::unique_ptr<FSDirectory> target, FileHooks* hooks, std::string path)
      : FSDirectoryWrapper(std::move(target)), hooks_(hooks), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions& o, IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->SyncDirectory(path_));
    return FSDirectoryWrapper::Fsync(o, d);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& o, IODebugContext* d,
                               const rocksdb::DirFsyncOptions& options) override {
    RETURN_IF_REFUSED(hooks_->SyncDirectory(path_));
    return FSDirectoryWrapper::FsyncWithDirOptions(o, d, options);
  }

 private:
  FileHooks* const hooks_;
  const std::string path_;
};

class HookedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit HookedFileSystem(FileHooks* hooks)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), hooks_(hooks) {}
  const char* Name() const override { return "NarthexHooked"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& o,
                           std::unique_ptr<FSWritableFile>* out, IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Create(path));
    IOStatus s = FileSystemWrapper::NewWritableFile(path, Plain(o), out, d);
    if (s.ok()) *out = std::make_unique<HookedFile>(std::move(*out), hooks_, path, 0);
    return s;
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& o,
                              std::unique_ptr<FSWritableFile>* out, IODebugContext* d) override {
    uint64_t size = 0;
    (void)GetFileSize(path, IOOptions(), &size, d);
    IOStatus s = FileSystemWrapper::ReopenWritableFile(path, Plain(o), out, d);
    if (s.ok()) *out = std::make_unique<HookedFile>(std::move(*out), hooks_, path, size);
    return s;
  }
  // Only whole new files: the hooks would not see writes to these.
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old, const FileOptions& o,
                             std::unique_ptr<FSWritableFile>* out, IODebugContext* d) override {
    return IOStatus::NotSupported("files are not reused under hooks");
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions& o,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* out, IODebugContext* d) override {
    return IOStatus::NotSupported("no random writes under hooks");
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& o, std::unique_ptr<FSDirectory>* out,
                        IODebugContext* d) override {
    IOStatus s = FileSystemWrapper::NewDirectory(path, o, out, d);
    if (s.ok()) *out = std::make_unique<HookedDirectory>(std::move(*out), hooks_, path);
    return s;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& o, IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Remove(path));
    return FileSystemWrapper::DeleteFile(path, o, d);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& o,
                      IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Rename(from, to));
    return FileSystemWrapper::RenameFile(from, to, o, d);
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& o,
                    IODebugContext* d) override {
    RETURN_IF_REFUSED(hooks_->Link(from, to));
    return FileSystemWrapper::LinkFile(from, to, o, d);
  }

 private:
  // Writes through a map would pass the hooks by.
  static FileOptions Plain(FileOptions o) {
    o.use_mmap_writes = false;
    return o;
  }
  FileHooks* const hooks_;
};

// Counts what is written.
class CountedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  CountedFile(std::unique_ptr<FSWritableFile> target, Counter* written)
      : FSWritableFileOwnerWrapper(std::move(target)), written_(written) {}

  IOStatus Append(const Slice& data, const IOOptions& o, IODebugContext* d) override {
    return Note(data, FSWritableFileOwnerWrapper::Append(data, o, d));
  }
  IOStatus Append(const Slice& data, const IOOptions& o, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* d) override {
    return Note(data, FSWritableFileOwnerWrapper::Append(data, o, info, d));
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& o,
                            IODebugContext* d) override {
    return Note(data, FSWritableFileOwnerWrapper::PositionedAppend(data, offset, o, d));
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& o,
                            const rocksdb::DataVerificationInfo& info, IODebugContext* d) override {
    return Note(data, FSWritableFileOwnerWrapper::PositionedAppend(data, offset, o, info, d));
  }

 private:
  IOStatus Note(const Slice& data, IOStatus s) {
    if (s.ok()) written_->Add(static_cast<double>(data.size()));
    return s;
  }
  Counter* const written_;
};

class CountedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  CountedFileSystem(std::shared_ptr<rocksdb::FileSystem> target, Counter* written)
      : FileSystemWrapper(std::move(target)), written_(written) {}
  const char* Name() const override { return "NarthexCounted"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& o,
                           std::unique_ptr<FSWritableFile>* out, IODebugContext* d) override {
    return Counted(FileSystemWrapper::NewWritableFile(path, o, out, d), out);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& o,
                              std::unique_ptr<FSWritableFile>* out, IODebugContext* d) override {
    return Counted(FileSystemWrapper::ReopenWritableFile(path, o, out, d), out);
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old, const FileOptions& o,
                             std::unique_ptr<FSWritableFile>* out, IODebugContext* d) override {
    return Counted(FileSystemWrapper::ReuseWritableFile(path, old, o, out, d), out);
  }

 private:
  IOStatus Counted(IOStatus s, std::unique_ptr<FSWritableFile>* out) {
    if (s.ok()) *out = std::make_unique<CountedFile>(std::move(*out), written_);
    return s;
  }
  Counter* const written_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewFilesEnv(FileHooks* hooks, Counter* written) {
  std::shared_ptr<rocksdb::FileSystem> files = rocksdb::FileSystem::Default();
  if (hooks != nullptr) files = std::make_shared<HookedFileSystem>(hooks);
  return rocksdb::NewCompositeEnv(std::make_shared<CountedFileSystem>(std::move(files), written));
}

}  // namespace narthex::tsdb
