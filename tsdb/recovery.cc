// Opening a directory: lock, format, index, manifest, journal replay.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/code_pages.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
#include "tsdb/format/records.h"
#include "tsdb/manifest.h"
#include "tsdb/stripe_reader.h"
#include "tsdb/stripe_writer.h"

namespace narthex::tsdb {
namespace {
constexpr int kFormatVersion = 4;  // what those before lack: docs/storage-format.md

// The newest sample of an entry; time INT64_MIN if it has none.
Sample LastRow(const SeriesRows& rows, const std::vector<int64_t>& times) {
  Sample last{INT64_MIN, 0, nullptr, 0};
  for (size_t i = times.size(); i-- > 0;) {
    const bool stale = rows.stale.Get(i);
    if (!stale && !rows.present.Get(i)) continue;
    last.t = times[i];
    if (stale)
      last.v = StaleNan();
    else if (rows.histograms.empty())
      last.v = rows.values[i];
    else
      last.h = rows.histograms[i];
    break;
  }
  return last;
}
}  // namespace

absl::StatusOr<std::unique_ptr<Db>> Db::Open(Options options) {
  auto db = std::make_unique<DbImpl>(std::move(options));
  absl::Status s = db->Init();
  if (!s.ok()) return s;
  return std::unique_ptr<Db>(std::move(db));
}

absl::Status DbImpl::TakeLock() {
  const std::string path = options_.path + "/lock";
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0)
    return absl::InternalError(StrCat("lock DB directory: open ", path, ": ", std::strerror(errno)));
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        StrCat("lock DB directory: resource temporarily unavailable: ", path, " is held by another process"));
  }
  return absl::OkStatus();
}

absl::Status DbImpl::CheckFormat() {
  const std::string path = options_.path + "/FORMAT";
  std::ifstream in(path);
  if (in) {
    std::string name;
    long version = 0;
    in >> name >> version;
    if (name != "narthex-storage" || version < 1) {
      return absl::DataLossError(StrCat("storage format: ", path, " is not a Narthex format file"));
    }
    if (version > kFormatVersion) {
      return absl::FailedPreconditionError(
          StrCat("storage format: ", options_.path, " has format narthex-storage ", version,
                 ", written by a newer version; this one reads up to ", kFormatVersion));
    }
    if (version == kFormatVersion) return absl::OkStatus();
  }
  return Files(options_.file_hooks).WriteWhole(path, StrCat("narthex-storage ", kFormatVersion, "\n"));
}

absl::Status DbImpl::Init() {
  std::error_code ec;
  std::filesystem::create_directories(options_.path, ec);
  if (ec) return absl::InternalError(StrCat("create ", options_.path, ": ", ec.message()));
  RETURN_IF_ERROR(TakeLock());
  RETURN_IF_ERROR(CheckFormat());
  ASSIGN_OR_RETURN(store_,
                   RocksStore::Open(options_.path + "/store", options_.file_hooks, metrics_.bytes_written,
                                    options_.logger, [this](const std::string& what) { NoteDamage(what); }));
  ReleaseUnusedCode();  // RocksDB's opening is a good part of it; the peak of memory is yet to come
  MutexLock lock(&maintain_mutex_);
  RETURN_IF_ERROR(LoadIndex());
  RETURN_IF_ERROR(LoadManifest());
  RETURN_IF_ERROR(LoadLayout());
  RETURN_IF_ERROR(LoadExemplars());
  RETURN_IF_ERROR(OpenJournal());
  CollectFree();
  last_loose_known_ = max_t_ == INT64_MIN;
  UpdateGauges();
  if (options_.background_work) thread_ = std::thread([this] { Background(); });
  return absl::OkStatus();
}

absl::Status DbImpl::LoadManifest() {
  uint64_t loose_sealed = 0;
  RETURN_IF_ERROR(store_->Scan("M", [&](std::string_view key, std::string_view value) {
    Manifest m;
    if (key.size() != 5 || !m.Decode(value)) {
      NoteDamage("note of a seal");
      return true;
    }
    const uint32_t id = GetBig32(key.data() + 1);
    if (id == kLooseGroup) {
      loose_sealed = m.sealed_sequence;
      if (m.last_t != INT64_MIN) NoteTime(m.last_t);
      return true;
    }
    if (id == kExemplarGroup) {
      exemplars_sealed_ = m.sealed_sequence;
      return true;
    }
    const std::shared_ptr<Group> group = LookupGroup(id);
    if (group == nullptr) return true;
    MutexLock lock(&group->mutex);
    group->sealed_sequence = m.sealed_sequence;
    group->last_t = m.last_t;
    group->tracked = m.tracked;
    if (m.last_t != INT64_MIN) NoteTime(m.last_t);
    return true;
  }));
  {
    MutexLock lock(&loose_mutex_);
    loose_sealed_ = loose_sealed;
  }
  auto tombstones = std::make_shared<Tombstones>();
  RETURN_IF_ERROR(store_->Scan("T", [&](std::string_view key, std::string_view value) {
    if (key.size() == 5 && value.size() % 16 == 0)
      (*tombstones)[GetBig32(key.data() + 1)] = DecodeIntervals(value);
    else
      NoteDamage("deleted ranges of a series");
    return true;
  }));
  MutexLock lock(&windows_mutex_);
  tombstones_ = std::move(tombstones);
  return store_->Scan("W", [&](std::string_view key, std::string_view value) {
    if (key.size() != 9) return true;
    const int64_t window = ParseTimeKey(key.substr(1));
    Roaring series;
    if (!DecodeSeriesSet(value, &series)) {
      NoteDamage(StrCat("series list of window ", window, ", all series are taken"));
      for (SeriesId id : index_.All()) series.add(id);
    }
    windows_[window] = std::make_shared<const Roaring>(std::move(series));
    return true;
  });
}

