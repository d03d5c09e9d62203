// State, metadata, exemplars, deletion, snapshots, status.
#include <algorithm>
#include <ctime>
#include <filesystem>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"
#include "tsdb/manifest.h"

namespace narthex::tsdb {

namespace {
constexpr int64_t kSnapshotSealMs = 600'000;  // between two seals that only snapshots want
}

absl::Status DbImpl::PutState(std::string_view key, std::string_view value) {
  IndexBatch batch;
  batch.puts.emplace_back(StateKey(key), value);
  index_dirty_ = true;
  return store_->Write(batch, options_.sync_interval_ms == 0);
}

absl::Status DbImpl::DeleteState(std::string_view key) {
  IndexBatch batch;
  batch.deletes.push_back(StateKey(key));
  index_dirty_ = true;
  return store_->Write(batch, options_.sync_interval_ms == 0);
}

absl::Status DbImpl::ChangeState(const std::vector<StateChange>& changes) {
  IndexBatch batch;
  for (const StateChange& change : changes) {
    if (change.value) {
      batch.puts.emplace_back(StateKey(change.key), *change.value);
    } else {
      batch.deletes.push_back(StateKey(change.key));
    }
  }
  index_dirty_ = true;
  return store_->Write(batch, options_.sync_interval_ms == 0);
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> DbImpl::ScanState(
    std::string_view prefix) const {
  std::vector<std::pair<std::string, std::string>> out;
  RETURN_IF_ERROR(store_->Scan(StateKey(prefix), [&](std::string_view key, std::string_view value) {
    out.emplace_back(key.substr(1), value);
    return true;
  }));
  return out;
}

absl::Status DbImpl::SetMetadata(std::string_view metric, const Metadata& metadata) {
  std::string value;
  PutBytes(&value, metadata.type);
  PutBytes(&value, metadata.help);
  PutBytes(&value, metadata.unit);
  const std::string key = MetadataKey(metric);
  const absl::StatusOr<std::string> known = store_->Get(key);
  if (known.ok() && *known == value) return absl::OkStatus();
  IndexBatch batch;
  batch.puts.emplace_back(key, value);
  index_dirty_ = true;
  return store_->Write(batch, false);
}

absl::StatusOr<std::vector<ExemplarSeries>> DbImpl::SelectExemplars(const std::vector<Matchers>& match,
                                                                    int64_t mint, int64_t maxt) const {
  const SeriesUse::Ticket ticket(&series_use_);
  std::vector<SeriesId> ids;
  for (const Matchers& m : match) {
    const std::vector<SeriesId> some = index_.Select(m);
    ids.insert(ids.end(), some.begin(), some.end());
  }
  std::vector<ExemplarSeries> out;
  for (auto& [id, exemplars] : exemplars_.Select(ids, mint, maxt)) {
    if (!exemplars.empty()) out.push_back({index_.LabelsOf(id), std::move(exemplars)});
  }
  std::sort(out.begin(), out.end(),
            [](const ExemplarSeries& a, const ExemplarSeries& b) { return a.labels < b.labels; });
  return out;
}

absl::Status DbImpl::DeleteSeries(const Matchers& matchers, int64_t mint, int64_t maxt) {
  // What arrives after the deletion is not deleted.
  maxt = std::min(maxt, max_t_.load());
  if (mint > maxt) return absl::OkStatus();
  IndexBatch batch;
  MutexLock lock(&windows_mutex_);
  auto next = std::make_shared<Tombstones>(*tombstones_);
  const SeriesUse::Ticket ticket(&series_use_);
  for (SeriesId id : index_.Select(matchers)) {
    series_use_.Touch(id);
    if (!index_.Has(id)) continue;
    std::vector<Interval>& list = (*next)[id];
    list.emplace_back(mint, maxt);
    batch.puts.emplace_back(TombstoneKey(id), EncodeIntervals(list));
  }
  if (batch.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(store_->Write(batch, true));
  tombstones_ = std::move(next);
  return absl::OkStatus();
}

// What is in memory takes half of the room in stripes that it takes in the journal. What it writes is not
// written again by the seal of the window.
void DbImpl::SealForSnapshot() {
  const int64_t now_ms = options_.clock->MonotonicNs() / 1'000'000;
  if (snapshot_seal_ms_ != INT64_MIN && now_ms < snapshot_seal_ms_ + kSnapshotSealMs) return;
  const absl::Status s = Seal(/*force=*/true);
  if (s.ok()) {
    snapshot_seal_ms_ = now_ms;
    return;
  }
  options_.logger->Warn("Seal before a snapshot failed, the journal goes along instead",
                        {{"err", std::string(s.message())}});
}

absl::StatusOr<std::string> DbImpl::Snapshot(const std::string& directory, bool skip_head) {
  MutexLock lock(&maintain_mutex_);
  const std::time_t seconds = options_.clock->NowMs() / 1000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char stamp[64];
  std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
  char name[96];
  std::snprintf(name, sizeof name, "%s-%016llx", stamp,
                static_cast<unsigned long long>(options_.clock->MonotonicNs()) ^ ++snapshots_);
  const std::string path = StrCat(directory, "/", std::string(name));
  std::error_code ec;
  std::filesystem::create_directories(path + "/store", ec);
  if (ec) return absl::InternalError(StrCat("snapshot: create ", path, ": ", ec.message()));
  LeanWork lean;
  if (!skip_head) SealForSnapshot();
  RETURN_IF_ERROR(SyncAll());
  lean.Turn();
  {
    // No commit meanwhile: journal and index belong together.
    MutexLock commit(&commit_mutex_);
    RETURN_IF_ERROR(journal_->CopyTo(path + "/journal", skip_head ? UINT64_MAX : FirstNeeded()));
    RETURN_IF_ERROR(store_->Checkpoint(path + "/store/db"));
  }
  std::filesystem::copy_file(options_.path + "/FORMAT", path + "/FORMAT", ec);
  if (ec) return absl::InternalError(StrCat("snapshot: copy FORMAT: ", ec.message()));
  return std::string(name);
}

absl::StatusOr<Status> DbImpl::GetStatus(size_t limit) const {
  Status out;
  index_.FillStatus(limit, &out);
  out.head_chunks = static_cast<uint64_t>(metrics_.chunks->value());
  out.head_min_t = static_cast<int64_t>(metrics_.min_time->value());
  out.head_max_t = max_t_ == INT64_MIN ? 0 : max_t_.load();
  return out;
}

std::vector<BlockView> DbImpl::Blocks() const {
  std::vector<BlockView> out;
  ReaderMutexLock lock(&windows_mutex_);
  for (const auto& [window, series] : windows_) {
    out.push_back({window, window + options_.window_ms, series->cardinality()});
  }
  return out;
}

}  // namespace narthex::tsdb
