#include "tsdb/blocks/wal_reader.h"

#include <snappy.h>
#include <zstd.h>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/blocks/mapped_file.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr size_t kPageSize = 32 << 10;
constexpr size_t kHeaderSize = 7;
constexpr size_t kMaxRecord = 256 << 20;
enum Part : int { kPageTerm = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };
enum Compression : int { kSnappy = 8, kZstd = 16 };

// Unpacks a record; false if it is malformed or absurdly large.
bool Unpack(int compression, std::string_view packed, std::string* out) {
  if (compression == kSnappy) {
    size_t size = 0;
    return snappy::GetUncompressedLength(packed.data(), packed.size(), &size) && size <= kMaxRecord &&
           size / 64 <= packed.size() + 64 && snappy::Uncompress(packed.data(), packed.size(), out);
  }
  const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaxRecord) return false;
  out->resize(size);
  const size_t n = ZSTD_decompress(out->data(), out->size(), packed.data(), packed.size());
  return ZSTD_isError(n) == 0 && n == size;
}

}  // namespace

absl::Status VisitWalRecords(std::string_view segment, std::string_view name,
                             const std::function<absl::Status(std::string_view)>& visit) {
  std::string joined, unpacked;
  uint64_t begun = 0;
  bool open = false;
  for (uint64_t at = 0; at < segment.size();) {
    const size_t left_in_page = kPageSize - at % kPageSize;
    const int header = static_cast<uint8_t>(segment[at]);
    if ((header & 7) == kPageTerm) {
      // The rest of the page is padding.
      const std::string_view rest = segment.substr(at, left_in_page);
      if (rest.find_first_not_of('\0') != std::string_view::npos)
        return CorruptAt(name, at, "unexpected bytes in the padding of a page");
      at += left_in_page;
      continue;
    }
    Cursor in(segment.substr(at, left_in_page));
    in.Byte();
    const uint16_t length = in.Be16();
    const uint32_t checksum = in.Be32();
    const std::string_view data = in.Take(length);
    if (!in.ok()) return CorruptAt(name, at, "record part runs past its page or the file");
    if (Crc32c(0, data) != checksum) return CorruptAt(name, at, "record part: invalid checksum");
    const int part = header & 7;
    if ((part == kFull || part == kFirst) == open || part > kLast)
      return CorruptAt(name, at, StrCat("unexpected record part of type ", part));
    if (!open) {
      begun = at;
      joined.clear();
    }
    joined += data;
    open = part == kFirst || part == kMiddle;
    at += kHeaderSize + length;
    if (joined.size() > kMaxRecord) return CorruptAt(name, begun, "record too large");
    if (open) continue;
    const int compression = header & (kSnappy | kZstd);
    std::string_view record = joined;
    if (compression != 0) {
      if (!Unpack(compression, joined, &unpacked))
        return CorruptAt(name, begun, "record does not decompress");
      record = unpacked;
    }
    const absl::Status s = visit(record);
    if (!s.ok()) return CorruptAt(name, begun, std::string(s.message()));
  }
  return open ? CorruptAt(name, begun, "record is cut short") : absl::OkStatus();
}

}  // namespace narthex::tsdb::blocks
