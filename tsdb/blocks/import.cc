// Import: block by block, each in slices of time so that memory stays small and stripes come in their order.
#include <algorithm>
#include <bit>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/blocks/block_reader.h"
#include "tsdb/blocks/blocks.h"
#include "tsdb/blocks/head_reader.h"

namespace narthex::tsdb::blocks {
namespace {

constexpr int64_t kHourMs = 3600'000;
constexpr size_t kSpotChecks = 16;
constexpr std::string_view kDone = "done";

std::string NoteKey(std::string_view name) { return StrCat("import/", name); }

int64_t HourOf(int64_t t) { return (t >= 0 ? t / kHourMs : -((-t + kHourMs - 1) / kHourMs)) * kHourMs; }

History AsHistory(const Samples& s) { return {s.t, s.v, s.start_t, s.h, s.h_start_t}; }

// What a note says of a block under way: everything before `next` is in the store.
struct Note {
  bool done = false;
  int64_t next = INT64_MIN;
  uint64_t samples = 0, deleted = 0;
};

class Importer {
 public:
  Importer(Db* db, const std::string& directory, const ImportOptions& options)
      : db_(db), directory_(directory), options_(options) {}

  absl::StatusOr<std::vector<Moved>> Run() {
    ASSIGN_OR_RETURN(const std::vector<BlockMeta> blocks, ListBlocks(directory_));
    RETURN_IF_ERROR(ReadNotes());
    int64_t min_valid = INT64_MIN;
    for (const BlockMeta& meta : blocks) {
      if (!meta.out_of_order) min_valid = std::max(min_valid, meta.maxt);
      RETURN_IF_ERROR(ImportBlock(meta));
    }
    RETURN_IF_ERROR(ImportHead(min_valid));
    return std::move(moved_);
  }

 private:
  struct Series {
    uint64_t ref = 0;
    int64_t mint = INT64_MAX, maxt = INT64_MIN;
    SeriesRef id = 0;
  };

  absl::Status ReadNotes() {
    using Notes = std::vector<std::pair<std::string, std::string>>;
    ASSIGN_OR_RETURN(const Notes notes, db_->ScanState(NoteKey("")));
    for (const auto& [key, value] : notes) {
      Note note;
      const std::vector<std::string> words = absl::StrSplit(value, ' ');
      note.done = words[0] == kDone;
      const bool partial = words.size() == 4 && words[0] == "at" && absl::SimpleAtoi(words[1], &note.next) &&
                           absl::SimpleAtoi(words[2], &note.samples) &&
                           absl::SimpleAtoi(words[3], &note.deleted);
      if (!note.done && !partial) note = Note{};
      notes_[key.substr(NoteKey("").size())] = note;
    }
    return absl::OkStatus();
  }

  bool IsDone(const std::string& name) const {
    const auto it = notes_.find(name);
    return it != notes_.end() && it->second.done;
  }

  void Report(Moved moved) {
    if (options_.block_done) options_.block_done(moved);
    moved_.push_back(std::move(moved));
  }

  // A block is known by its name, or because all that it was compacted from are.
  bool Known(const BlockMeta& meta) const {
    return IsDone(meta.ulid) ||
           (!meta.sources.empty() &&
            std::all_of(meta.sources.begin(), meta.sources.end(), [&](const auto& s) { return IsDone(s); }));
  }

  absl::Status ImportBlock(const BlockMeta& meta) {
    Moved moved{meta.ulid, meta.mint, meta.maxt};
    if (Known(meta)) {
      moved.skipped = true;
      Report(std::move(moved));
      return absl::OkStatus();
    }
    const std::string path = StrCat(directory_, "/", meta.ulid);
    ASSIGN_OR_RETURN(std::unique_ptr<BlockReader> block, BlockReader::Open(path));
    ASSIGN_OR_RETURN(const std::vector<uint64_t> refs, block->index().AllSeries());
    std::vector<Series> series(refs.size());
    Series all;
    std::vector<ChunkMeta> chunks;
    for (size_t i = 0; i < refs.size(); ++i) {
      series[i].ref = refs[i];
      RETURN_IF_ERROR(block->index().Series(refs[i], nullptr, &chunks));
      moved.chunks += chunks.size();
      for (const ChunkMeta& c : chunks) {
        if (c.mint < meta.mint || c.maxt > meta.maxt) {
          return absl::DataLossError(StrCat(path, "/index: the series at offset ", refs[i] * 16,
                                            " has a chunk from ", c.mint, " to ", c.maxt,
                                            ", outside of the block"));
        }
        series[i].mint = std::min(series[i].mint, c.mint);
        series[i].maxt = std::max(series[i].maxt, c.maxt);
      }
      all.mint = std::min(all.mint, series[i].mint);
      all.maxt = std::max(all.maxt, series[i].maxt);
    }
    Note note = notes_[meta.ulid];
    if (all.mint <= all.maxt) RETURN_IF_ERROR(ImportSlices(*block, all, &series, &note));
    moved.series = series.size();
    moved.samples = note.samples;
    moved.deleted = note.deleted;
    moved.bytes = block->bytes();
    RETURN_IF_ERROR(Compare(path, meta, moved));
    RETURN_IF_ERROR(SpotCheck(*block, series));
    RETURN_IF_ERROR(NoteDone(meta));
    Report(std::move(moved));
    return absl::OkStatus();
  }

