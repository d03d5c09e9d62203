// The engine behind tsdb.h. Parts: recovery.cc (open), appenders.cc, querier.cc, seal.cc, retention.cc,
// admin.cc.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <roaring/roaring.hh>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/lean_work.h"
#include "base/mutex.h"
#include "tsdb/exemplars.h"
#include "tsdb/format/index_rows.h"
#include "tsdb/format/keys.h"
#include "tsdb/group.h"
#include "tsdb/journal.h"
#include "tsdb/loose_store.h"
#include "tsdb/memory.h"
#include "tsdb/read_view.h"
#include "tsdb/rocks_store.h"
#include "tsdb/series_index.h"
#include "tsdb/series_names.h"
#include "tsdb/series_use.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

inline constexpr int64_t kOutOfBoundsMs = 3600'000;  // half of upstream's chunk range

// Ids for the series that a batch may create: what comes together lies together.
struct IdRange {
  SeriesId next = 0, end = 0;
  SeriesId taken = 0;  // all in all
};

struct DbMetrics {
  explicit DbMetrics(MetricsRegistry* r);
  void Count(AppendResult refused) const;
  Counter *float_samples, *histogram_samples, *series_created, *series_removed, *corruptions, *out_of_order,
      *too_old, *out_of_bounds, *duplicates, *ooo_appended, *journal_failures, *seals, *seal_failures,
      *merges, *reloads, *bytes_written, *stripe_corruptions, *time_retentions, *size_retentions, *exemplars,
      *series_refused, *rounds_refused, *early_seals, *damaged, *replayed;
  Gauge *series, *chunks, *min_time, *max_time, *lowest, *blocks, *block_bytes, *symbol_bytes,
      *retention_bytes, *retention_seconds, *wal_bytes, *memory_limit, *replay_seconds;
  struct Part {
    int64_t MemoryUse::*bytes;
    Gauge* gauge;
  };
  std::vector<Part> memory;
  HistogramMetric *fsync, *seal_seconds;
};

// Lock order: maintain_mutex_, layout_mutex_, commit_mutex_, groups_mutex_, Group::mutex, loose_mutex_,
// windows_mutex_; the series index, the journal and the store lock themselves and call nothing.
class DbImpl : public Db {
 public:
  explicit DbImpl(Options options);
  ~DbImpl() override;
  absl::Status Init();

  std::unique_ptr<Appender> NewAppender() override;
  absl::StatusOr<std::unique_ptr<GroupAppender>> OpenGroup(const Labels& key) override;
  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(int64_t mint, int64_t maxt) const override;
  absl::Status SetMetadata(std::string_view metric, const Metadata& metadata) override;
  absl::StatusOr<std::vector<ExemplarSeries>> SelectExemplars(const std::vector<Matchers>& match,
                                                              int64_t mint, int64_t maxt) const override;
  absl::StatusOr<std::unique_ptr<HistoryWriter>> NewHistoryWriter(std::string_view name) override;
  absl::Status PutState(std::string_view key, std::string_view value) override;
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ScanState(
      std::string_view prefix) const override;
  absl::Status DeleteState(std::string_view key) override;
  absl::Status ChangeState(const std::vector<StateChange>& changes) override;
  absl::Status DeleteSeries(const Matchers& matchers, int64_t mint, int64_t maxt) override;
  absl::Status CleanTombstones() override;
  absl::StatusOr<std::string> Snapshot(const std::string& directory, bool skip_head) override;
  absl::StatusOr<Status> GetStatus(size_t limit) const override;
  absl::StatusOr<std::vector<BlockInfo>> Inspect(const InspectHooks& hooks) const override;
  std::vector<BlockView> Blocks() const override;
  absl::Status Maintain(bool force_seal) override;
  absl::Status ApplyRetention(int64_t retention_ms, int64_t retention_bytes,
                              int64_t out_of_order_window_ms) override;

