// The two writers: rounds of a group, and batches of loose samples.
#include <algorithm>
#include <bit>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"

namespace narthex::tsdb {
namespace {

constexpr int64_t kClockSlackMs = 10'000;

void CountResult(const DbMetrics& m, AppendResult r) {
  switch (r) {
    case AppendResult::kOk:
      break;
    case AppendResult::kOutOfOrder:
      m.out_of_order->Add();
      break;
    case AppendResult::kDuplicate:
      m.duplicates->Add();
      break;
    case AppendResult::kTooOld:
      m.too_old->Add();
      break;
    case AppendResult::kOutOfBounds:
      m.out_of_bounds->Add();
      break;
  }
}

bool SameValue(const Sample& a, const Sample& b) {
  if (a.h && b.h) return a.h->Equals(*b.h);
  return !a.h && !b.h && std::bit_cast<uint64_t>(a.v) == std::bit_cast<uint64_t>(b.v);
}

class GroupAppenderImpl : public GroupAppender {
 public:
  GroupAppenderImpl(DbImpl* db, std::shared_ptr<Group> group) : db_(db), group_(std::move(group)) {}
  ~GroupAppenderImpl() override {
    const uint64_t sequence = db_->journal_->last_sequence();
    MutexLock lock(&group_->mutex);
    group_->in_use = false;
    group_->ReleaseAll(sequence);
  }

  absl::StatusOr<Slot> AddSeries(const Labels& labels) override {
    bool created = false;
    const SeriesUse::Ticket ticket(&db_->series_use_);
    ASSIGN_OR_RETURN(const SeriesId id, db_->GetOrCreateSeries(labels, &created));
    const Slot slot = db_->AddSlot(group_.get(), id);
    if (created) ++stats_.new_series;
    return slot;
  }

  void Release(Slot slot) override {
    MutexLock lock(&group_->mutex);
    group_->Release(slot);
  }

  void Begin(int64_t t) override {
    round_ = Round{};
    round_.t = t;
    loose_.clear();
    newest_.clear();
    exemplars_.clear();
    const int fresh = stats_.new_series;  // series are added between rounds too
    stats_ = RoundStats{};
    stats_.new_series = fresh;
    MutexLock lock(&group_->mutex);
    round_.values.resize(group_->slots.size(), 0);
    round_.present.Resize(group_->slots.size());
    seen_ = Bits(group_->slots.size());
    silent_.clear();
    // A round behind the last one: the clock stepped back (then the last round lies in the future), or it is
    // late.
    const int64_t now = db_->options_.clock->NowMs();
    const bool stepped = group_->last_t > now + kClockSlackMs && t <= now + kClockSlackMs;
    late_ = group_->last_t != INT64_MIN && t <= group_->last_t && !stepped;
    last_t_ = group_->last_t;
  }

  AppendResult Set(Slot slot, double v) override {
    if (late_) {
      Sample s;
      s.t = round_.t;
      s.v = v;
      return SetLoose(slot, s, true);
    }
    Grow(slot);
    if (IsStale(v)) return SetStale(slot);
    if (round_.present.Get(slot)) {
      if (std::bit_cast<uint64_t>(round_.values[slot]) != std::bit_cast<uint64_t>(v)) ++stats_.duplicate;
      return AppendResult::kOk;
    }
    ++stats_.added;
    round_.present.Set(slot);
    round_.values[slot] = v;
    seen_.Set(slot);
    return AppendResult::kOk;
  }

  AppendResult SetSample(Slot slot, const Sample& sample, bool track_staleness) override {
    if (sample.t == round_.t && !sample.h && sample.start_t == 0) return Set(slot, sample.v);
    return SetLoose(slot, sample, track_staleness || sample.t == round_.t);
  }

  void AddExemplar(Slot slot, const Exemplar& exemplar) override {
    Exemplar e = exemplar;
    if (!e.has_t) e.t = round_.t;
    SeriesId id = 0;
    {
      MutexLock lock(&group_->mutex);
      if (slot < group_->slots.size()) id = group_->slots[slot];
    }
    if (id != 0) exemplars_.push_back({id, std::move(e)});
  }