absl::Status DbImpl::OpenJournal() {
  uint64_t bad = 0;
  const int64_t start = options_.clock->MonotonicNs();
  Journal::OpenStats stats;
  known_ids_ = Bits(index_.next_id());
  for (SeriesId id : index_.All()) known_ids_.Set(id);
  Record record;  // its room is used again
  ASSIGN_OR_RETURN(journal_, Journal::Open(
                                 options_.path + "/journal", options_.file_hooks, options_.logger,
                                 [&](uint64_t sequence, std::string_view payload) {
                                   ReplayRecord(sequence, payload, &record, &bad);
                                 },
                                 &stats));
  known_ids_ = Bits();
  uint64_t sealed = 0;
  for (const auto& group : AllGroups()) {
    MutexLock lock(&group->mutex);
    bad += group->ReadOpenTile();
    sealed = std::max(sealed, group->sealed_sequence);
  }
  {
    MutexLock lock(&loose_mutex_);
    sealed = std::max(sealed, loose_sealed_);
  }
  journal_->RaiseSequence(sealed);
  metrics_.replayed->Add(static_cast<double>(stats.records));
  metrics_.replay_seconds->Set(static_cast<double>(options_.clock->MonotonicNs() - start) / 1e9);
  metrics_.corruptions->Add(static_cast<double>(stats.corruptions + bad));
  if (bad > 0) {
    options_.logger->Warn("Journal records could not be used", {{"records", std::to_string(bad)}});
  }
  options_.logger->Info("Storage opened", {{"series", std::to_string(index_.series_count())},
                                           {"journal_records", std::to_string(stats.records)}});
  return absl::OkStatus();
}

void DbImpl::ReplayRecord(uint64_t sequence, std::string_view payload, Record* record, uint64_t* bad) {
  {
    MutexLock lock(&loose_mutex_);
    if (sequence <= loose_sealed_ && IsLooseOnly(payload)) return;
  }
  if (!DecodeRecordPayload(payload, record)) {
    ++*bad;
    return;
  }
  if (record->has_round) ReplayRound(sequence, *record, bad);
  for (const SeriesExemplar& e : record->exemplars) {
    if (sequence <= exemplars_sealed_) break;
    if (KnowsSeries(e.series, bad)) exemplars_.Add(e.series, e.exemplar, sequence);
  }
  MutexLock lock(&loose_mutex_);
  if (sequence > loose_sealed_) ReplayLoose(sequence, *record, bad);
}

void DbImpl::ReplayLoose(uint64_t sequence, const Record& record, uint64_t* bad) {
  const auto add = [&](const Sample& sample, LooseColumn* column)
                       ABSL_EXCLUSIVE_LOCKS_REQUIRED(loose_mutex_) {
                         if (loose_->empty()) loose_->first_sequence = sequence;
                         loose_->last_sequence = sequence;
                         loose_->Add(sample, column);
                         NoteTime(sample.t);
                       };
  FloatRunReader values(record.floats);
  bool lost = false;
  for (const RunFloat& f : record.floats.floats) {
    LooseColumn* column = KnowsSeries(f.series, bad) ? loose_->ColumnOf(f.series) : nullptr;
    double before = 0;
    const bool known = column != nullptr && loose_->Before(f, *column, &before);
    const double v = values.Next(before);
    lost = lost || !values.ok() || (column != nullptr && !known);
    if (!values.ok()) break;
    if (column == nullptr) continue;
    // What follows this one is lost, too, up to one that stands for itself.
    if (!known) {
      column->record = 0;
      continue;
    }
    add({f.t, v, nullptr, 0}, column);
    loose_->NoteRecord(sequence, f.link != 0, column);
  }
  if (lost) ++*bad;
  LooseColumn* column = nullptr;  // of the series before, which mostly goes on
  SeriesId series = 0;
  for (const LooseSample& s : record.loose) {
    if (s.series != series || column == nullptr)
      column = KnowsSeries(s.series, bad) ? loose_->ColumnOf(s.series) : nullptr;
    series = s.series;
    if (column != nullptr) add(s.sample, column);
  }
}

