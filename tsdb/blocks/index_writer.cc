// The index of a block.
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/blocks/block_writer.h"
#include "tsdb/blocks/mapped_file.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {
constexpr size_t kSeriesAlignment = 16;
constexpr size_t kPostingsAlignment = 4;
}  // namespace

IndexWriter::IndexWriter(const std::string& path) : file_(path) {
  std::string header;
  PutBe32(&header, 0xBAAAD700);
  header.push_back(2);
  file_.Write(header);
  symbols_.emplace("", 0);
}

void IndexWriter::AddSymbols(const Labels& labels) {
  for (const LabelView& label : labels) {
    symbols_.try_emplace(std::string(label.name), 0);
    symbols_.try_emplace(std::string(label.value), 0);
  }
}

void IndexWriter::Pad(size_t alignment) {
  const size_t over = file_.position() % alignment;
  if (over != 0) file_.Write(std::string(alignment - over, '\0'));
}

uint64_t IndexWriter::WriteSection(std::string_view body) {
  const uint64_t at = file_.position();
  std::string bytes;
  PutBe32(&bytes, static_cast<uint32_t>(body.size()));
  file_.Write(bytes);
  file_.Write(body);
  bytes.clear();
  PutBe32(&bytes, Crc32c(0, body));
  file_.Write(bytes);
  return at;
}

void IndexWriter::WriteSymbols() {
  std::string body;
  PutBe32(&body, static_cast<uint32_t>(symbols_.size()));
  uint32_t next = 0;
  for (auto& [text, number] : symbols_) {
    number = next++;
    PutText(&body, text);
  }
  symbols_at_ = WriteSection(body);
  symbols_written_ = true;
  Pad(kSeriesAlignment);
  series_at_ = file_.position();
}

absl::Status IndexWriter::AddSeries(const Labels& labels, const std::vector<ChunkMeta>& chunks) {
  if (!symbols_written_) WriteSymbols();
  if (!all_.empty() && !(last_ < labels))
    return absl::InternalError(StrCat("series ", labels.ToString(), " is out of order"));
  last_ = labels;
  Pad(kSeriesAlignment);
  const uint64_t number = file_.position() / kSeriesAlignment;
  if (number > UINT32_MAX) return absl::ResourceExhaustedError("the index is larger than its format allows");
  const uint32_t ref = static_cast<uint32_t>(number);
  std::string body;
  PutUvarint(&body, labels.size());
  for (const LabelView& label : labels) {
    const auto name = symbols_.find(label.name), value = symbols_.find(label.value);
    if (name == symbols_.end() || value == symbols_.end())
      return absl::InternalError(StrCat("series ", labels.ToString(), " has an unknown symbol"));
    PutUvarint(&body, name->second);
    PutUvarint(&body, value->second);
    postings_[{std::string(label.name), std::string(label.value)}].push_back(ref);
  }
  all_.push_back(ref);
  PutUvarint(&body, chunks.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    const ChunkMeta& c = chunks[i];
    if (i == 0)
      PutSignedVarint(&body, c.mint);
    else
      PutUvarint(&body, static_cast<uint64_t>(WrapSub(c.mint, chunks[i - 1].maxt)));
    PutUvarint(&body, static_cast<uint64_t>(WrapSub(c.maxt, c.mint)));
    if (i == 0)
      PutUvarint(&body, c.ref);
    else
      PutSignedVarint(&body, static_cast<int64_t>(c.ref - chunks[i - 1].ref));
  }
  std::string entry;
  PutUvarint(&entry, body.size());
  entry += body;
  PutBe32(&entry, Crc32c(0, body));
  file_.Write(entry);
  return absl::OkStatus();
}

absl::Status IndexWriter::Finish() {
  if (!symbols_written_) WriteSymbols();
  postings_[{"", ""}] = std::move(all_);
  Pad(kPostingsAlignment);
  const uint64_t postings_at = file_.position();
  std::string table;
  PutBe32(&table, static_cast<uint32_t>(postings_.size()));
  for (const auto& [label, refs] : postings_) {
    Pad(kPostingsAlignment);
    std::string body;
    PutBe32(&body, static_cast<uint32_t>(refs.size()));
    for (uint32_t ref : refs) PutBe32(&body, ref);
    PutUvarint(&table, 2);
    PutText(&table, label.first);
    PutText(&table, label.second);
    PutUvarint(&table, WriteSection(body));
  }
  // The label index is not read by anyone any more; its table is empty.
  const uint64_t label_table_at = WriteSection(std::string(4, '\0'));
  const uint64_t table_at = WriteSection(table);
  std::string toc;
  for (uint64_t at : {symbols_at_, series_at_, postings_at, label_table_at, postings_at, table_at})
    PutBe64(&toc, at);
  PutBe32(&toc, Crc32c(0, toc));
  file_.Write(toc);
  return file_.Close();
}

}  // namespace narthex::tsdb::blocks
