// What all parts of the engine share: series, groups, times, the background thread.
#include "tsdb/db_impl.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::tsdb {
namespace {
constexpr size_t kExemplars = 100'000;
constexpr int64_t kMaintainMs = 10'000;
constexpr SeriesId kMaxReserved = 256;

bool HeadInRange(const Group& group, int64_t mint, int64_t maxt) {
  ReaderMutexLock lock(&group.mutex);
  if (!group.HasHead()) return false;
  const int64_t first = group.tiles.empty() ? group.open.times.front() : group.tiles.front()->times.front();
  const bool stepped_back = first > group.last_t;
  return stepped_back || (first <= maxt && group.last_t >= mint);
}

bool HasSamples(const LooseStore& store, SeriesId id, int64_t mint, int64_t maxt) {
  if (store.empty() || store.min_t() > maxt || store.max_t() < mint) return false;
  const LooseColumn* column = store.Find(id);
  return column != nullptr && column->count > 0;
}

}  // namespace

DbImpl::DbImpl(Options options)
    : options_(std::move(options)),
      metrics_(options_.metrics),
      exemplars_(kExemplars),
      ooo_window_ms_(options_.out_of_order_window_ms),
      loose_(std::make_shared<LooseStore>()),
      tombstones_(std::make_shared<Tombstones>()),
      memory_(options_.memory_limit_bytes) {}

