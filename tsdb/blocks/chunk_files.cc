#include "tsdb/blocks/chunk_files.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr uint32_t kBlockMagic = 0x85BD40DD, kHeadMagic = 0x0130BC91;
constexpr size_t kHeaderSize = 8;
constexpr uint8_t kOutOfOrderBit = 0x80;

absl::Status CheckHeader(std::string_view file, std::string_view name, uint32_t magic) {
  Cursor in(file);
  const uint32_t found = in.Be32();
  const int version = in.Byte();
  if (!in.ok() || file.size() < kHeaderSize) return CorruptAt(name, 0, "file too short for a header");
  if (found != magic) return CorruptAt(name, 0, "invalid magic number");
  if (version != 1) return CorruptAt(name, 4, StrCat("unknown chunk file version ", version));
  return absl::OkStatus();
}

// Length, encoding, data, checksum. `summed_from`: where the checksum begins, relative to `file`.
absl::StatusOr<RawChunk> ReadBody(std::string_view file, std::string_view name, Cursor* in, uint64_t base,
                                  uint64_t length, uint8_t encoding, uint64_t summed_from) {
  RawChunk out;
  out.encoding = encoding;
  out.data = in->Take(length);
  const uint64_t end = base + in->position();
  const uint32_t checksum = in->Be32();
  if (!in->ok()) return CorruptAt(name, base, "chunk runs past the file");
  if (Crc32c(0, file.substr(summed_from, end - summed_from)) != checksum)
    return CorruptAt(name, base, "chunk: invalid checksum");
  return out;
}

}  // namespace

absl::Status CheckChunkHeader(std::string_view file, std::string_view name) {
  return CheckHeader(file, name, kBlockMagic);
}

absl::StatusOr<RawChunk> ReadChunkAt(std::string_view file, std::string_view name, uint64_t offset) {
  if (offset < kHeaderSize || offset >= file.size())
    return CorruptAt(name, offset, "chunk reference outside the file");
  Cursor in(file.substr(offset));
  const uint64_t length = in.Uvarint();
  const uint64_t summed_from = offset + in.position();
  const uint8_t encoding = in.Byte();
  return ReadBody(file, name, &in, offset, length, encoding, summed_from);
}

absl::StatusOr<ChunkFiles> ChunkFiles::Open(const std::string& directory) {
  ChunkFiles out;
  for (const std::string& path : NumberedFiles(directory)) {
    ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    RETURN_IF_ERROR(CheckHeader(file->bytes(), path, kBlockMagic));
    out.segments_.push_back(std::move(file));
  }
  return out;
}

absl::StatusOr<RawChunk> ChunkFiles::Read(uint64_t ref) const {
  const uint64_t segment = ref >> 32;
  if (segment >= segments_.size())
    return absl::DataLossError(StrCat("reference to chunk segment ", segment, " of ", segments_.size()));
  return ReadChunkAt(segments_[segment]->bytes(), segments_[segment]->path(), ref & 0xffffffff);
}

void ChunkFiles::Release() const {
  for (const auto& segment : segments_) segment->Release();
}

uint64_t ChunkFiles::bytes() const {
  uint64_t n = 0;
  for (const auto& segment : segments_) n += segment->bytes().size();
  return n;
}

absl::Status VisitHeadChunks(std::string_view file, std::string_view name,
                             const std::function<void(const HeadChunk&)>& visit) {
  // Files are allocated ahead: an empty one and a tail of zeros are no errors.
  if (file.empty() || file.find_first_not_of('\0') == std::string_view::npos) return absl::OkStatus();
  RETURN_IF_ERROR(CheckHeader(file, name, kHeadMagic));
  for (uint64_t offset = kHeaderSize; offset < file.size();) {
    Cursor in(file.substr(offset));
    HeadChunk out;
    out.series = in.Be64();
    out.mint = static_cast<int64_t>(in.Be64());
    out.maxt = static_cast<int64_t>(in.Be64());
    const uint8_t encoding = in.Byte();
    const uint64_t length = in.Uvarint();
    if (out.series == 0 && file.find_first_not_of('\0', offset) == std::string_view::npos) break;
    out.out_of_order = (encoding & kOutOfOrderBit) != 0;
    ASSIGN_OR_RETURN(out.chunk, ReadBody(file, name, &in, offset, length,
                                         static_cast<uint8_t>(encoding & ~kOutOfOrderBit), offset));
    visit(out);
    offset += in.position();
  }
  return absl::OkStatus();
}

std::vector<std::string> NumberedFiles(const std::string& directory) {
  std::vector<std::pair<uint64_t, std::string>> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    uint64_t number = 0;
    if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
        absl::SimpleAtoi(name, &number)) {
      found.emplace_back(number, it->path().string());
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> out;
  for (auto& [number, path] : found) out.push_back(std::move(path));
  return out;
}

}  // namespace narthex::tsdb::blocks