  // For the appenders and the querier.
  // The caller holds a ticket of series_use_.
  absl::StatusOr<SeriesId> GetOrCreateSeries(const Labels& labels, bool* created,
                                             IdRange* reserved = nullptr);
  void GiveBack(const IdRange& reserved);
  SeriesId FindSeries(const Labels& labels) const;  // 0 if there is none
  AppendResult Check(SeriesId id, const Sample& sample) const;
  // Whether each is newer than all that its series has, and is taken for that; the others have to be checked.
  void CheckFloats(std::span<const FloatSample> floats, std::vector<bool>* newer) const;
  Sample LastOf(SeriesId id) const;
  // The newest sample's time; now, if that is far in the future (the clock stepped).
  int64_t HeadMax() const;
  // Writes a loose batch: journal, then memory.
  absl::Status CommitLoose(const std::vector<LooseSample>& samples);
  absl::Status CommitExemplars(const std::vector<SeriesExemplar>& exemplars);
  absl::Status CommitRound(Group* group, Round round, const std::vector<LooseSample>& loose);
  // For RangeFilter: the series of the sealed windows in [mint, maxt], the oldest first.
  std::vector<std::shared_ptr<const Roaring>> WindowSeries(int64_t mint, int64_t maxt) const;
  // Keeps the series that may have samples in memory in [mint, maxt]; *groups remembers which groups have.
  void KeepInHead(int64_t mint, int64_t maxt, absl::flat_hash_map<uint32_t, bool>* groups,
                  std::vector<SeriesId>* ids) const;
  // For the history writer. Stripes and the series that they bring to their windows, durably and at once.
  absl::Status IngestHistory(const std::map<std::string, std::string>& stripes,
                             const std::map<int64_t, Roaring>& members, int64_t mint, int64_t maxt);
  // Queries look for the series in the group's stripes from now on.
  absl::Status NoteHistory(uint32_t group, const std::vector<SeriesId>& series, uint64_t generation);
  // The group of a key, made if new.
  std::shared_ptr<Group> GroupOfKey(const Labels& key);
  // A journal sequence of its own for the runs that a writer makes: no seal ever has the same keys. The same
  // for the same name and number.
  absl::StatusOr<uint64_t> HistoryGeneration(const std::string& name, size_t number);
  std::shared_ptr<const Tombstones> tombstones() const;
  std::vector<std::shared_ptr<Group>> AllGroups() const;
  // What a query of these series reads from now on.
  std::unique_ptr<ReadView> Pin(std::span<const SeriesId> ids, int64_t mint, int64_t maxt,
                                const SelectHints& hints = {}) const;
  // The loose samples in memory of series `i` of the view: true with times and values if they are floats in
  // order (those in range are among them), else false with all of them appended to *out.
  bool ReadLooseHead(const ReadView& view, size_t i, SeriesId id, std::vector<int64_t>* times,
                     std::vector<double>* values, std::vector<Sample>* out) const;
  std::shared_ptr<Group> LookupGroup(uint32_t id) const;
  // The memory account; measures when much was added. The caller holds no locks.
  void NoteGrowth(size_t bytes);

  Options options_;
  DbMetrics metrics_;
  std::unique_ptr<RocksStore> store_;
  std::unique_ptr<Journal> journal_;
  SeriesIndex index_;
  mutable SeriesUse series_use_;
  SeriesNames names_;
  ExemplarRing exemplars_;
  std::atomic<int64_t> max_t_{INT64_MIN}, min_t_{INT64_MAX};
  std::atomic<int64_t> ooo_window_ms_;

