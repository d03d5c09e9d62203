#include "tests/support/memory_db.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace narthex::testing {
namespace {

using namespace narthex::tsdb;

struct StoredSeries {
  Labels labels;
  std::vector<int64_t> t;
  std::vector<double> v;
  std::vector<int64_t> start_t;
  std::vector<HistogramPoint> h;
  std::vector<int64_t> h_start_t;
  int64_t last_t = INT64_MIN;
};

bool SameBits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Everything the store holds. Thread-safe through its mutex.
struct Data {
  mutable Mutex mutex;
  size_t max_series = SIZE_MAX;
  std::map<Labels, std::shared_ptr<StoredSeries>> series ABSL_GUARDED_BY(mutex);
  std::vector<std::shared_ptr<StoredSeries>> by_ref ABSL_GUARDED_BY(mutex);
  std::vector<std::pair<Labels, Exemplar>> exemplars ABSL_GUARDED_BY(mutex);
  std::map<uint64_t, SeriesRef> names ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::string> state ABSL_GUARDED_BY(mutex);
  std::map<Labels, std::set<Labels>> live_by_group ABSL_GUARDED_BY(mutex);

  std::shared_ptr<StoredSeries> GetOrCreate(const Labels& labels) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::shared_ptr<StoredSeries>& s = series[labels];
    if (!s) {
      s = std::make_shared<StoredSeries>();
      s->labels = labels;
    }
    return s;
  }

  AppendResult Check(const StoredSeries& s, const Sample& sample) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (sample.t < s.last_t) return AppendResult::kOutOfOrder;
    if (sample.t > s.last_t) return AppendResult::kOk;
    bool same = sample.h ? !s.h.empty() && s.h.back().t == sample.t && s.h.back().h->Equals(*sample.h)
                         : !s.t.empty() && s.t.back() == sample.t && SameBits(s.v.back(), sample.v);
    return same ? AppendResult::kOk : AppendResult::kDuplicate;
  }

  void Add(StoredSeries* s, const Sample& sample) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (sample.t == s->last_t) return;
    s->last_t = sample.t;
    if (sample.h) {
      s->h.push_back({sample.t, sample.h});
      s->h_start_t.push_back(sample.start_t);
      return;
    }
    s->t.push_back(sample.t);
    s->v.push_back(sample.v);
    s->start_t.push_back(sample.start_t);
  }
};

class MemoryGroup : public GroupAppender {
 public:
  MemoryGroup(Data* data, Labels key) : data_(data), key_(std::move(key)) {}

  absl::StatusOr<Slot> AddSeries(const Labels& labels) override {
    if (labels_.size() >= data_->max_series && !slots_.contains(labels))
      return absl::ResourceExhaustedError("new series refused");
    auto [it, added] = slots_.try_emplace(labels, static_cast<Slot>(labels_.size()));
    if (added) labels_.push_back(labels);
    return it->second;
  }
  void Begin(int64_t t) override {
    t_ = t;
    round_.clear();
    untracked_.clear();
    exemplars_.clear();
  }
  AppendResult Set(Slot slot, double v) override {
    Sample sample;
    sample.t = t_;
    sample.v = v;
    return SetSample(slot, sample, true);
  }
  AppendResult SetSample(Slot slot, const Sample& sample, bool track_staleness) override {
    MutexLock lock(&data_->mutex);
    auto it = data_->series.find(labels_[slot]);
    if (it != data_->series.end()) {
      AppendResult result = data_->Check(*it->second, sample);
      if (result != AppendResult::kOk) return result;
    }
    if (!round_.try_emplace(slot, sample).second) return AppendResult::kOk;  // the first wins
    if (sample.t != t_ && !track_staleness) untracked_.insert(slot);
    return AppendResult::kOk;
  }
  void AddExemplar(Slot slot, const Exemplar& exemplar) override {
    exemplars_.emplace_back(labels_[slot], exemplar);
  }

