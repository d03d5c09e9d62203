// The engine behind tsdb.h. Parts: recovery.cc (open), appenders.cc, querier.cc, seal.cc, retention.cc,
// admin.cc.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <roaring/roaring.hh>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/mutex.h"
#include "tsdb/exemplars.h"
#include "tsdb/format/keys.h"
#include "tsdb/group.h"
#include "tsdb/journal.h"
#include "tsdb/loose_store.h"
#include "tsdb/rocks_store.h"
#include "tsdb/series_index.h"
#include "tsdb/stripe_directory.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

inline constexpr int64_t kOutOfBoundsMs = 3600'000;  // half of upstream's chunk range

struct DbMetrics {
  explicit DbMetrics(MetricsRegistry* r);
  Counter *float_samples, *histogram_samples, *series_created, *series_removed, *corruptions, *out_of_order,
      *too_old, *out_of_bounds, *duplicates, *ooo_appended, *journal_failures, *seals, *seal_failures,
      *reloads, *bytes_written, *stripe_corruptions, *time_retentions, *size_retentions, *exemplars;
  Gauge *series, *chunks, *min_time, *max_time, *lowest, *blocks, *block_bytes, *symbol_bytes,
      *retention_bytes, *retention_seconds, *wal_bytes;
  HistogramMetric *fsync, *seal_seconds;
};

using Interval = std::pair<int64_t, int64_t>;  // both ends included
using Tombstones = absl::flat_hash_map<SeriesId, std::vector<Interval>>;

// Lock order: maintain_mutex_, commit_mutex_, groups_mutex_, Group::mutex, loose_mutex_, windows_mutex_; the
// series index, the journal and the store lock themselves and call nothing.
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
  absl::Status PutState(std::string_view key, std::string_view value) override;
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ScanState(
      std::string_view prefix) const override;
  absl::Status DeleteState(std::string_view key) override;
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
  absl::StatusOr<SeriesId> GetOrCreateSeries(const Labels& labels, bool* created);
  AppendResult Check(SeriesId id, const Sample& sample) const;
  // Writes a loose batch: journal, then memory.
  absl::Status CommitLoose(const std::vector<LooseSample>& samples);
  absl::Status CommitRound(Group* group, Round round, const std::vector<LooseSample>& loose);
  // For RangeFilter: the series of the sealed windows in [mint, maxt], the oldest first.
  std::vector<std::shared_ptr<const Roaring>> WindowSeries(int64_t mint, int64_t maxt) const;
  // Keeps the series that may have samples in memory in [mint, maxt]; *groups remembers which groups have.
  void KeepInHead(int64_t mint, int64_t maxt, absl::flat_hash_map<uint32_t, bool>* groups,
                  std::vector<SeriesId>* ids) const;
  std::shared_ptr<const Tombstones> tombstones() const;
  std::vector<std::shared_ptr<Group>> GroupsOf(SeriesId id) const;
  std::vector<std::shared_ptr<Group>> AllGroups() const;
  std::vector<std::shared_ptr<const LooseStore>> FrozenLoose() const;
  // The loose samples in memory of a series: true with times and values if they are floats in order (those in
  // range are among them), else false with all of them appended to *out.
  bool ReadLooseHead(SeriesId id, int64_t mint, int64_t maxt, std::vector<int64_t>* times,
                     std::vector<double>* values, std::vector<Sample>* out) const;
  std::vector<int64_t> WindowsIn(int64_t mint, int64_t maxt) const;
  std::shared_ptr<Group> LookupGroup(uint32_t id) const;

  Options options_;
  DbMetrics metrics_;
  std::unique_ptr<RocksStore> store_;
  std::unique_ptr<StripeDirectory> directory_;  // after store_, which it reads
  std::unique_ptr<Journal> journal_;
  SeriesIndex index_;
  ExemplarRing exemplars_;
  std::atomic<uint64_t> seal_epoch_{0};  // counts changes of the sealed stripes
  std::atomic<int64_t> max_t_{INT64_MIN}, min_t_{INT64_MAX};
  std::atomic<int64_t> ooo_window_ms_;

 private:
  absl::Status TakeLock();
  absl::Status CheckFormat();
  absl::Status LoadIndex();
  absl::Status LoadManifest();
  absl::Status AddMissingLeaders();
  absl::Status OpenJournal();
  void ReplayRecord(uint64_t sequence, std::string_view payload, uint64_t* bad);
  void ReplayRound(uint64_t sequence, const struct Record& record, uint64_t* bad);
  std::shared_ptr<Group> FindOrAddGroup(uint32_t id, const Labels& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(groups_mutex_);
  void NoteTime(int64_t t);
  uint64_t AppendJournal(std::string_view payload, bool* written);
  void Background();
  absl::Status SyncAll();
  absl::Status RetryUnsaved();

  // seal.cc
  struct SealPlan;
  absl::Status Seal(bool force) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  void PlanGroup(const std::shared_ptr<Group>& group, bool force, SealPlan* plan);
  void PlanLoose(bool force, SealPlan* plan);
  absl::Status NoteSeal(const SealPlan& plan);
  void FreeJournal();
  // retention.cc
  absl::Status Retain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status DropWindows(int64_t before) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  uint64_t DirectoryBytes() const;
  void UpdateGauges();
  int64_t SaneNow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);
  absl::Status RewriteStripes(const Tombstones& dead) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintain_mutex_);

  int lock_fd_ = -1;
  Mutex maintain_mutex_;
  int64_t sane_now_ ABSL_GUARDED_BY(maintain_mutex_) = INT64_MIN;
  int64_t sane_mono_ns_ ABSL_GUARDED_BY(maintain_mutex_) = 0;
  uint64_t snapshots_ ABSL_GUARDED_BY(maintain_mutex_) = 0;

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
  IndexBatch unsaved_ ABSL_GUARDED_BY(create_mutex_);  // index writes that failed (disk full)
  std::atomic<bool> has_unsaved_{false};
  std::atomic<bool> index_dirty_{false};
  std::atomic<bool> journal_failing_{false};

  mutable Mutex loose_mutex_;
  std::shared_ptr<LooseStore> loose_ ABSL_GUARDED_BY(loose_mutex_);
  std::vector<std::shared_ptr<const LooseStore>> frozen_ ABSL_GUARDED_BY(loose_mutex_);
  uint64_t loose_sealed_ ABSL_GUARDED_BY(loose_mutex_) = 0;
  int64_t loose_window_ ABSL_GUARDED_BY(loose_mutex_) = INT64_MIN;

  mutable Mutex windows_mutex_;
  std::map<int64_t, std::shared_ptr<const Roaring>> windows_ ABSL_GUARDED_BY(windows_mutex_);
  std::shared_ptr<const Tombstones> tombstones_ ABSL_GUARDED_BY(windows_mutex_);

  Mutex stop_mutex_;
  bool stop_ ABSL_GUARDED_BY(stop_mutex_) = false;
  std::thread thread_;

 public:
  absl::Status SaveSlot(Group* group, SeriesId id, Slot slot);
  void NoteMember(SeriesId id, uint32_t group);
};

}  // namespace narthex::tsdb
