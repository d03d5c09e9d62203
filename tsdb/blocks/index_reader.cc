#include "tsdb/blocks/index_reader.h"

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/blocks/mapped_file.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr uint32_t kMagic = 0xBAAAD700;
constexpr size_t kTocSize = 6 * 8 + 4;
constexpr uint64_t kSeriesAlignment = 16;

}  // namespace

absl::Status IndexReader::Corrupt(uint64_t offset, std::string_view what) const {
  return CorruptAt(name_, offset, what);
}

absl::StatusOr<IndexReader> IndexReader::Open(std::string_view bytes, std::string name) {
  IndexReader out(bytes, std::move(name));
  Cursor in(bytes);
  if (in.Be32() != kMagic) return out.Corrupt(0, "invalid magic number");
  const int version = in.Byte();
  if (version != 2) return out.Corrupt(4, StrCat("unknown index file version ", version));
  RETURN_IF_ERROR(out.ReadToc());
  RETURN_IF_ERROR(out.ReadSymbols());
  return out;
}

absl::Status IndexReader::ReadToc() {
  if (bytes_.size() < kTocSize + 5) return Corrupt(0, "file too short for a table of contents");
  const uint64_t at = bytes_.size() - kTocSize;
  const std::string_view toc = bytes_.substr(at);
  Cursor in(toc);
  for (uint64_t* field : {&toc_.symbols, &toc_.series, &toc_.label_indices, &toc_.label_offsets,
                          &toc_.postings, &toc_.postings_offsets}) {
    *field = in.Be64();
    if (*field > at) return Corrupt(at + in.position() - 8, "table of contents points past the file");
  }
  if (in.Be32() != Crc32c(0, toc.substr(0, kTocSize - 4)))
    return Corrupt(at, "table of contents: invalid checksum");
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> IndexReader::Section(uint64_t offset, std::string_view what) const {
  Cursor in(bytes_.substr(std::min<uint64_t>(offset, bytes_.size())));
  const uint32_t length = in.Be32();
  const std::string_view body = in.Take(length);
  const uint32_t checksum = in.Be32();
  if (!in.ok()) return Corrupt(offset, StrCat(what, ": section runs past the file"));
  if (Crc32c(0, body) != checksum) return Corrupt(offset, StrCat(what, ": invalid checksum"));
  return body;
}

absl::Status IndexReader::ReadSymbols() {
  ASSIGN_OR_RETURN(const std::string_view body, Section(toc_.symbols, "symbols"));
  Cursor in(body);
  const uint32_t count = in.Be32();
  if (count > in.left()) return Corrupt(toc_.symbols, "symbols: more than there is room for");
  symbols_.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    symbols_.push_back(static_cast<uint32_t>(in.position()));
    in.Text();
    if (!in.ok()) return Corrupt(toc_.symbols + 4 + symbols_.back(), "malformed symbol");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint64_t>> IndexReader::AllSeries() const {
  ASSIGN_OR_RETURN(const std::string_view table, Section(toc_.postings_offsets, "postings offset table"));
  Cursor in(table);
  const uint32_t count = in.Be32();
  uint64_t offset = 0;
  bool found = false;
  for (uint32_t i = 0; i < count && in.ok() && !found; ++i) {
    const uint64_t keys = in.Uvarint();
    const std::string_view name = in.Text(), value = in.Text();
    offset = in.Uvarint();
    if (keys != 2) in.Fail();
    found = name.empty() && value.empty();
  }
  if (!in.ok()) return Corrupt(toc_.postings_offsets, "malformed postings offset table");
  std::vector<uint64_t> out;
  if (!found) return out;  // a block without series
  ASSIGN_OR_RETURN(const std::string_view postings, Section(offset, "postings"));
  Cursor list(postings);
  const uint32_t n = list.Be32();
  if (static_cast<uint64_t>(n) * 4 != list.left()) return Corrupt(offset, "postings: wrong length");
  out.reserve(n);
  for (uint32_t i = 0; i < n; ++i) {
    const uint64_t ref = list.Be32();
    if (!out.empty() && ref <= out.back()) return Corrupt(offset, "postings: not ascending");
    out.push_back(ref);
  }
  return out;
}

absl::Status IndexReader::Series(uint64_t ref, Labels* labels, std::vector<ChunkMeta>* chunks) const {
  const uint64_t offset = ref * kSeriesAlignment;
  if (offset >= bytes_.size()) return Corrupt(offset, "series reference past the file");
  Cursor outer(bytes_.substr(offset));
  const uint64_t length = outer.Uvarint();
  const std::string_view body = outer.Take(length);
  const uint32_t checksum = outer.Be32();
  if (!outer.ok()) return Corrupt(offset, "series runs past the file");
  if (Crc32c(0, body) != checksum) return Corrupt(offset, "series: invalid checksum");
  Cursor in(body);
  const std::string_view symbols = bytes_.substr(toc_.symbols + 4);
  std::string encoded;
  std::string_view last;
  const uint64_t pairs = in.Uvarint();
  if (pairs > in.left()) in.Fail();
  for (uint64_t i = 0; i < pairs && in.ok(); ++i) {
    const uint64_t name_ref = in.Uvarint(), value_ref = in.Uvarint();
    if (name_ref >= symbols_.size() || value_ref >= symbols_.size())
      return Corrupt(offset, "series: unknown symbol");
    if (labels == nullptr) continue;
    const std::string_view name = Cursor(symbols.substr(symbols_[name_ref])).Text();
    const std::string_view value = Cursor(symbols.substr(symbols_[value_ref])).Text();
    if (name <= last) return Corrupt(offset, "series: label names out of order");
    last = name;
    if (value.empty()) continue;
    PutBytes(&encoded, name);
    PutBytes(&encoded, value);
  }
  if (labels != nullptr) *labels = Labels::FromEncoded(std::move(encoded));
  if (chunks == nullptr) return in.ok() ? absl::OkStatus() : Corrupt(offset, "malformed series");
  chunks->clear();
  const uint64_t count = in.Uvarint();
  if (count > in.left()) in.Fail();
  ChunkMeta chunk;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    const int64_t step = i == 0 ? in.Varint() : static_cast<int64_t>(in.Uvarint());
    chunk.mint = WrapAdd(i == 0 ? 0 : chunk.maxt, step);
    chunk.maxt = WrapAdd(chunk.mint, static_cast<int64_t>(in.Uvarint()));
    chunk.ref = i == 0 ? in.Uvarint() : chunk.ref + static_cast<uint64_t>(in.Varint());
    if (chunk.maxt < chunk.mint) in.Fail();
    chunks->push_back(chunk);
  }
  return in.ok() ? absl::OkStatus() : Corrupt(offset, "malformed series");
}

}  // namespace narthex::tsdb::blocks