  absl::StatusOr<RoundStats> Commit() override {
    if (!IsStorableTime(round_.t))
      return absl::InvalidArgumentError(StrCat("out of bounds: time ", round_.t));
    if (late_) {
      // Out of order as a whole: what was accepted is kept, staleness goes on from the newest round.
      RETURN_IF_ERROR(db_->CommitLoose(loose_));
    } else {
      {
        MutexLock lock(&group_->mutex);
        const std::vector<uint64_t>& words = group_->tracked.words();
        for (size_t w = 0; w < words.size(); ++w) {
          const uint64_t seen = w < seen_.words().size() ? seen_.words()[w] : 0;
          for (uint64_t bits = words[w] & ~seen; bits != 0; bits &= bits - 1) {
            round_.stale.push_back(static_cast<uint32_t>(w * 64 + std::countr_zero(bits)));
          }
        }
      }
      std::sort(round_.stale.begin(), round_.stale.end());
      round_.stale.erase(std::unique(round_.stale.begin(), round_.stale.end()), round_.stale.end());
      const std::vector<uint64_t>& present = round_.present.words();
      for (size_t w = 0; w < seen_.words().size(); ++w) {
        uint64_t bits = seen_.words()[w] & ~(w < present.size() ? present[w] : 0);
        for (; bits != 0; bits &= bits - 1) {
          const auto slot = static_cast<Slot>(w * 64 + std::countr_zero(bits));
          if (!silent_.contains(slot)) round_.tracked_only.push_back(slot);
        }
      }
      stats_.stale = static_cast<int>(round_.stale.size());
      Grow(0);
      RETURN_IF_ERROR(db_->CommitRound(group_.get(), std::move(round_), loose_));
    }
    RETURN_IF_ERROR(db_->CommitExemplars(exemplars_));
    const RoundStats out = stats_;
    stats_ = RoundStats{};
    exemplars_.clear();
    round_ = Round{};
    loose_.clear();
    seen_ = Bits();
    return out;
  }

 private:
  void Grow(Slot slot) {
    const size_t n = std::max<size_t>(round_.values.size(), slot + 1);
    if (n <= round_.values.size()) return;
    round_.values.resize(n, 0);
    round_.present.Resize(n);
  }

  // An explicit stale marker ends the series at this round, whether it was tracked or not.
  AppendResult SetStale(Slot slot) {
    round_.present.Set(slot, false);
    round_.values[slot] = 0;
    round_.stale.push_back(slot);
    seen_.Set(slot);
    silent_.insert(slot);
    return AppendResult::kOk;
  }

  AppendResult SetLoose(Slot slot, const Sample& sample, bool track) {
    SeriesId id = 0;
    AppendResult r = AppendResult::kOk;
    {
      MutexLock lock(&group_->mutex);
      if (slot < group_->slots.size()) id = group_->slots[slot];
    }
    if (id == 0) return AppendResult::kOutOfBounds;
    if (!late_) Grow(slot);
    const int64_t newest = late_ ? INT64_MIN : NewestOfRound(slot, id);
    if (sample.t == newest && IsStorableTime(sample.t)) {
      ++stats_.duplicate;
      return AppendResult::kOk;
    }
    r = !IsStorableTime(sample.t) ? AppendResult::kOutOfBounds
        : late_                   ? LateResult(sample)
                                  : db_->Check(id, sample);
    if (r == AppendResult::kOk && sample.t < newest && db_->ooo_window_ms_ <= 0)
      r = AppendResult::kOutOfOrder;
    if (!late_) {
      seen_.Set(slot);  // no stale marker in this round either way
      if (!track) silent_.insert(slot);
    }
    if (r != AppendResult::kOk) {
      CountResult(db_->metrics_, r);
      if (r == AppendResult::kDuplicate)
        ++stats_.duplicate;
      else if (r == AppendResult::kOutOfOrder)
        ++stats_.out_of_order;
      else
        ++stats_.out_of_bounds;
      return r;
    }
    ++stats_.added;
    loose_.push_back({id, sample});
    if (!newest_.empty()) newest_[id] = std::max(newest, sample.t);
    return r;
  }