  absl::Status ImportSlices(const BlockReader& block, const Series& range, std::vector<Series>* series,
                            Note* note) {
    ASSIGN_OR_RETURN(std::unique_ptr<HistoryWriter> writer, db_->NewHistoryWriter(block.meta().ulid));
    const int64_t begin = HourOf(range.mint);
    const uint64_t hours = static_cast<uint64_t>((range.maxt - begin) / kHourMs + 1);
    const uint64_t an_hour = std::max<uint64_t>(1, block.meta().samples / hours);
    const int64_t step =
        static_cast<int64_t>(std::clamp<uint64_t>(options_.max_samples / an_hour, 1, hours)) * kHourMs;
    Labels labels;
    std::vector<ChunkMeta> chunks;
    Samples samples;
    for (int64_t from = std::max(begin, note->next); from <= range.maxt; from += step) {
      const int64_t to = from + step - 1;
      for (Series& s : *series) {
        if (s.maxt < from || s.mint > to) continue;
        RETURN_IF_ERROR(block.index().Series(s.ref, &labels, &chunks));
        samples.Clear();
        RETURN_IF_ERROR(block.Read(s.ref, chunks, from, to, &samples, &note->deleted));
        note->samples += samples.size();
        if (samples.size() > 0) RETURN_IF_ERROR(writer->Add(&s.id, labels, AsHistory(samples)));
      }
      RETURN_IF_ERROR(writer->Commit());
      block.Release();
      RETURN_IF_ERROR(db_->PutState(NoteKey(block.meta().ulid),
                                    StrCat("at ", to + 1, " ", note->samples, " ", note->deleted)));
    }
    return absl::OkStatus();
  }

  static absl::Status Compare(const std::string& path, const BlockMeta& meta, const Moved& moved) {
    if (moved.series != meta.series) {
      return absl::DataLossError(
          StrCat(path, ": meta.json counts ", meta.series, " series, the index has ", moved.series));
    }
    if (moved.samples + moved.deleted != meta.samples) {
      return absl::DataLossError(StrCat(path, ": meta.json counts ", meta.samples,
                                        " samples, the chunks have ", moved.samples + moved.deleted));
    }
    return absl::OkStatus();
  }

  // Reads some series back from the store and compares them bit by bit.
  absl::Status SpotCheck(const BlockReader& block, const std::vector<Series>& series) const {
    const size_t step = std::max<size_t>(1, series.size() / kSpotChecks);
    Labels labels;
    std::vector<ChunkMeta> chunks;
    for (size_t i = step / 2; i < series.size(); i += step) {
      RETURN_IF_ERROR(block.index().Series(series[i].ref, &labels, &chunks));
      Samples expected;
      uint64_t deleted = 0;
      RETURN_IF_ERROR(block.Read(series[i].ref, chunks, INT64_MIN, INT64_MAX, &expected, &deleted));
      RETURN_IF_ERROR(CompareSeries(labels, expected));
    }
    return absl::OkStatus();
  }

  // The store must have each of the samples; it may have more.
  absl::Status CompareSeries(const Labels& labels, const Samples& expected) const {
    if (expected.size() == 0) return absl::OkStatus();
    Matchers matchers;
    for (const LabelView& label : labels) matchers.push_back(Matcher::Equal(label.name, label.value));
    const int64_t mint = std::min(expected.t.empty() ? INT64_MAX : expected.t.front(),
                                  expected.h.empty() ? INT64_MAX : expected.h.front().t);
    const int64_t maxt = std::max(expected.t.empty() ? INT64_MIN : expected.t.back(),
                                  expected.h.empty() ? INT64_MIN : expected.h.back().t);
    ASSIGN_OR_RETURN(std::unique_ptr<Querier> querier, db_->NewQuerier(mint, maxt));
    ASSIGN_OR_RETURN(std::unique_ptr<SeriesSet> set, querier->Select(matchers, mint, maxt, {}));
    const auto differs = [&](std::string_view what) {
      return absl::DataLossError(StrCat("after the import, series ", labels.ToString(), " ", what));
    };
    size_t at = 0;
    while (at < set->size() && !(set->labels(at) == labels)) ++at;
    if (at == set->size()) return differs("is not in the store");
    std::vector<Row> rows;
    RETURN_IF_ERROR(set->ReadBlock(at, 1, &rows));
    for (size_t i = 0, k = 0; i < expected.t.size(); ++i) {
      while (k < rows[0].t.size() && rows[0].t[k] < expected.t[i]) ++k;
      if (k == rows[0].t.size() || rows[0].t[k] != expected.t[i] ||
          std::bit_cast<uint64_t>(rows[0].v[k]) != std::bit_cast<uint64_t>(expected.v[i]))
        return differs(StrCat("has another sample at ", expected.t[i]));
    }
    for (size_t i = 0, k = 0; i < expected.h.size(); ++i) {
      while (k < rows[0].h.size() && rows[0].h[k].t < expected.h[i].t) ++k;
      if (k == rows[0].h.size() || rows[0].h[k].t != expected.h[i].t ||
          !rows[0].h[k].h->Equals(*expected.h[i].h))
        return differs(StrCat("has another histogram at ", expected.h[i].t));
    }
    return absl::OkStatus();
  }