// A power cut may take a series' row and leave journal records that name it. Its number must not go to
// another series as long as they exist.
bool DbImpl::KnowsSeries(SeriesId id, uint64_t* bad) {
  if (known_ids_.Get(id)) return true;
  ++*bad;
  lost_ids_.insert(id);
  return false;
}

void DbImpl::ReplayRound(uint64_t sequence, const Record& record, uint64_t* bad) {
  const std::shared_ptr<Group> group = LookupGroup(record.group);
  if (group == nullptr) {
    ++*bad;
    MutexLock lock(&groups_mutex_);
    next_group_ = std::max(next_group_, record.group + 1);  // as with series
    return;
  }
  MutexLock lock(&group->mutex);
  if (sequence <= group->sealed_sequence) return;
  const bool keyframe = record.row == 0;
  if (keyframe) group->CloseTile();
  const int64_t before = group->open.times.empty() ? 0 : group->open.times.back();
  int64_t t = 0;
  size_t slots = 0;
  // A record that is missing breaks the chain until the next keyframe.
  if (record.row != group->open.rounds.size() || record.row >= kTileRows ||
      !ReadRoundHead(record.round_bytes, before, &t, &slots)) {
    ++*bad;
    return;
  }
  // Slots whose row is lost: nobody gets these numbers.
  if (slots > group->slots.size()) group->slots.resize(slots, 0);
  NoteTime(t);
  group->AddUnread(sequence, t, record.round_bytes);
}

// Numbers that nothing names.
void DbImpl::CollectFree() {
  {
    MutexLock lock(&create_mutex_);
    for (SeriesId id : lost_ids_) next_series_ = std::max(next_series_, id + 1);
    std::vector<SeriesId> ids;
    // An id whose name is lost may still have samples.
    const Roaring live = LiveSeries();
    if (!live.isEmpty()) next_series_ = std::max(next_series_, live.maximum() + 1);
    for (SeriesId id = 1; id < next_series_; ++id)
      if (!index_.Has(id) && !lost_ids_.contains(id) && !live.contains(id)) ids.push_back(id);
    series_use_.AddFree(ids);
    lost_ids_.clear();
  }
  const uint64_t sequence = journal_->last_sequence();
  for (const auto& group : AllGroups()) {
    MutexLock lock(&group->mutex);
    for (Slot slot = 0; slot < group->slots.size(); ++slot) {
      // An empty slot may be named by rounds in memory: only those before them are free.
      if (group->slots[slot] != 0)
        group->idle[slot] = sequence;
      else if (!group->HasHead())
        group->free_slots.push_back(slot);
    }
  }
}

// Not at the start, which shall be quick: whose samples all come in rounds never needs them.
void DbImpl::KnowLastLoose() const {
  if (last_loose_known_) return;
  MutexLock lock(&last_loose_mutex_);
  if (last_loose_known_) return;
  LoadLastLoose();
  last_loose_known_ = true;
}

// The newest sealed sample of each loose series: duplicates and late samples are judged as before the
// restart.
void DbImpl::LoadLastLoose() const {
  const int64_t maxt = max_t_, mint = HeadMax() - kOutOfBoundsMs;
  std::unique_ptr<ReadView> view = Pin({}, mint, maxt);
  StripeReader reader(
      view.get(), index_.RanksByLabels(),
      [this](int64_t window, uint32_t group, uint32_t stripe) { NoteCorruptStripe(window, group, stripe); });
  const std::vector<SeriesId> ids = reader.SeriesOf(kLooseGroup);
  std::vector<Sample> newest;
  SeriesRows rows;
  for (size_t begin = 0; begin < ids.size(); begin += kStripeSeries) {
    const std::span<const SeriesId> some =
        std::span(ids).subspan(begin).first(std::min(kStripeSeries, ids.size() - begin));
    newest.assign(some.size(), Sample{INT64_MIN, 0, nullptr, 0});
    reader.Read(kLooseGroup, some,
                [&](size_t i, const StripeReader::Source&, const Times& times, std::string_view entry) {
                  if (times->empty() || times->back() < mint || !DecodeEntry(entry, times->size(), &rows))
                    return;
                  const Sample last = LastRow(rows, *times);
                  if (last.t >= newest[i].t) newest[i] = last;
                });
    reader.NextBlockOnward();
    MutexLock lock(&loose_mutex_);
    for (size_t i = 0; i < some.size(); ++i)
      if (newest[i].t >= mint) loose_->NoteLast(some[i], newest[i]);
  }
}

}  // namespace narthex::tsdb