  // Time of the newest sample that this round has of a series beside the column; INT64_MIN if none. Looked
  // for only where a slot comes again: few targets have such lines.
  int64_t NewestOfRound(Slot slot, SeriesId id) {
    if (!seen_.Get(slot) || loose_.empty()) return INT64_MIN;
    if (newest_.empty()) {
      for (const LooseSample& one : loose_) {
        int64_t& t = newest_.try_emplace(one.series, INT64_MIN).first->second;
        t = std::max(t, one.sample.t);
      }
    }
    const auto it = newest_.find(id);
    return it == newest_.end() ? INT64_MIN : it->second;
  }

  AppendResult LateResult(const Sample& sample) const {
    if (sample.t == last_t_) return AppendResult::kDuplicate;
    const int64_t window = db_->ooo_window_ms_;
    if (window > 0) return sample.t >= db_->HeadMax() - window ? AppendResult::kOk : AppendResult::kTooOld;
    return sample.t < db_->HeadMax() - kOutOfBoundsMs ? AppendResult::kOutOfBounds
                                                      : AppendResult::kOutOfOrder;
  }

  DbImpl* const db_;
  const std::shared_ptr<Group> group_;
  Round round_;
  Bits seen_;                         // slots that were set in some way
  absl::flat_hash_set<Slot> silent_;  // of those: set, but out of staleness tracking
  std::vector<LooseSample> loose_;
  absl::flat_hash_map<SeriesId, int64_t> newest_;  // see NewestOfRound; empty until it is asked
  std::vector<SeriesExemplar> exemplars_;
  bool late_ = false;
  int64_t last_t_ = INT64_MIN;
  RoundStats stats_;
};

class AppenderImpl : public Appender {
 public:
  explicit AppenderImpl(DbImpl* db) : db_(db) {}

  absl::StatusOr<AppendResult> Append(SeriesRef* ref, const Labels& labels, const Sample& sample) override {
    if (!IsStorableTime(sample.t)) {
      CountResult(db_->metrics_, AppendResult::kOutOfBounds);
      return AppendResult::kOutOfBounds;
    }
    // Ids found under a ticket stay until it is given back.
    if (!ticket_) ticket_.emplace(&db_->series_use_);
    SeriesId id = static_cast<SeriesId>(*ref);
    // Samples of a series mostly come one behind the other. What is newer than one that was taken is taken,
    // too.
    if (id != 0 && id == current_ && sample.t > newest_.t && db_->ooo_window_ms_ <= 0) {
      newest_ = sample;
      samples_.push_back({id, sample});
      return AppendResult::kOk;
    }
    KeepNewest();
    if (id == 0 || !known_.contains(id)) {
      if (labels.empty()) return absl::InvalidArgumentError("empty labelset: invalid sample");
      bool created = false;
      ASSIGN_OR_RETURN(id, db_->GetOrCreateSeries(labels, &created));
      known_.insert(id);
      *ref = id;
    }
    AppendResult r = AppendResult::kOk;
    // Samples of this batch count as appended.
    const auto pending = last_.find(id);
    if (pending != last_.end() && sample.t <= pending->second.t) {
      const Sample& last = pending->second;
      if (sample.t == last.t) {
        if (SameValue(sample, last)) return AppendResult::kOk;
        r = AppendResult::kDuplicate;
      } else if (db_->ooo_window_ms_ <= 0) {
        r = AppendResult::kOutOfOrder;
      } else if (sample.t < std::max(db_->HeadMax(), last.t) - db_->ooo_window_ms_) {
        r = AppendResult::kTooOld;
      }
    } else {
      r = db_->Check(id, sample);
    }
    if (r != AppendResult::kOk) {
      CountResult(db_->metrics_, r);
      return r;
    }
    if (pending == last_.end() || sample.t > pending->second.t) {
      current_ = id;
      newest_ = sample;
    }
    samples_.push_back({id, sample});
    return r;
  }