 private:
  absl::Status TakeLock();
  absl::Status CheckFormat();
  // index_store.cc
  absl::Status LoadIndex();
  absl::Status LoadSeries();
  absl::Status LoadGroups();
  absl::Status LoadSlots();
  void PutSeriesRow(std::vector<SeriesId> ids, IndexBatch* batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_mutex_);
  void PutSlotRows(Group* group, const std::vector<SlotRun>& runs, IndexBatch* batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(group->mutex);
  absl::Status RewriteSlots(Group* group, const std::vector<SeriesId>& slots, IndexBatch* batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_mutex_, group->mutex);
  absl::Status RewriteSeries(bool join, IndexBatch* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_mutex_);
  absl::Status JoinRows() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status LoadManifest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status OpenJournal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  void CollectFree();
  void KnowLastLoose() const;  // loads them the first time
  void LoadLastLoose() const;
  bool KnowsSeries(SeriesId id, uint64_t* bad);
  void ReplayRecord(uint64_t sequence, std::string_view payload, struct Record* record, uint64_t* bad)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  void ReplayRound(uint64_t sequence, const struct Record& record, uint64_t* bad);
  std::shared_ptr<Group> FindOrAddGroup(uint32_t id, const Labels& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(groups_mutex_);
  void NoteTime(int64_t t);
  std::string ForJournal(const std::vector<LooseSample>& samples, std::vector<RunFloat>* runs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(loose_mutex_);
  void AddToLoose(const std::vector<LooseSample>& samples, const std::vector<RunFloat>& runs,
                  uint64_t sequence, bool written) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loose_mutex_);
  void ReplayLoose(uint64_t sequence, const struct Record& record, uint64_t* bad)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(loose_mutex_);
  uint64_t AppendJournal(std::string_view payload, bool* written);
  void Background();
  absl::Status SyncAll();
  absl::Status RetryUnsaved();

  struct PinnedGroup;
  using PinnedGroups = absl::flat_hash_map<uint32_t, PinnedGroup>;
  PinnedGroups PinPlaces(std::span<const SeriesId> ids, ReadView* view) const
      ABSL_SHARED_LOCKS_REQUIRED(layout_mutex_);
  void PinHead(std::span<const SeriesId> ids, const SelectHints& hints, ReadView* view) const
      ABSL_SHARED_LOCKS_REQUIRED(layout_mutex_);
  void PinCursors(size_t series, const SelectHints& hints, ReadView* view) const
      ABSL_SHARED_LOCKS_REQUIRED(layout_mutex_);
  void PinNewest(std::span<const SeriesId> ids, const PinnedGroups& groups, class NewestSamples* newest,
                 const ReadView* view) const ABSL_SHARED_LOCKS_REQUIRED(layout_mutex_)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  int64_t DayMs() const { return 24 * options_.window_ms; }
  // Calls f(group) for each group that has or had rounds of the series.
  template <typename F>
  void ForEachGroup(SeriesId id, F f) const ABSL_SHARED_LOCKS_REQUIRED(groups_mutex_) {
    if (id >= group_of_.size() || group_of_[id] == 0) return;
    f(group_of_[id]);
    const auto more = more_groups_.find(id);
    if (more == more_groups_.end()) return;
    for (uint32_t group : more->second) f(group);
  }

  // seal.cc
  struct SealPlan;
  absl::Status Seal(bool force) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  void SealForStop();
  absl::Status RunSeal(SealPlan* plan, LeanWork* lean) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status FailSeal(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  // memory.cc
  MemoryUse MeasureMemory() const;
  size_t CacheBytes() const;  // without RocksDB's
  void Measure(bool may_flush);
  absl::Status CheckRoomForSeries(const Labels& labels);
  absl::Status CheckRoomForSamples();
  absl::Status SealForRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  void PlanGroup(const std::shared_ptr<Group>& group, bool force, SealPlan* plan);
  absl::Status PlanLoose(bool force, SealPlan* plan, LeanWork* lean);
  absl::Status IngestHours(const std::map<std::string, std::string>& stripes);
  absl::Status NoteSeal(const SealPlan& plan);
  void MoveSealed(const SealPlan& plan);
  // The first journal record that is not in the store; no commit is between journal and memory meanwhile.
  uint64_t FirstNeeded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  void FreeJournal();
  // Before a snapshot with the head; not often, as each makes a file.
  void SealForSnapshot() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  // exemplar_store.cc
  absl::Status SaveExemplars() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status LoadExemplars() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  // merge.cc
  absl::Status MergeDueDay() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status MergeDay(int64_t day) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status NoteMerge(int64_t day, uint32_t generation, const std::map<int64_t, Roaring>& members);
  absl::Status ForgetTombstones(const Tombstones& done);
  absl::Status LoadLayout();
  // removal.cc
  absl::Status RemoveDead(bool force) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status FreeSlots(Group* group);
  absl::Status RemoveGroups();
  absl::Status RemoveSeries();
  Roaring LiveSeries() const;
  // retention.cc
  absl::Status Retain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::StatusOr<bool> DropWindows(int64_t before) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  int64_t OldestToDrop(int64_t over) const;
  uint64_t DirectoryBytes() const;
  void UpdateGauges();
  int64_t SaneNow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);

  int lock_fd_ = -1;
  Mutex maintain_mutex_;
  int64_t sane_now_ ABSL_GUARDED_BY(maintain_mutex_) = INT64_MIN;
  int64_t sane_mono_ns_ ABSL_GUARDED_BY(maintain_mutex_) = 0;
  std::map<int64_t, int64_t> merge_retry_ms_
      ABSL_GUARDED_BY(maintain_mutex_);  // days that failed: when again
  std::deque<std::pair<uint64_t, size_t>> saved_exemplars_
      ABSL_GUARDED_BY(maintain_mutex_);                             // rows and sizes
  uint64_t exemplars_sealed_ ABSL_GUARDED_BY(maintain_mutex_) = 0;  // records up to here are in the index
  int64_t removal_mono_ms_ ABSL_GUARDED_BY(maintain_mutex_) = INT64_MIN;
  uint64_t snapshots_ ABSL_GUARDED_BY(maintain_mutex_) = 0;
  int64_t snapshot_seal_ms_ ABSL_GUARDED_BY(maintain_mutex_) = INT64_MIN;  // monotonic

  // Taken alone when samples change their place (seal, merge, removal), shared while a query pins them.
  mutable Mutex layout_mutex_;
  uint64_t layout_version_ ABSL_GUARDED_BY(layout_mutex_) = 0;
  mutable RunCache run_cache_;
  mutable Mutex commit_mutex_;  // commits share it; a seal takes it alone for a moment
  mutable Mutex groups_mutex_;
  std::map<uint32_t, std::shared_ptr<Group>> groups_ ABSL_GUARDED_BY(groups_mutex_);
  absl::flat_hash_map<std::string, std::shared_ptr<Group>> groups_by_key_ ABSL_GUARDED_BY(groups_mutex_);
  uint32_t next_group_ ABSL_GUARDED_BY(groups_mutex_) = 1;
  // The group of a series; a series in several groups has the others in more_groups_.
  std::vector<uint32_t> group_of_ ABSL_GUARDED_BY(groups_mutex_);
  absl::flat_hash_map<SeriesId, std::vector<uint32_t>> more_groups_ ABSL_GUARDED_BY(groups_mutex_);
  void NoteMembership(SeriesId id, uint32_t group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(groups_mutex_);

  mutable Mutex create_mutex_;  // one series is created at a time
  SeriesId next_series_ ABSL_GUARDED_BY(create_mutex_) = 1;
  absl::StatusOr<SeriesId> NewId(IdRange* reserved) ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_mutex_);
  // New rows of the index, written together before the first journal record that may name them.
  std::vector<SeriesId> new_series_ ABSL_GUARDED_BY(create_mutex_);
  struct NewSlot {
    Group* group;
    Slot slot;
    SeriesId series;
  };
  std::vector<NewSlot> new_slots_ ABSL_GUARDED_BY(create_mutex_);
  uint64_t next_row_ ABSL_GUARDED_BY(create_mutex_) = 0;   // of series
  size_t series_rows_ ABSL_GUARDED_BY(create_mutex_) = 0;  // of both kinds
  bool old_rows_ ABSL_GUARDED_BY(create_mutex_) = false;   // there are some of before format 4
  IndexBatch unsaved_ ABSL_GUARDED_BY(create_mutex_);      // index writes that failed (disk full)
  // While opening: what the index has, and what only the journal names.
  Bits known_ids_;
  std::set<SeriesId> lost_ids_;
  std::atomic<bool> has_unwritten_{false}, has_unsaved_{false};
  void WriteSoon() ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_mutex_);
  void WriteIndexLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_mutex_);
  void WriteIndex();  // takes create_mutex_, if there is anything to write
  std::atomic<bool> index_dirty_{false};
  std::atomic<bool> journal_failing_{false};

