// The writer of a group: round after round.
#include <algorithm>
#include <bit>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"

namespace narthex::tsdb {
namespace {

constexpr int64_t kClockSlackMs = 10'000;

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
    seen_ = Bits();
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
    if (slot >= round_.values.size()) Grow(slot);
    if (IsStale(v)) return SetStale(slot);
    if (round_.present.TestAndSet(slot)) {
      if (std::bit_cast<uint64_t>(round_.values[slot]) != std::bit_cast<uint64_t>(v)) ++stats_.duplicate;
      return AppendResult::kOk;
    }
    ++stats_.added;
    round_.values[slot] = v;
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
      const std::vector<uint64_t>& present = round_.present.words();
      {
        MutexLock lock(&group_->mutex);
        const std::vector<uint64_t>& words = group_->tracked.words();
        for (size_t w = 0; w < words.size(); ++w) {
          const uint64_t seen =
              (w < seen_.words().size() ? seen_.words()[w] : 0) | (w < present.size() ? present[w] : 0);
          for (uint64_t bits = words[w] & ~seen; bits != 0; bits &= bits - 1) {
            round_.stale.push_back(static_cast<uint32_t>(w * 64 + std::countr_zero(bits)));
          }
        }
      }
      std::sort(round_.stale.begin(), round_.stale.end());
      round_.stale.erase(std::unique(round_.stale.begin(), round_.stale.end()), round_.stale.end());
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
      db_->metrics_.Count(r);
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
  Bits seen_;                         // slots that were set in another way than to a value of the round
  absl::flat_hash_set<Slot> silent_;  // of those: set, but out of staleness tracking
  std::vector<LooseSample> loose_;
  absl::flat_hash_map<SeriesId, int64_t> newest_;  // see NewestOfRound; empty until it is asked
  std::vector<SeriesExemplar> exemplars_;
  bool late_ = false;
  int64_t last_t_ = INT64_MIN;
  RoundStats stats_;
};

}  // namespace

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
    if (row > 0) bytes.reserve(group->open.rounds.back()->size() + 64);
    PutRound(&bytes, round, row == 0 ? nullptr : &group->open.last);
    bool written = false;
    MutexLock loose_lock(&loose_mutex_);
    const uint64_t sequence = AppendJournal(EncodeRoundRecord(group->id, row, bytes, loose), &written);
    // The journal misses this round: the next one must not build on it.
    if (!written) group->broken_chain = true;
    growth += bytes.size();
    group->AddRound(sequence, bytes, std::move(round));
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
