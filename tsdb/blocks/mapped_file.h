// A file mapped for reading, and a cursor over its bytes whose errors name file and offset.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace narthex::tsdb::blocks {

// Thread-safe to read.
class MappedFile {
 public:
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const std::string& path() const { return path_; }
  std::string_view bytes() const { return bytes_; }
  // Tells the kernel that the pages read so far need not stay in memory.
  void Release() const;

 private:
  MappedFile(std::string path, std::string_view bytes) : path_(std::move(path)), bytes_(bytes) {}
  const std::string path_;
  const std::string_view bytes_;
};

// DataLoss "path: what at offset N".
absl::Status CorruptAt(std::string_view path, uint64_t offset, std::string_view what);

// Reads big-endian numbers and varints front to back. After a read past the end ok() is false and every value
// is 0 or empty. Not thread-safe.
class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(std::string_view bytes) : p_(bytes.data()), begin_(p_), end_(p_ + bytes.size()) {}
  bool ok() const { return ok_; }
  bool done() const { return p_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - p_); }
  size_t position() const { return static_cast<size_t>(p_ - begin_); }
  void Fail() {
    ok_ = false;
    p_ = end_;
  }
  uint8_t Byte() { return left() == 0 ? (Fail(), 0) : static_cast<uint8_t>(*p_++); }
  uint16_t Be16() { return static_cast<uint16_t>(Big(2)); }
  uint32_t Be32() { return static_cast<uint32_t>(Big(4)); }
  uint64_t Be64() { return Big(8); }
  uint64_t Uvarint();
  int64_t Varint() {
    const uint64_t v = Uvarint();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  std::string_view Take(uint64_t n);
  std::string_view Text() { return Take(Uvarint()); }  // uvarint length, then the bytes

 private:
  uint64_t Big(size_t n);
  const char* p_ = nullptr;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  bool ok_ = true;
};

// The writing side.
void PutBe32(std::string* out, uint32_t v);
void PutBe64(std::string* out, uint64_t v);
void PutUvarint(std::string* out, uint64_t v);
void PutSignedVarint(std::string* out, int64_t v);
void PutText(std::string* out, std::string_view text);

}  // namespace narthex::tsdb::blocks