  mutable Mutex loose_mutex_;
  std::shared_ptr<LooseStore> loose_ ABSL_GUARDED_BY(loose_mutex_);
  std::vector<std::shared_ptr<const LooseStore>> frozen_ ABSL_GUARDED_BY(loose_mutex_);
  uint64_t loose_sealed_ ABSL_GUARDED_BY(loose_mutex_) = 0;
  int64_t loose_window_ ABSL_GUARDED_BY(loose_mutex_) = INT64_MIN;
  mutable Mutex last_loose_mutex_;  // taken before all others
  mutable std::atomic<bool> last_loose_known_{false};

  mutable Mutex windows_mutex_;
  std::map<int64_t, std::shared_ptr<const Roaring>> windows_ ABSL_GUARDED_BY(windows_mutex_);
  std::set<int64_t> hourly_ ABSL_GUARDED_BY(windows_mutex_);  // windows with stripes as they were sealed
  std::map<int64_t, uint32_t> days_ ABSL_GUARDED_BY(windows_mutex_);  // merged days: generation of the merge
  std::shared_ptr<const Tombstones> tombstones_ ABSL_GUARDED_BY(windows_mutex_);

  MemoryAccount memory_;
  std::atomic<bool> measuring_{false};
  std::atomic<bool> refusing_{false};      // said in the log already
  std::atomic<bool> seal_failing_{false};  // nothing leaves memory

  Mutex stop_mutex_;
  bool stop_ ABSL_GUARDED_BY(stop_mutex_) = false;
  // What wakes the background thread.
  bool short_of_memory_ ABSL_GUARDED_BY(stop_mutex_) = false, loose_full_
                                                              ABSL_GUARDED_BY(stop_mutex_) = false;
  std::thread thread_;

  // For queries; both know the layout.
  mutable StripeCache stripe_cache_;
  mutable StripeDirectories directories_;
  mutable CursorPool cursors_;

 public:
  // The series' slot in the group, a new one if it has none.
  Slot AddSlot(Group* group, SeriesId id);
  // Something of the index, not of the journal or of the stripes, does not check and is left out.
  void NoteDamage(const std::string& what) const;
  void NoteCorruptStripe(int64_t window, uint32_t group, uint32_t stripe) const;
};

}  // namespace narthex::tsdb
