// The writer of batches of loose samples: remote write, OTLP, backfill, late rounds.
#include <algorithm>
#include <bit>
#include <optional>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/db_impl.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kNamesOfASeries = 2;
constexpr ptrdiff_t kMinRun = 16;  // fewer are not worth that one lost record takes others with it

bool SameValue(const Sample& a, const Sample& b) {
  if (a.h && b.h) return a.h->Equals(*b.h);
  return !a.h && !b.h && std::bit_cast<uint64_t>(a.v) == std::bit_cast<uint64_t>(b.v);
}

class AppenderImpl : public Appender {
 public:
  explicit AppenderImpl(DbImpl* db) : db_(db) {}
  ~AppenderImpl() override { Rollback(); }

  void Recall(std::span<const uint64_t> names, std::vector<SeriesRef>* refs) override {
    TakeTicket();
    const uint64_t version = db_->names_.Find(names, refs);
    for (SeriesRef ref : *refs)
      if (ref != 0) db_->series_use_.Touch(static_cast<SeriesId>(ref));
    // Series were removed before they were touched.
    if (db_->names_.version() != version) refs->assign(names.size(), 0);
    for (SeriesRef ref : *refs)
      if (ref != 0) known_.Insert(static_cast<SeriesId>(ref));
  }

  void Remember(uint64_t name, SeriesRef ref) override {
    if (ref != 0) names_.emplace_back(name, static_cast<SeriesId>(ref));
  }

  absl::StatusOr<AppendResult> Append(SeriesRef* ref, const Labels& labels, const Sample& sample) override {
    if (!IsStorableTime(sample.t)) {
      db_->metrics_.Count(AppendResult::kOutOfBounds);
      return AppendResult::kOutOfBounds;
    }
    TakeTicket();
    SeriesId id = static_cast<SeriesId>(*ref);
    if (id == 0 || !known_.Has(id)) {
      if (labels.empty()) return absl::InvalidArgumentError("empty labelset: invalid sample");
      bool created = false;
      ASSIGN_OR_RETURN(id, db_->GetOrCreateSeries(labels, &created, &reserved_));
      known_.Insert(id);
      *ref = id;
    }
    return AppendKnown(id, sample);
  }

  absl::Status AppendFloats(std::span<const FloatSample> floats,
                            std::vector<AppendResult>* results) override {
    results->assign(floats.size(), AppendResult::kOk);
    db_->CheckFloats(floats, &newer_);
    samples_.reserve(samples_.size() + floats.size());
    for (size_t i = 0; i < floats.size(); ++i) {
      const FloatSample& f = floats[i];
      const SeriesId id = static_cast<SeriesId>(f.ref);
      if (!known_.Has(id)) return absl::InvalidArgumentError(StrCat("the batch knows no series ", f.ref));
      const Sample sample{f.t, f.v, nullptr, 0};
      if (newer_[i] && !pending_.Has(id)) {
        Take(id, sample);
        current_ = id;
        current_t_ = f.t;
      } else if (IsStorableTime(f.t)) {
        (*results)[i] = AppendKnown(id, sample);
      } else {
        (*results)[i] = AppendResult::kOutOfBounds;
        db_->metrics_.Count(AppendResult::kOutOfBounds);
      }
    }
    return absl::OkStatus();
  }

  void AddExemplar(SeriesRef ref, const Exemplar& exemplar) override {
    exemplars_.push_back({static_cast<SeriesId>(ref), exemplar});
  }

  absl::Status Commit() override {
    RETURN_IF_ERROR(db_->CommitLoose(samples_));
    RETURN_IF_ERROR(db_->CommitExemplars(exemplars_));
    db_->names_.Add(names_, kNamesOfASeries * db_->index_.series_count() + 1000);
    Rollback();
    return absl::OkStatus();
  }

  void Rollback() override {
    if (reserved_.next != reserved_.end) db_->GiveBack(reserved_);
    reserved_ = IdRange{};
    samples_.clear();
    exemplars_.clear();
    names_.clear();
    last_.clear();
    in_last_ = 0;
    known_.Clear();
    pending_.Clear();
    current_ = 0;
    ticket_.reset();
  }

 private:
  // Ids found under a ticket stay until it is given back.
  void TakeTicket() {
    if (!ticket_) ticket_.emplace(&db_->series_use_);
  }

  AppendResult AppendKnown(SeriesId id, const Sample& sample) {
    // Samples of a series mostly come one behind the other. What is newer than one that was taken is taken,
    // too.
    if (id == current_ && sample.t > current_t_ && db_->ooo_window_ms_ <= 0) {
      current_t_ = sample.t;
      Take(id, sample);
      return AppendResult::kOk;
    }
    current_ = 0;
    AppendResult r = AppendResult::kOk;
    // Samples of this batch count as appended.
    const Sample* pending = Pending(id);
    if (pending != nullptr && sample.t <= pending->t) {
      if (sample.t == pending->t) {
        if (SameValue(sample, *pending)) return AppendResult::kOk;
        r = AppendResult::kDuplicate;
      } else if (db_->ooo_window_ms_ <= 0) {
        r = AppendResult::kOutOfOrder;
      } else if (sample.t < std::max(db_->HeadMax(), pending->t) - db_->ooo_window_ms_) {
        r = AppendResult::kTooOld;
      }
    } else {
      r = db_->Check(id, sample);
    }
    if (r != AppendResult::kOk) {
      db_->metrics_.Count(r);
      return r;
    }
    if (pending == nullptr || sample.t > pending->t) {
      current_ = id;
      current_t_ = sample.t;
    }
    Take(id, sample);
    return r;
  }