DbImpl::~DbImpl() {
  {
    MutexLock lock(&stop_mutex_);
    stop_ = true;
  }
  if (thread_.joinable()) thread_.join();
  if (store_ != nullptr && journal_ != nullptr) SealForStop();
  if (store_ != nullptr && journal_ != nullptr) (void)SyncAll();
  journal_.reset();
  cursors_.Clear();
  store_.reset();
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

void DbImpl::Background() {
  int64_t since_maintain = 0;
  const int64_t tick =
      std::max<int64_t>(100, options_.sync_interval_ms > 0 ? options_.sync_interval_ms : 5000);
  const auto wake = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(stop_mutex_) {
    return stop_ || short_of_memory_ || loose_full_;
  };
  // Early seals may come thick and fast: what is due every tick is not put off by them.
  const auto now_ms = [this] { return options_.clock->MonotonicNs() / 1'000'000; };
  int64_t due_ms = now_ms() + tick;
  while (true) {
    bool short_of_memory = false, loose_full = false;
    {
      MutexLock lock(&stop_mutex_);
      (void)stop_mutex_.AwaitWithTimeout(Condition(&wake),
                                         absl::Milliseconds(std::max<int64_t>(0, due_ms - now_ms())));
      if (stop_) return;
      short_of_memory = std::exchange(short_of_memory_, false);
      loose_full = std::exchange(loose_full_, false);
    }
    if (short_of_memory || loose_full) {
      MutexLock lock(&maintain_mutex_);
      const absl::Status s = loose_full ? Seal(false) : SealForRoom();
      if (!s.ok()) options_.logger->Error("Early seal failed", {{"err", std::string(s.message())}});
      if (now_ms() < due_ms) continue;
    }
    due_ms = now_ms() + tick;
    const absl::Status s = SyncAll();
    if (!s.ok()) options_.logger->Error("Storage sync failed", {{"err", std::string(s.message())}});
    since_maintain += tick;
    if (since_maintain < kMaintainMs) continue;
    since_maintain = 0;
    const absl::Status m = Maintain(false);
    if (!m.ok()) options_.logger->Error("Storage maintenance failed", {{"err", std::string(m.message())}});
  }
}

// The index first: a journal record may name series that it must find there.
absl::Status DbImpl::SyncAll() {
  WriteIndex();
  if (index_dirty_.exchange(false)) RETURN_IF_ERROR(store_->Sync());
  const int64_t start = options_.clock->MonotonicNs();
  RETURN_IF_ERROR(journal_->Sync());
  metrics_.fsync->Observe(static_cast<double>(options_.clock->MonotonicNs() - start) / 1e9);
  return absl::OkStatus();
}

void DbImpl::NoteCorruptStripe(int64_t window, uint32_t group, uint32_t stripe) const {
  metrics_.stripe_corruptions->Add();
  options_.logger->Error("Stripe corrupt, left out of the answer", {{"window", std::to_string(window)},
                                                                    {"group", std::to_string(group)},
                                                                    {"stripe", std::to_string(stripe)}});
}

void DbImpl::NoteDamage(const std::string& what) const {
  metrics_.damaged->Add();
  options_.logger->Error("Index damaged, what does not check is left out", {{"err", what}});
}

void DbImpl::NoteTime(int64_t t) {
  for (int64_t seen = max_t_.load(); t > seen && !max_t_.compare_exchange_weak(seen, t);) {
  }
  for (int64_t seen = min_t_.load(); t < seen && !min_t_.compare_exchange_weak(seen, t);) {
  }
}

SeriesId DbImpl::FindSeries(const Labels& labels) const {
  const SeriesId id = index_.Find(labels);
  if (id == 0) return 0;
  series_use_.Touch(id);
  return index_.Has(id) ? id : 0;
}

absl::StatusOr<SeriesId> DbImpl::GetOrCreateSeries(const Labels& labels, bool* created, IdRange* reserved) {
  *created = false;
  if (SeriesId id = FindSeries(labels); id != 0) return id;
  RETURN_IF_ERROR(CheckRoomForSeries(labels));
  MutexLock lock(&create_mutex_);
  if (SeriesId id = FindSeries(labels); id != 0) return id;
  ASSIGN_OR_RETURN(const SeriesId id, NewId(reserved));
  index_.Add(id, labels);
  new_series_.push_back(id);
  WriteSoon();
  metrics_.series_created->Add();
  *created = true;
  return id;
}

// A batch that creates many gets more at once: samples of series that lie together cost less.
absl::StatusOr<SeriesId> DbImpl::NewId(IdRange* reserved) {
  if (reserved != nullptr && reserved->next != reserved->end) return reserved->next++;
  if (const SeriesId id = series_use_.TakeFree(); id != 0) return id;
  if (next_series_ == UINT32_MAX)
    return absl::ResourceExhaustedError("too many series: series ids are used up");
  const SeriesId id = next_series_++;
  if (reserved == nullptr) return id;
  const SeriesId more = std::min({reserved->taken, kMaxReserved, UINT32_MAX - next_series_});
  reserved->next = next_series_;
  reserved->end = next_series_ += more;
  reserved->taken += more + 1;
  return id;
}

void DbImpl::GiveBack(const IdRange& reserved) {
  MutexLock lock(&create_mutex_);
  if (reserved.end == next_series_) {
    next_series_ = reserved.next;
    return;
  }
  std::vector<SeriesId> ids(reserved.end - reserved.next);
  std::iota(ids.begin(), ids.end(), reserved.next);
  series_use_.AddFree(ids);
}

Slot DbImpl::AddSlot(Group* group, SeriesId id) {
  MutexLock create(&create_mutex_);
  Slot slot = 0;
  {
    MutexLock lock(&group->mutex);
    const size_t before = group->slot_of.size();
    slot = group->AddSlot(id);
    if (group->slot_of.size() == before) return slot;
  }
  new_slots_.push_back({group, slot, id});
  WriteSoon();
  MutexLock lock(&groups_mutex_);
  NoteMembership(id, group->id);
  return slot;
}

void DbImpl::WriteIndex() {
  if (!has_unwritten_) return;
  MutexLock lock(&create_mutex_);
  WriteIndexLocked();
}

absl::Status DbImpl::RetryUnsaved() {
  if (!has_unsaved_) return absl::OkStatus();
  store_->Resume();
  MutexLock lock(&create_mutex_);
  RETURN_IF_ERROR(store_->Write(unsaved_, false));
  unsaved_ = IndexBatch{};
  has_unsaved_ = false;
  return absl::OkStatus();
}

uint64_t DbImpl::AppendJournal(std::string_view payload, bool* written) {
  absl::Status s;
  if (has_unsaved_) s = absl::ResourceExhaustedError("the index cannot be written");
  uint64_t bytes = 0;
  const uint64_t sequence = s.ok() ? journal_->Append(payload, &s, &bytes) : journal_->last_sequence();
  metrics_.bytes_written->Add(static_cast<double>(bytes));
  *written = s.ok();
  if (s.ok()) {
    if (journal_failing_.exchange(false)) options_.logger->Info("Journal writes work again");
  } else {
    metrics_.journal_failures->Add();
    if (!journal_failing_.exchange(true)) {
      options_.logger->Error("Journal write failed, samples stay in memory until it works again",
                             {{"err", std::string(s.message())}});
    }
  }
  return sequence;
}

void DbImpl::NoteMembership(SeriesId id, uint32_t group) {
  if (id >= group_of_.size()) group_of_.resize(std::max<size_t>(id + 1, group_of_.size() * 5 / 4), 0);
  if (group_of_[id] == 0 || group_of_[id] == group) {
    group_of_[id] = group;
    return;
  }
  std::vector<uint32_t>& more = more_groups_[id];
  if (std::find(more.begin(), more.end(), group) == more.end()) more.push_back(group);
}

std::shared_ptr<Group> DbImpl::FindOrAddGroup(uint32_t id, const Labels& key) {
  const auto it = groups_.find(id);
  if (it != groups_.end()) return it->second;
  auto group = std::make_shared<Group>(id, key);
  groups_[id] = group;
  groups_by_key_[key.encoded()] = group;
  next_group_ = std::max(next_group_, id + 1);
  return group;
}

std::shared_ptr<Group> DbImpl::LookupGroup(uint32_t id) const {
  ReaderMutexLock lock(&groups_mutex_);
  const auto it = groups_.find(id);
  return it == groups_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<Group>> DbImpl::AllGroups() const {
  ReaderMutexLock lock(&groups_mutex_);
  std::vector<std::shared_ptr<Group>> out;
  for (const auto& [id, group] : groups_) out.push_back(group);
  return out;
}

std::shared_ptr<const Tombstones> DbImpl::tombstones() const {
  ReaderMutexLock lock(&windows_mutex_);
  return tombstones_;
}

std::vector<std::shared_ptr<const Roaring>> DbImpl::WindowSeries(int64_t mint, int64_t maxt) const {
  ReaderMutexLock lock(&windows_mutex_);
  std::vector<std::shared_ptr<const Roaring>> out;
  for (const auto& [window, series] : windows_) {
    if (window <= maxt && window + options_.window_ms > mint) out.push_back(series);
  }
  return out;
}

void DbImpl::KeepInHead(int64_t mint, int64_t maxt, absl::flat_hash_map<uint32_t, bool>* groups,
                        std::vector<SeriesId>* ids) const {
  std::vector<char> keep(ids->size(), 0);
  {
    ReaderMutexLock lock(&groups_mutex_);
    const auto group_has = [&](uint32_t id) ABSL_SHARED_LOCKS_REQUIRED(groups_mutex_) {
      const auto [known, fresh] = groups->try_emplace(id, false);
      if (!fresh) return known->second;
      const auto it = groups_.find(id);
      return known->second = it != groups_.end() && HeadInRange(*it->second, mint, maxt);
    };
    for (size_t i = 0; i < ids->size(); ++i) {
      const SeriesId id = (*ids)[i];
      if (id >= group_of_.size() || group_of_[id] == 0) continue;
      keep[i] = group_has(group_of_[id]);
      const auto more = keep[i] ? more_groups_.end() : more_groups_.find(id);
      if (more != more_groups_.end()) {
        keep[i] = std::any_of(more->second.begin(), more->second.end(), group_has);
      }
    }
  }
  ReaderMutexLock lock(&loose_mutex_);
  size_t kept = 0;
  for (size_t i = 0; i < ids->size(); ++i) {
    const SeriesId id = (*ids)[i];
    const bool has = keep[i] || HasSamples(*loose_, id, mint, maxt) ||
                     std::any_of(frozen_.begin(), frozen_.end(),
                                 [&](const auto& store) { return HasSamples(*store, id, mint, maxt); });
    if (has) (*ids)[kept++] = id;
  }
  ids->resize(kept);
}

}  // namespace narthex::tsdb