  absl::Status NoteDone(const BlockMeta& meta) {
    RETURN_IF_ERROR(db_->PutState(NoteKey(meta.ulid), kDone));
    notes_[meta.ulid].done = true;
    for (const std::string& source : meta.sources) {
      if (IsDone(source)) continue;
      RETURN_IF_ERROR(db_->PutState(NoteKey(source), kDone));
      notes_[source].done = true;
    }
    return absl::OkStatus();
  }

  absl::Status ImportHead(int64_t min_valid) {
    const auto warn = [this](const std::string& text) {
      if (options_.warn) options_.warn(text);
    };
    ASSIGN_OR_RETURN(std::unique_ptr<HeadReader> head, HeadReader::Open(directory_, min_valid, warn));
    if (head->series_count() == 0) return absl::OkStatus();
    for (const HeadReader::Metadata& m : head->metadata())
      RETURN_IF_ERROR(db_->SetMetadata(m.metric, {m.type, m.help, m.unit}));
    const std::string name = StrCat("head-", head->Fingerprint());
    Moved moved{"head", INT64_MAX, INT64_MIN};
    if (IsDone(name)) {
      moved.skipped = true;
      Report(std::move(moved));
      return absl::OkStatus();
    }
    // Not resumed in the middle: the same name makes a second run write over the first.
    ASSIGN_OR_RETURN(std::unique_ptr<HistoryWriter> writer, db_->NewHistoryWriter(name));
    const size_t step = std::max<size_t>(1, head->series_count() / kSpotChecks);
    std::vector<std::pair<Labels, Samples>> spots;
    RETURN_IF_ERROR(
        head->Visit(options_.max_samples, [&](const Labels& labels, const Samples& s) -> absl::Status {
          SeriesRef ref = 0;
          if (moved.series++ % step == step / 2) spots.emplace_back(labels, s);
          moved.samples += s.size();
          for (int64_t t : {s.t.empty() ? INT64_MAX : s.t.front(), s.h.empty() ? INT64_MAX : s.h.front().t})
            moved.mint = std::min(moved.mint, t);
          for (int64_t t : {s.t.empty() ? INT64_MIN : s.t.back(), s.h.empty() ? INT64_MIN : s.h.back().t})
            moved.maxt = std::max(moved.maxt, t);
          return writer->Add(&ref, labels, AsHistory(s));
        }));
    RETURN_IF_ERROR(writer->Commit());
    RETURN_IF_ERROR(ImportExemplars(*head, writer.get(), &moved));
    for (const auto& [labels, samples] : spots) RETURN_IF_ERROR(CompareSeries(labels, samples));
    moved.deleted = head->deleted();
    RETURN_IF_ERROR(db_->PutState(NoteKey(name), kDone));
    if (moved.series > 0) Report(std::move(moved));
    return absl::OkStatus();
  }

  // What the store has already, of an earlier run, it does not take twice.
  absl::Status ImportExemplars(const HeadReader& head, HistoryWriter* writer, Moved* moved) {
    constexpr uint64_t kBatch = 1000;  // a record of the journal
    std::map<Labels, SeriesRef> refs;
    const std::unique_ptr<Appender> appender = db_->NewAppender();
    for (const auto& [labels, exemplar] : head.exemplars()) {
      SeriesRef& ref = refs[labels];
      if (ref == 0) RETURN_IF_ERROR(writer->Add(&ref, labels, History{}));
      appender->AddExemplar(ref, exemplar);
      if (++moved->exemplars % kBatch == 0) RETURN_IF_ERROR(appender->Commit());
    }
    return appender->Commit();
  }

  Db* const db_;
  const std::string directory_;
  const ImportOptions& options_;
  std::map<std::string, Note> notes_;
  std::vector<Moved> moved_;
};

}  // namespace

absl::StatusOr<std::vector<Moved>> Import(Db* db, const std::string& directory,
                                          const ImportOptions& options) {
  return Importer(db, directory, options).Run();
}

}  // namespace narthex::tsdb::blocks