  void AddExemplar(SeriesRef ref, const Exemplar& exemplar) override {
    exemplars_.push_back({static_cast<SeriesId>(ref), exemplar});
  }

  absl::Status Commit() override {
    RETURN_IF_ERROR(db_->CommitLoose(samples_));
    RETURN_IF_ERROR(db_->CommitExemplars(exemplars_));
    Rollback();
    return absl::OkStatus();
  }

  void Rollback() override {
    samples_.clear();
    exemplars_.clear();
    last_.clear();
    known_.clear();
    current_ = 0;
    ticket_.reset();
  }

 private:
  void KeepNewest() {
    if (current_ != 0) last_[current_] = newest_;
    current_ = 0;
  }

  DbImpl* const db_;
  std::optional<SeriesUse::Ticket> ticket_;  // while the batch names series
  absl::flat_hash_set<SeriesId> known_;      // series looked up in this batch
  std::vector<LooseSample> samples_;
  absl::flat_hash_map<SeriesId, Sample> last_;  // newest sample of each series in this batch, but for:
  SeriesId current_ = 0;                        // the series of the last sample; 0 = none
  Sample newest_;                               // its newest sample
  std::vector<SeriesExemplar> exemplars_;
};

}  // namespace

std::unique_ptr<Appender> DbImpl::NewAppender() { return std::make_unique<AppenderImpl>(this); }

std::shared_ptr<Group> DbImpl::GroupOfKey(const Labels& key) {
  MutexLock create(&create_mutex_);
  MutexLock lock(&groups_mutex_);
  const auto it = groups_by_key_.find(key.encoded());
  if (it != groups_by_key_.end()) return it->second;
  const uint32_t id = next_group_;
  IndexBatch batch;
  batch.puts.emplace_back(GroupKey(id), key.encoded());
  if (has_unsaved_ || !store_->Write(batch, false).ok()) {
    unsaved_.puts.push_back(batch.puts[0]);
    has_unsaved_ = true;
  }
  index_dirty_ = true;
  return FindOrAddGroup(id, key);
}

absl::StatusOr<std::unique_ptr<GroupAppender>> DbImpl::OpenGroup(const Labels& key) {
  const std::shared_ptr<Group> group = GroupOfKey(key);
  MutexLock lock(&group->mutex);
  if (group->in_use)
    return absl::FailedPreconditionError(StrCat("group ", key.ToString(), " is open already"));
  group->in_use = true;
  return std::unique_ptr<GroupAppender>(std::make_unique<GroupAppenderImpl>(this, group));
}

int64_t DbImpl::HeadMax() const {
  const int64_t newest = max_t_, now = options_.clock->NowMs();
  return newest != INT64_MIN && newest > now + kOutOfBoundsMs ? now : newest;
}

// The newest sample of a series that the order checks know; time INT64_MIN if none.
Sample DbImpl::LastOf(SeriesId id) const {
  Sample last;
  last.t = INT64_MIN;
  {
    ReaderMutexLock lock(&loose_mutex_);
    if (const LooseColumn* column = loose_->Find(id); column != nullptr) last = column->last;
  }
  std::vector<std::shared_ptr<Group>> groups;
  {
    ReaderMutexLock lock(&groups_mutex_);
    ForEachGroup(id, [&](uint32_t group) ABSL_SHARED_LOCKS_REQUIRED(groups_mutex_) {
      const auto it = groups_.find(group);
      if (it != groups_.end()) groups.push_back(it->second);
    });
  }
  for (const auto& group : groups) {
    ReaderMutexLock lock(&group->mutex);
    const Slot slot = group->slot_of.Find(id);
    if (slot == SlotIndex::kNone || group->open.rounds.empty() || group->last_t <= last.t) continue;
    const Round& round = group->open.last;
    if (!round.present.Get(slot)) continue;
    last = Sample{};
    last.t = round.t;
    last.v = round.values[slot];
  }
  return last;
}

// Upstream's memSeries.appendable.
AppendResult DbImpl::Check(SeriesId id, const Sample& sample) const {
  const int64_t head_max = HeadMax();
  if (head_max == INT64_MIN) return AppendResult::kOk;
  const int64_t window = ooo_window_ms_;
  const int64_t min_valid = head_max - kOutOfBoundsMs;
  if (sample.t >= min_valid) {
    const Sample last = LastOf(id);
    // A last sample in the future is from before the clock stepped back: it stops nothing.
    if (sample.t > last.t || last.t > head_max) return AppendResult::kOk;
    if (sample.t == last.t) return SameValue(sample, last) ? AppendResult::kOk : AppendResult::kDuplicate;
  }
  if (window > 0) return sample.t >= head_max - window ? AppendResult::kOk : AppendResult::kTooOld;
  return sample.t < min_valid ? AppendResult::kOutOfBounds : AppendResult::kOutOfOrder;
}

void DbImpl::AddToLoose(const std::vector<LooseSample>& samples) {
  int64_t oldest = INT64_MAX, newest = INT64_MIN;
  double histograms = 0, late = 0;
  LooseColumn* column = nullptr;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& s = samples[i].sample;
    if (i == 0 || samples[i].series != samples[i - 1].series) column = loose_->ColumnOf(samples[i].series);
    if (s.t < column->last.t) ++late;
    if (s.h) ++histograms;
    loose_->Add(s, column);
    oldest = std::min(oldest, s.t);
    newest = std::max(newest, s.t);
  }
  NoteTime(newest);
  NoteTime(oldest);
  if (late > 0) metrics_.ooo_appended->Add(late);
  if (histograms > 0) metrics_.histogram_samples->Add(histograms);
  metrics_.float_samples->Add(static_cast<double>(samples.size()) - histograms);
}