  void Take(SeriesId id, const Sample& sample) {
    const bool first = pending_.Insert(id);
    samples_.push_back({id, sample, first && sample.h == nullptr && sample.start_t == 0});
  }

  // The newest sample of the series in this batch; nullptr if it has none. Few batches ask.
  const Sample* Pending(SeriesId id) {
    if (!pending_.Has(id)) return nullptr;
    for (; in_last_ < samples_.size(); ++in_last_) {
      const auto [it, fresh] = last_.try_emplace(samples_[in_last_].series, in_last_);
      if (samples_[in_last_].sample.t > samples_[it->second].sample.t) it->second = in_last_;
    }
    return &samples_[last_.at(id)].sample;
  }

  DbImpl* const db_;
  std::optional<SeriesUse::Ticket> ticket_;  // while the batch names series
  IdSet known_;                              // series looked up in this batch
  IdRange reserved_;                         // for those that are new
  std::vector<LooseSample> samples_;
  IdSet pending_;                               // series that have samples there
  absl::flat_hash_map<SeriesId, size_t> last_;  // the newest of each among the first in_last_
  size_t in_last_ = 0;
  SeriesId current_ = 0;   // the series of the last sample, if that is its newest here; else 0
  int64_t current_t_ = 0;  // its time
  std::vector<bool> newer_;
  std::vector<SeriesExemplar> exemplars_;
  std::vector<std::pair<uint64_t, SeriesId>> names_;
};

}  // namespace

std::unique_ptr<Appender> DbImpl::NewAppender() { return std::make_unique<AppenderImpl>(this); }

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
    if (const LooseColumn* column = loose_->Find(id); column != nullptr) last = column->last();
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
  KnowLastLoose();
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

void DbImpl::CheckFloats(std::span<const FloatSample> floats, std::vector<bool>* newer) const {
  newer->assign(floats.size(), false);
  KnowLastLoose();
  const int64_t head_max = HeadMax();
  const int64_t from = std::max(head_max == INT64_MIN ? INT64_MIN : head_max - kOutOfBoundsMs, kMinTime);
  ReaderMutexLock lock(&groups_mutex_);
  ReaderMutexLock loose_lock(&loose_mutex_);
  for (size_t i = 0; i < floats.size(); ++i) {
    const FloatSample& f = floats[i];
    const SeriesId id = static_cast<SeriesId>(f.ref);
    if (f.t < from || f.t > kMaxTime || (id < group_of_.size() && group_of_[id] != 0)) continue;
    const LooseColumn* column = loose_->Find(id);
    (*newer)[i] = column == nullptr || f.t > column->last_t();
  }
}

std::string DbImpl::ForJournal(const std::vector<LooseSample>& samples, std::vector<RunFloat>* runs) {
  if (std::count_if(samples.begin(), samples.end(), [](const LooseSample& s) { return s.first; }) < kMinRun)
    return EncodeLooseRecord(samples);
  std::vector<LooseSample> others;
  for (const LooseSample& s : samples) {
    if (s.first)
      runs->push_back(loose_->ForJournal(s, *loose_->ColumnOf(s.series)));
    else
      others.push_back(s);
  }
  return EncodeFloatsRecord(loose_->last_sequence + 1, *runs, others);
}

void DbImpl::AddToLoose(const std::vector<LooseSample>& samples, const std::vector<RunFloat>& runs,
                        uint64_t sequence, bool written) {
  if (loose_->empty()) loose_->first_sequence = sequence;
  loose_->last_sequence = sequence;
  int64_t oldest = INT64_MAX, newest = INT64_MIN;
  double histograms = 0, late = 0;
  LooseColumn* column = nullptr;
  auto run = runs.begin();
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& s = samples[i].sample;
    if (i == 0 || samples[i].series != samples[i - 1].series) column = loose_->ColumnOf(samples[i].series);
    if (s.t < column->last_t()) ++late;
    if (s.h) ++histograms;
    loose_->Add(s, column);
    if (samples[i].first && run != runs.end()) {
      if (written) loose_->NoteRecord(sequence, run->link != 0, column);
      ++run;
    }
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
  bool full = false;
  {
    ReaderMutexLock commit(&commit_mutex_);
    bool written = false;
    // Samples of series in memory and in the journal have the same order: one lock around both.
    MutexLock lock(&loose_mutex_);
    std::vector<RunFloat> runs;
    runs.reserve(samples.size());
    const uint64_t sequence = AppendJournal(ForJournal(samples, &runs), &written);
    AddToLoose(samples, runs, sequence, written);
    full = loose_->bytes() > kMaxLooseBytes && !seal_failing_;
  }
  if (full) {
    MutexLock lock(&stop_mutex_);
    loose_full_ = true;
  }
  NoteGrowth(samples.size() * 8);
  return options_.sync_interval_ms == 0 ? SyncAll() : absl::OkStatus();
}

}  // namespace narthex::tsdb
