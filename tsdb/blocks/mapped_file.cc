#include "tsdb/blocks/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace narthex::tsdb::blocks {

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const auto fail = [&](const char* what) {
    return absl::Status(errno == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kInternal,
                        StrCat(what, " ", path, ": ", std::strerror(errno)));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail("open");
  struct stat st {};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    ::close(fd);
    return absl::InvalidArgumentError(StrCat(path, " is not a regular file"));
  }
  const size_t size = static_cast<size_t>(st.st_size);
  void* p = size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  ::close(fd);
  if (p == MAP_FAILED) return fail("mmap");
  return std::unique_ptr<MappedFile>(new MappedFile(path, {static_cast<const char*>(p), size}));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void MappedFile::Release() const {
  if (!bytes_.empty()) (void)::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
}

absl::Status CorruptAt(std::string_view path, uint64_t offset, std::string_view what) {
  return absl::DataLossError(StrCat(path, ": ", what, " at offset ", offset));
}

uint64_t Cursor::Big(size_t n) {
  if (left() < n) {
    Fail();
    return 0;
  }
  uint64_t v = 0;
  for (size_t i = 0; i < n; ++i) v = v << 8 | static_cast<uint8_t>(*p_++);
  return v;
}

uint64_t Cursor::Uvarint() {
  uint64_t v = 0;
  for (unsigned shift = 0; shift < 64 && p_ != end_; shift += 7) {
    const uint8_t b = static_cast<uint8_t>(*p_++);
    v |= static_cast<uint64_t>(b & 0x7f) << shift;
    if (b < 0x80) return v;
  }
  Fail();
  return 0;
}

std::string_view Cursor::Take(uint64_t n) {
  if (left() < n) {
    Fail();
    return {};
  }
  const std::string_view out(p_, n);
  p_ += n;
  return out;
}

void PutBe32(std::string* out, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(v >> shift));
}

void PutBe64(std::string* out, uint64_t v) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(v >> shift));
}

void PutUvarint(std::string* out, uint64_t v) {
  for (; v >= 0x80; v >>= 7) out->push_back(static_cast<char>(v | 0x80));
  out->push_back(static_cast<char>(v));
}

void PutSignedVarint(std::string* out, int64_t v) {
  PutUvarint(out, static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63));
}

void PutText(std::string* out, std::string_view text) {
  PutUvarint(out, text.size());
  out->append(text);
}

}  // namespace narthex::tsdb::blocks