absl::Status DbImpl::CommitLoose(const std::vector<LooseSample>& samples) {
  if (samples.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckRoomForSamples());
  WriteIndex();
  {
    ReaderMutexLock commit(&commit_mutex_);
    bool written = false;
    // Samples of series in memory and in the journal have the same order: one lock around both.
    MutexLock lock(&loose_mutex_);
    const uint64_t sequence = AppendJournal(EncodeLooseRecord(samples), &written);
    if (loose_->empty()) loose_->first_sequence = sequence;
    loose_->last_sequence = sequence;
    AddToLoose(samples);
  }
  NoteGrowth(samples.size() * 8);
  return options_.sync_interval_ms == 0 ? SyncAll() : absl::OkStatus();
}

absl::Status DbImpl::CommitRound(Group* group, Round round, const std::vector<LooseSample>& loose) {
  RETURN_IF_ERROR(CheckRoomForSamples());
  WriteIndex();
  const double floats = static_cast<double>(round.present.CountOnes());
  size_t growth = 256 + loose.size() * 8;
  {
    ReaderMutexLock commit(&commit_mutex_);
    MutexLock lock(&group->mutex);
    const int64_t t = round.t;
    if (group->NeedsNewTile(t, options_.window_ms)) {
      group->CloseTile();
      group->broken_chain = false;
    }
    const uint32_t row = static_cast<uint32_t>(group->open.rounds.size());
    std::string bytes;
    PutRound(&bytes, round, row == 0 ? nullptr : &group->open.last);
    bool written = false;
    MutexLock loose_lock(&loose_mutex_);
    const uint64_t sequence = AppendJournal(EncodeRoundRecord(group->id, row, bytes, loose), &written);
    // The journal misses this round: the next one must not build on it.
    if (!written) group->broken_chain = true;
    growth += bytes.size();
    group->AddRound(sequence, std::move(bytes), std::move(round));
    for (const LooseSample& s : loose) {
      if (loose_->empty()) loose_->first_sequence = sequence;
      loose_->last_sequence = sequence;
      loose_->Add(s);
      (s.sample.h ? metrics_.histogram_samples : metrics_.float_samples)->Add();
      NoteTime(s.sample.t);
    }
    NoteTime(t);
    metrics_.float_samples->Add(floats);
  }
  NoteGrowth(growth);
  return options_.sync_interval_ms == 0 ? SyncAll() : absl::OkStatus();
}

}  // namespace narthex::tsdb