  absl::StatusOr<RoundStats> Commit() override {
    MutexLock lock(&data_->mutex);
    RoundStats stats;
    std::set<Labels> live;
    for (const auto& [slot, sample] : round_) {
      stats.new_series += data_->series.count(labels_[slot]) == 0;
      data_->Add(data_->GetOrCreate(labels_[slot]).get(), sample);
      ++stats.added;
      if (!untracked_.contains(slot)) live.insert(labels_[slot]);
    }
    for (const Labels& gone : data_->live_by_group[key_]) {
      if (live.contains(gone)) continue;
      Sample stale;
      stale.t = t_;
      stale.v = StaleNan();
      StoredSeries* s = data_->GetOrCreate(gone).get();
      if (s->last_t < t_) data_->Add(s, stale);
      ++stats.stale;
    }
    data_->live_by_group[key_] = std::move(live);
    for (auto& exemplar : exemplars_) data_->exemplars.push_back(std::move(exemplar));
    exemplars_.clear();
    round_.clear();
    return stats;
  }

 private:
  Data* const data_;
  const Labels key_;
  int64_t t_ = 0;
  std::map<Labels, Slot> slots_;
  std::vector<Labels> labels_;
  std::map<Slot, Sample> round_;
  std::set<Slot> untracked_;
  std::vector<std::pair<Labels, Exemplar>> exemplars_;
};

class MemoryAppender : public Appender {
 public:
  explicit MemoryAppender(Data* data) : data_(data) {}
  absl::StatusOr<AppendResult> Append(SeriesRef* ref, const Labels& labels, const Sample& sample) override {
    MutexLock lock(&data_->mutex);
    if (data_->series.size() >= data_->max_series && !data_->series.contains(labels))
      return absl::ResourceExhaustedError("new series refused");
    std::shared_ptr<StoredSeries> s = data_->GetOrCreate(labels);
    auto it = std::find(data_->by_ref.begin(), data_->by_ref.end(), s);
    if (it == data_->by_ref.end()) it = data_->by_ref.insert(it, s);
    *ref = static_cast<SeriesRef>(it - data_->by_ref.begin()) + 1;
    AppendResult result = data_->Check(*s, sample);
    for (const auto& [other, pending] : pending_) {
      if (other == s && pending.t > sample.t) result = AppendResult::kOutOfOrder;
    }
    if (result == AppendResult::kOk) pending_.emplace_back(s, sample);
    return result;
  }
  void Recall(std::span<const uint64_t> names, std::vector<SeriesRef>* refs) override {
    MutexLock lock(&data_->mutex);
    refs->clear();
    for (uint64_t name : names) refs->push_back(data_->names.contains(name) ? data_->names[name] : 0);
  }
  void Remember(uint64_t name, SeriesRef ref) override {
    MutexLock lock(&data_->mutex);
    data_->names[name] = ref;
  }
  absl::Status AppendFloats(std::span<const FloatSample> floats,
                            std::vector<AppendResult>* results) override {
    results->clear();
    for (const FloatSample& f : floats) {
      Labels labels;
      {
        MutexLock lock(&data_->mutex);
        labels = data_->by_ref[f.ref - 1]->labels;
      }
      SeriesRef ref = f.ref;
      absl::StatusOr<AppendResult> result = Append(&ref, labels, Sample{f.t, f.v, nullptr, 0});
      if (!result.ok()) return result.status();
      results->push_back(*result);
    }
    return absl::OkStatus();
  }
  void AddExemplar(SeriesRef ref, const Exemplar& exemplar) override {
    MutexLock lock(&data_->mutex);
    data_->exemplars.emplace_back(data_->by_ref[ref - 1]->labels, exemplar);
  }
  absl::Status Commit() override {
    MutexLock lock(&data_->mutex);
    for (const auto& [s, sample] : pending_) data_->Add(s.get(), sample);
    pending_.clear();
    return absl::OkStatus();
  }
  void Rollback() override { pending_.clear(); }

 private:
  Data* const data_;
  std::vector<std::pair<std::shared_ptr<StoredSeries>, Sample>> pending_;
};

