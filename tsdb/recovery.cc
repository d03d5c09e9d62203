// Opening a directory: lock, format, index, manifest, journal replay.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
#include "tsdb/format/records.h"
#include "tsdb/format/stripe.h"
#include "tsdb/manifest.h"

namespace narthex::tsdb {
namespace {
constexpr int kFormatVersion = 1;
}

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
    return absl::OkStatus();
  }
  // Written aside and renamed: a crash leaves no half file.
  const std::string next = path + ".tmp";
  {
    std::ofstream out(next, std::ios::trunc);
    out << "narthex-storage " << kFormatVersion << "\n";
    if (!out.flush()) return absl::InternalError(StrCat("write ", next, " failed"));
  }
  if (::rename(next.c_str(), path.c_str()) != 0) {
    return absl::InternalError(StrCat("rename ", next, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::Status DbImpl::Init() {
  std::error_code ec;
  std::filesystem::create_directories(options_.path, ec);
  if (ec) return absl::InternalError(StrCat("create ", options_.path, ": ", ec.message()));
  RETURN_IF_ERROR(TakeLock());
  RETURN_IF_ERROR(CheckFormat());
  ASSIGN_OR_RETURN(store_, RocksStore::Open(options_.path + "/store"));
  directory_ = std::make_unique<StripeDirectory>(store_.get());
  RETURN_IF_ERROR(LoadIndex());
  RETURN_IF_ERROR(LoadManifest());
  RETURN_IF_ERROR(AddMissingLeaders());
  RETURN_IF_ERROR(OpenJournal());
  UpdateGauges();
  if (options_.background_work) thread_ = std::thread([this] { Background(); });
  return absl::OkStatus();
}

absl::Status DbImpl::LoadIndex() {
  SeriesId newest = 0;
  RETURN_IF_ERROR(store_->Scan("S", [&](std::string_view key, std::string_view value) {
    if (key.size() != 5 || !Labels::IsWellFormed(value)) return true;
    const SeriesId id = GetBig32(key.data() + 1);
    index_.Add(id, Labels::FromEncoded(std::string(value)));
    newest = std::max(newest, id);
    return true;
  }));
  {
    MutexLock lock(&create_mutex_);
    next_series_ = newest + 1;
  }
  MutexLock lock(&groups_mutex_);
  RETURN_IF_ERROR(store_->Scan("G", [&](std::string_view key, std::string_view value) {
    if (key.size() == 5 && Labels::IsWellFormed(value)) {
      FindOrAddGroup(GetBig32(key.data() + 1), Labels::FromEncoded(std::string(value)));
    }
    return true;
  }));
  return store_->Scan("L", [&](std::string_view key, std::string_view value) {
    if (key.size() != 9 || value.size() != 4) return true;
    const auto it = groups_.find(GetBig32(key.data() + 1));
    if (it == groups_.end()) return true;
    MutexLock group_lock(&it->second->mutex);
    std::vector<SeriesId>& slots = it->second->slots;
    const Slot slot = GetBig32(key.data() + 5);
    if (slot > slots.size() + (1 << 20)) return true;
    if (slot >= slots.size()) slots.resize(slot + 1, 0);
    slots[slot] = GetBig32(value.data());
    it->second->slot_of[slots[slot]] = slot;
    NoteMembership(slots[slot], it->first);
    return true;
  });
}

absl::Status DbImpl::LoadManifest() {
  uint64_t loose_sealed = 0;
  RETURN_IF_ERROR(store_->Scan("M", [&](std::string_view key, std::string_view value) {
    Manifest m;
    if (key.size() != 5 || !m.Decode(value)) return true;
    const uint32_t id = GetBig32(key.data() + 1);
    if (id == kLooseGroup) {
      loose_sealed = m.sealed_sequence;
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
    ByteReader in(value);
    while (key.size() == 5 && in.left() >= 16) {
      const int64_t mint = static_cast<int64_t>(in.Fixed64()), maxt = static_cast<int64_t>(in.Fixed64());
      (*tombstones)[GetBig32(key.data() + 1)].emplace_back(mint, maxt);
    }
    return true;
  }));
  MutexLock lock(&windows_mutex_);
  tombstones_ = std::move(tombstones);
  return store_->Scan("W", [&](std::string_view key, std::string_view value) {
    if (key.size() != 9) return true;
    const int64_t window = static_cast<int64_t>(GetBig64(key.data() + 1) ^ (uint64_t{1} << 63));
    Roaring series;
    if (!DecodeSeriesSet(value, &series)) {
      metrics_.corruptions->Add();
      options_.logger->Warn("Series list of a window is corrupt, using all series");
      for (SeriesId id : index_.All()) series.add(id);
    }
    windows_[window] = std::make_shared<const Roaring>(std::move(series));
    return true;
  });
}

// Directories written before stripes had leaders get them now.
absl::Status DbImpl::AddMissingLeaders() {
  for (int64_t window : WindowsIn(INT64_MIN, INT64_MAX)) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const WindowRuns> runs, directory_->Window(window));
    if (!runs->empty()) continue;
    std::map<std::string, std::vector<SeriesId>> leaders;
    const auto note = [&](std::string_view k, std::string_view bytes) {
      StripeKey key;
      StripeView view;
      if (!DecodeStripeKey(k, &key)) return true;
      std::vector<SeriesId>& list = leaders[LeadersKey(key)];
      list.resize(key.stripe, 0);  // a stripe that is missing or corrupt has no leader
      list.push_back(view.Parse(bytes) && !view.entries.empty() ? view.entries[0].series : 0);
      return true;
    };
    RETURN_IF_ERROR(store_->ScanStripes(StripeWindowPrefix(window),
                                        StripeWindowPrefix(window + options_.window_ms), note));
    IndexBatch batch;
    for (const auto& [key, list] : leaders) batch.puts.emplace_back(key, EncodeLeaders(list));
    if (!batch.empty()) RETURN_IF_ERROR(store_->Write(batch, false));
  }
  directory_->Forget();
  return absl::OkStatus();
}

absl::Status DbImpl::OpenJournal() {
  uint64_t bad = 0;
  Journal::OpenStats stats;
  ASSIGN_OR_RETURN(journal_, Journal::Open(
                                 options_.path + "/journal", options_.logger,
                                 [&](uint64_t sequence, std::string_view payload) {
                                   ReplayRecord(sequence, payload, &bad);
                                 },
                                 &stats));
  uint64_t sealed = 0;
  for (const auto& group : AllGroups()) {
    MutexLock lock(&group->mutex);
    sealed = std::max(sealed, group->sealed_sequence);
  }
  {
    MutexLock lock(&loose_mutex_);
    sealed = std::max(sealed, loose_sealed_);
  }
  journal_->RaiseSequence(sealed);
  metrics_.corruptions->Add(static_cast<double>(stats.corruptions + bad));
  if (bad > 0) {
    options_.logger->Warn("Journal records could not be used", {{"records", std::to_string(bad)}});
  }
  options_.logger->Info("Storage opened", {{"series", std::to_string(index_.series_count())},
                                           {"journal_records", std::to_string(stats.records)}});
  return absl::OkStatus();
}

void DbImpl::ReplayRecord(uint64_t sequence, std::string_view payload, uint64_t* bad) {
  Record record;
  if (!DecodeRecordPayload(payload, &record)) {
    ++*bad;
    return;
  }
  if (record.has_round) ReplayRound(sequence, record, bad);
  MutexLock lock(&loose_mutex_);
  if (sequence <= loose_sealed_) return;
  for (const LooseSample& s : record.loose) {
    if (!index_.Has(s.series)) {
      ++*bad;
      continue;
    }
    if (loose_->empty()) loose_->first_sequence = sequence;
    loose_->last_sequence = sequence;
    loose_->Add(s);
    NoteTime(s.sample.t);
  }
}

void DbImpl::ReplayRound(uint64_t sequence, const Record& record, uint64_t* bad) {
  const std::shared_ptr<Group> group = LookupGroup(record.group);
  if (group == nullptr) {
    ++*bad;
    return;
  }
  MutexLock lock(&group->mutex);
  if (sequence <= group->sealed_sequence) return;
  const bool keyframe = record.row == 0;
  if (keyframe) group->CloseTile();
  Round round = group->open.last;
  ByteReader in(record.round_bytes);
  // A record that is missing breaks the chain until the next keyframe.
  if (record.row != group->open.rounds.size() || !ReadRound(&in, keyframe, &round) ||
      round.values.size() > group->slots.size()) {
    ++*bad;
    return;
  }
  NoteTime(round.t);
  group->AddRound(sequence, std::string(record.round_bytes), std::move(round));
}

}  // namespace narthex::tsdb
