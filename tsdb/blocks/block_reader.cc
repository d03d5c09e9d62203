#include "tsdb/blocks/block_reader.h"

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr uint32_t kTombstonesMagic = 0x0130BA30;
constexpr size_t kTombstonesHeader = 5;

// Keeps the samples that `keep(t, is_last_of_its_time)` wants.
template <typename Keep>
void Filter(Samples* s, const Keep& keep) {
  size_t n = 0;
  for (size_t i = 0; i < s->t.size(); ++i) {
    if (!keep(s->t[i], i + 1 == s->t.size() || s->t[i + 1] != s->t[i])) continue;
    s->t[n] = s->t[i];
    s->v[n] = s->v[i];
    if (!s->start_t.empty()) s->start_t[n] = s->start_t[i];
    ++n;
  }
  s->t.resize(n);
  s->v.resize(n);
  if (!s->start_t.empty()) s->start_t.resize(n);
  n = 0;
  for (size_t i = 0; i < s->h.size(); ++i) {
    if (!keep(s->h[i].t, i + 1 == s->h.size() || s->h[i + 1].t != s->h[i].t)) continue;
    if (n != i) s->h[n] = std::move(s->h[i]);
    if (!s->h_start_t.empty()) s->h_start_t[n] = s->h_start_t[i];
    ++n;
  }
  s->h.resize(n);
  if (!s->h_start_t.empty()) s->h_start_t.resize(n);
}

enum class Order { kAscending, kEqualTimes, kBroken };

template <typename List, typename TimeOf>
Order OrderOf(const List& list, const TimeOf& time) {
  Order out = Order::kAscending;
  for (size_t i = 1; i < list.size(); ++i) {
    if (time(list[i]) > time(list[i - 1])) continue;
    if (time(list[i]) < time(list[i - 1])) return Order::kBroken;
    out = Order::kEqualTimes;
  }
  return out;
}

}  // namespace

absl::StatusOr<TombstoneMap> ParseTombstones(std::string_view bytes, std::string_view name) {
  TombstoneMap out;
  if (bytes.size() < kTombstonesHeader + 4) return CorruptAt(name, 0, "file too short");
  Cursor header(bytes);
  if (header.Be32() != kTombstonesMagic) return CorruptAt(name, 0, "invalid magic number");
  if (const int version = header.Byte(); version != 1)
    return CorruptAt(name, 4, StrCat("unknown tombstones file version ", version));
  const std::string_view body = bytes.substr(kTombstonesHeader, bytes.size() - kTombstonesHeader - 4);
  if (Cursor(bytes.substr(bytes.size() - 4)).Be32() != Crc32c(0, body))
    return CorruptAt(name, bytes.size() - 4, "invalid checksum");
  Cursor in(body);
  while (in.ok() && !in.done()) {
    const uint64_t ref = in.Uvarint();
    const int64_t mint = in.Varint(), maxt = in.Varint();
    if (in.ok()) out[ref].emplace_back(mint, maxt);
  }
  if (!in.ok()) return CorruptAt(name, kTombstonesHeader, "malformed tombstone");
  return out;
}

void DropIntervals(const Intervals& intervals, Samples* samples) {
  Filter(samples, [&](int64_t t, bool) {
    return std::none_of(intervals.begin(), intervals.end(),
                        [t](const auto& i) { return t >= i.first && t <= i.second; });
  });
}

void Trim(int64_t mint, int64_t maxt, Samples* samples) {
  Filter(samples, [&](int64_t t, bool last) { return last && t >= mint && t <= maxt; });
}

absl::StatusOr<std::unique_ptr<BlockReader>> BlockReader::Open(const std::string& directory) {
  ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> meta_file, MappedFile::Open(directory + "/meta.json"));
  ASSIGN_OR_RETURN(BlockMeta meta, ParseBlockMeta(meta_file->bytes(), meta_file->path()));
  ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> index_file, MappedFile::Open(directory + "/index"));
  ASSIGN_OR_RETURN(IndexReader index, IndexReader::Open(index_file->bytes(), index_file->path()));
  ASSIGN_OR_RETURN(ChunkFiles chunks, ChunkFiles::Open(directory + "/chunks"));
  std::unique_ptr<BlockReader> out(
      new BlockReader(std::move(meta), std::move(index_file), std::move(index), std::move(chunks)));
  absl::StatusOr<std::unique_ptr<MappedFile>> tombstones = MappedFile::Open(directory + "/tombstones");
  if (absl::IsNotFound(tombstones.status())) return out;
  RETURN_IF_ERROR(tombstones.status());
  ASSIGN_OR_RETURN(out->tombstones_, ParseTombstones((*tombstones)->bytes(), (*tombstones)->path()));
  return out;
}

absl::Status BlockReader::Read(uint64_t series, const std::vector<ChunkMeta>& chunks, int64_t mint,
                               int64_t maxt, Samples* out, uint64_t* deleted) const {
  bool whole = true;
  for (const ChunkMeta& chunk : chunks) {
    if (chunk.maxt < mint || chunk.mint > maxt) continue;
    whole = whole && chunk.mint >= mint && chunk.maxt <= maxt;
    ASSIGN_OR_RETURN(const RawChunk raw, chunks_.Read(chunk.ref));
    const absl::Status s = DecodeChunk(raw.encoding, raw.data, out);
    if (!s.ok()) {
      return absl::DataLossError(StrCat(index_file_->path(), ": series at offset ", series * 16, ", chunk ",
                                        chunk.ref >> 32, "/", chunk.ref & 0xffffffff, ": ",
                                        std::string(s.message())));
    }
  }
  const Order order = std::max(OrderOf(out->t, [](int64_t t) { return t; }),
                               OrderOf(out->h, [](const HistogramPoint& p) { return p.t; }));
  if (order == Order::kBroken) {
    return absl::DataLossError(
        StrCat(index_file_->path(), ": series at offset ", series * 16, ": samples out of order"));
  }
  if (!whole || order == Order::kEqualTimes) Trim(mint, maxt, out);
  const auto dead = tombstones_.find(series);
  if (dead == tombstones_.end()) return absl::OkStatus();
  const size_t before = out->size();
  DropIntervals(dead->second, out);
  *deleted += before - out->size();
  return absl::OkStatus();
}

void BlockReader::Release() const {
  chunks_.Release();
  index_file_->Release();
}

}  // namespace narthex::tsdb::blocks