class MemorySeriesSet : public SeriesSet {
 public:
  MemorySeriesSet(std::vector<StoredSeries> series, int64_t mint, int64_t maxt)
      : series_(std::move(series)), mint_(mint), maxt_(maxt) {}
  size_t size() const override { return series_.size(); }
  const Labels& labels(size_t i) const override { return series_[i].labels; }
  absl::Status ReadBlock(size_t first, size_t count, std::vector<Row>* rows) override {
    rows->assign(count, Row());
    for (size_t i = 0; i < count; ++i) {
      const StoredSeries& s = series_[first + i];
      size_t lo = static_cast<size_t>(std::lower_bound(s.t.begin(), s.t.end(), mint_) - s.t.begin());
      size_t hi = static_cast<size_t>(std::upper_bound(s.t.begin(), s.t.end(), maxt_) - s.t.begin());
      Row& row = (*rows)[i];
      if (lo < hi) {
        row.t = std::span(s.t).subspan(lo, hi - lo);
        row.v = std::span(s.v).subspan(lo, hi - lo);
        bool starts = std::any_of(s.start_t.begin(), s.start_t.end(), [](int64_t t) { return t != 0; });
        if (starts) row.start_t = std::span(s.start_t).subspan(lo, hi - lo);
      }
      auto before = [](const HistogramPoint& p, int64_t t) { return p.t < t; };
      size_t hlo = static_cast<size_t>(std::lower_bound(s.h.begin(), s.h.end(), mint_, before) - s.h.begin());
      size_t hhi =
          static_cast<size_t>(std::lower_bound(s.h.begin(), s.h.end(), maxt_ + 1, before) - s.h.begin());
      if (hlo < hhi) {
        row.h = std::span(s.h).subspan(hlo, hhi - hlo);
        row.h_start_t = std::span(s.h_start_t).subspan(hlo, hhi - hlo);
      }
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<StoredSeries> series_;
  const int64_t mint_, maxt_;
};

class MemoryQuerier : public Querier {
 public:
  explicit MemoryQuerier(const Data* data) : data_(data) {}

  absl::StatusOr<std::unique_ptr<SeriesSet>> Select(const Matchers& matchers, int64_t mint, int64_t maxt,
                                                    const SelectHints& hints) override {
    std::vector<StoredSeries> found;
    MutexLock lock(&data_->mutex);
    for (const auto& [labels, s] : data_->series) {
      if (MatchesAll(matchers, labels)) found.push_back(*s);
    }
    return std::make_unique<MemorySeriesSet>(std::move(found), mint, maxt);
  }
  absl::StatusOr<std::vector<std::string>> LabelNames(const LabelQuery& query) override {
    std::set<std::string> names;
    for (const Labels& labels : Find(query)) {
      for (LabelView label : labels) names.emplace(label.name);
    }
    return Cut<std::string>({names.begin(), names.end()}, query.limit);
  }
  absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view name,
                                                       const LabelQuery& query) override {
    std::set<std::string> values;
    for (const Labels& labels : Find(query)) {
      if (labels.Has(name)) values.emplace(labels.Get(name));
    }
    return Cut<std::string>({values.begin(), values.end()}, query.limit);
  }
  absl::StatusOr<std::vector<Labels>> Series(const LabelQuery& query) override {
    return Cut<Labels>(Find(query), query.limit);
  }

 private:
  template <typename T>
  static std::vector<T> Cut(std::vector<T> all, size_t limit) {
    if (limit > 0 && all.size() > limit + 1) all.resize(limit + 1);
    return all;
  }
  std::vector<Labels> Find(const LabelQuery& query) const {
    std::vector<Labels> out;
    MutexLock lock(&data_->mutex);
    for (const auto& [labels, s] : data_->series) {
      bool match = query.match.empty();
      for (const Matchers& matchers : query.match) match |= MatchesAll(matchers, labels);
      if (match) out.push_back(labels);
    }
    return out;
  }
  const Data* const data_;
};

class MemoryDb : public Db {
 public:
  explicit MemoryDb(size_t max_series) { data_.max_series = max_series; }
  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(int64_t mint, int64_t maxt) const override {
    return std::make_unique<MemoryQuerier>(&data_);
  }
  std::unique_ptr<Appender> NewAppender() override { return std::make_unique<MemoryAppender>(&data_); }
  absl::StatusOr<std::unique_ptr<GroupAppender>> OpenGroup(const Labels& key) override {
    return std::make_unique<MemoryGroup>(&data_, key);
  }
  absl::Status SetMetadata(std::string_view metric, const Metadata& metadata) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<ExemplarSeries>> SelectExemplars(const std::vector<Matchers>& match,
                                                              int64_t mint, int64_t maxt) const override {
    std::map<Labels, ExemplarSeries> found;
    MutexLock lock(&data_.mutex);
    for (const auto& [labels, exemplar] : data_.exemplars) {
      if (exemplar.t < mint || exemplar.t > maxt) continue;
      const auto fits = [&labels = labels](const Matchers& m) { return MatchesAll(m, labels); };
      if (std::none_of(match.begin(), match.end(), fits)) continue;
      found[labels].labels = labels;
      found[labels].exemplars.push_back(exemplar);
    }
    std::vector<ExemplarSeries> out;
    for (auto& [labels, series] : found) out.push_back(std::move(series));
    return out;
  }
  absl::Status PutState(std::string_view key, std::string_view value) override {
    MutexLock lock(&data_.mutex);
    data_.state[std::string(key)] = std::string(value);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ScanState(
      std::string_view prefix) const override {
    std::vector<std::pair<std::string, std::string>> out;
    MutexLock lock(&data_.mutex);
    for (const auto& [key, value] : data_.state) {
      if (key.starts_with(prefix)) out.emplace_back(key, value);
    }
    return out;
  }
  absl::Status DeleteState(std::string_view key) override {
    MutexLock lock(&data_.mutex);
    data_.state.erase(std::string(key));
    return absl::OkStatus();
  }
  absl::Status ChangeState(const std::vector<StateChange>& changes) override {
    MutexLock lock(&data_.mutex);
    for (const StateChange& change : changes) {
      if (change.value) {
        data_.state[change.key] = *change.value;
      } else {
        data_.state.erase(change.key);
      }
    }
    return absl::OkStatus();
  }
  absl::Status DeleteSeries(const Matchers& matchers, int64_t mint, int64_t maxt) override {
    MutexLock lock(&data_.mutex);
    for (auto& [labels, s] : data_.series) {
      if (!MatchesAll(matchers, labels)) continue;
      StoredSeries kept;
      kept.labels = labels;
      kept.last_t = s->last_t;
      for (size_t i = 0; i < s->t.size(); ++i) {
        if (s->t[i] >= mint && s->t[i] <= maxt) continue;
        kept.t.push_back(s->t[i]);
        kept.v.push_back(s->v[i]);
        kept.start_t.push_back(s->start_t[i]);
      }
      for (size_t i = 0; i < s->h.size(); ++i) {
        if (s->h[i].t >= mint && s->h[i].t <= maxt) continue;
        kept.h.push_back(s->h[i]);
        kept.h_start_t.push_back(s->h_start_t[i]);
      }
      *s = std::move(kept);
    }
    return absl::OkStatus();
  }
  absl::Status CleanTombstones() override { return absl::OkStatus(); }
  absl::StatusOr<std::string> Snapshot(const std::string& directory, bool skip_head) override {
    return directory;
  }
  absl::StatusOr<tsdb::Status> GetStatus(size_t limit) const override {
    tsdb::Status status;
    MutexLock lock(&data_.mutex);
    status.head_series = data_.series.size();
    return status;
  }
  absl::Status Maintain(bool force_seal) override { return absl::OkStatus(); }
  absl::Status ApplyRetention(int64_t, int64_t, int64_t) override { return absl::OkStatus(); }

 private:
  mutable Data data_;
};

}  // namespace

std::unique_ptr<tsdb::Db> NewMemoryDb(size_t max_series) { return std::make_unique<MemoryDb>(max_series); }

}  // namespace narthex::testing
