// CONTRACT of tsdb: append and select on one directory. RocksDB is inside and nowhere else.
//
// Writers: a GroupAppender for a scrape target or rule group (all samples of one round share a timestamp), an
// Appender for everything else (remote write, backfill). A commit that returned OK survives kill -9; a power
// cut loses at most Options::sync_interval_ms. Readers: Querier sees every commit that returned before it was
// made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/sample.h"

namespace narthex::tsdb {

class FileHooks;

struct Options {
  std::string path;
  int64_t retention_ms = 15LL * 24 * 3600 * 1000;  // 0 = by size only
  int64_t retention_bytes = 0;                     // 0 = unlimited; counts everything in the directory
  int64_t out_of_order_window_ms = 0;              // storage.tsdb.out_of_order_time_window
  int64_t sync_interval_ms = 5000;                 // 0 = fdatasync on each commit
  int64_t memory_limit_bytes = 0;                  // of what the store holds; 0 = unlimited
  int64_t window_ms = 3600'000;                    // a stripe's time span
  bool background_work = true;                     // tests call Maintain() themselves
  FileHooks* file_hooks = nullptr;                 // tests only: sees every change of a file
  const Clock* clock = nullptr;                    // required
  const Logger* logger = nullptr;                  // required
  MetricsRegistry* metrics = nullptr;              // required
};

using SeriesRef = uint64_t;  // 0 = unknown
using Slot = uint32_t;       // a series' place in its group

struct Exemplar {
  Labels labels;
  double value = 0;
  int64_t t = 0;
  bool has_t = false;
};

struct Metadata {
  std::string type, help, unit;
};

// One sample. Exactly one of a float value and a histogram: a new kind of sample is a new field here.
struct Sample {
  int64_t t = 0;
  double v = 0;
  HistogramPtr h;       // if set, v is ignored
  int64_t start_t = 0;  // start timestamp, 0 = none
};

// Times that can be stored: windows and days around them still fit into 64 bits. 146 million years either
// way.
inline constexpr int64_t kMinTime = -(int64_t{1} << 62), kMaxTime = int64_t{1} << 62;
inline bool IsStorableTime(int64_t t) { return t >= kMinTime && t <= kMaxTime; }

enum class AppendResult { kOk, kOutOfOrder, kDuplicate, kTooOld, kOutOfBounds };

// Rounds of one scrape target (or rule group): every sample without a timestamp of its own is at the round's
// time. A slot that had a value in the previous round and has none in this one gets a stale marker at commit.
// Owner: one target's loop; not thread-safe (different groups are independent).
class GroupAppender {
 public:
  virtual ~GroupAppender() = default;
  // The slot of a series, created if new. Stable until it is released. Labels must include the
  // target's. ResourceExhausted: there is no memory for a new series; known ones go on.
  virtual absl::StatusOr<Slot> AddSeries(const Labels& labels) = 0;
  // Undoes one AddSeries: the caller forgets the slot. A slot that is released as often as it was added may
  // go to another series.
  virtual void Release(Slot slot) {}
  // Starts a round at `t`. A round that was begun and not committed is forgotten.
  virtual void Begin(int64_t t) = 0;
  // The value of a slot in this round. The first wins, as upstream; a later one is dropped. With an
  // explicit timestamp (t != round time) the slot leaves staleness tracking unless track_staleness.
  virtual AppendResult Set(Slot slot, double v) = 0;
  virtual AppendResult SetSample(Slot slot, const Sample& sample, bool track_staleness) = 0;
  virtual void AddExemplar(Slot slot, const Exemplar& exemplar) = 0;
  struct RoundStats {
    int added = 0;
    int new_series = 0;
    int stale = 0;
    int out_of_order = 0;
    int duplicate = 0;
    int out_of_bounds = 0;
  };
  // Writes the round: log record first, then memory. On error nothing of the round is visible (unless the
  // disk is full: then the round stays in memory and OK is returned, see docs/storage-format.md).
  virtual absl::StatusOr<RoundStats> Commit() = 0;
};

// A float of a series that is known already.
struct FloatSample {
  SeriesRef ref = 0;
  int64_t t = 0;
  double v = 0;
};

// A batch of unrelated samples. Not thread-safe; many may exist at once.
class Appender {
 public:
  virtual ~Appender() = default;
  // What a sender calls its series, so that it need not be looked up by its labels each time: a hash of 64
  // bits that differs where labels do, never 0. (*refs)[i] = 0: nobody has remembered that name. Refs are
  // good for this batch.
  virtual void Recall(std::span<const uint64_t> names, std::vector<SeriesRef>* refs) {
    refs->assign(names.size(), 0);
  }
  virtual void Remember(uint64_t name, SeriesRef ref) {}
  // Append() for each, all of series that this batch knows.
  virtual absl::Status AppendFloats(std::span<const FloatSample> floats,
                                    std::vector<AppendResult>* results) = 0;
  // ref: from an earlier call for the same labels, or 0. On success *ref is set. kDuplicate with the same
  // value is kOk, as upstream.
  virtual absl::StatusOr<AppendResult> Append(SeriesRef* ref, const Labels& labels, const Sample& sample) = 0;
  virtual void AddExemplar(SeriesRef ref, const Exemplar& exemplar) = 0;
  virtual absl::Status Commit() = 0;
  virtual void Rollback() = 0;
};

// One series' samples in [mint, maxt], ascending. Rows of one block that come from one group share `t` (the
// same data pointer and size), so that a caller can compute window bounds once. Stale markers are in `v` as
// stale NaN. Valid until the next ReadBlock on the same set.
struct Row {
  std::span<const int64_t> t;
  std::span<const double> v;           // same length as t
  std::span<const HistogramPoint> h;   // histogram samples, apart from the floats
  std::span<const int64_t> start_t;    // empty if no sample of the row has one; else as t
  std::span<const int64_t> h_start_t;  // the same of the histograms; else as h
};

// Series as they are stored, for who decodes them elsewhere (promql/device.h).
struct StoredStripe {
  uint64_t id[2] = {0, 0};  // the same bytes have the same id as long as the process lives
  std::string_view bytes;   // empty: the caller has them
  uint64_t size = 0;
  int64_t max_t = 0;
};
struct StoredPiece {
  static constexpr uint32_t kNoStripe = UINT32_MAX;
  std::span<const int64_t> t;   // equal times mostly have the same data pointer
  std::string_view chunk;       // an NX chunk (docs/storage-format.md) with a value for each time
  std::span<const double> v;    // if there is no chunk: a value for each time, none of them a stale marker
  uint32_t stripe = kNoStripe;  // the one that the chunk is part of: then `chunk` is empty if its bytes are
  uint32_t offset = 0, bytes = 0;  // of the chunk in the stripe
};
struct StoredRow {
  std::vector<StoredPiece> pieces;  // one behind the other; they may reach beyond the range
  bool decoded = false;             // not so simple: `row` has the samples, and there are no pieces
  Row row;
  size_t samples = 0;  // in the range
};
struct StoredBlock {
  std::vector<StoredStripe> stripes;
  std::vector<StoredRow> rows;
};
// Whether the caller has the bytes of a stripe (StoredStripe::id and size): then they need not be read.
using HasStripe = std::function<bool(const uint64_t id[2], uint64_t size)>;

// What a query will look at. Storage may give more of everything.
struct SelectHints {
  int64_t start = 0, end = 0, step = 0, range = 0;  // ms; what the query asks for
  std::string function;  // innermost function or aggregation, "" if none ("series": labels only)
  std::vector<std::string> grouping;
  bool by = false;
  // Of each series only the newest sample (stale markers included) at or before each of these times.
  struct Instants {
    int64_t first = 0, step = 0;
    int count = 0;  // 0: all samples are wanted
  } instants;
  // Only the labels with these names; the order of the series stays that of all their labels.
  std::optional<std::vector<std::string>> labels;
  // Of `labels` only their groups are wanted (SeriesSet::TakeGroups), if storage has them at hand.
  bool grouped = false;
  int readers = 1;  // how many threads may want to read at once: see SeriesSet::NewReader
  // Called during the selection, on its thread, before it waits for something or does a lot. May be empty.
  std::function<void()> on_long;
};
// A selection of more series is a lot, and so is looking through all of them where there are more.
inline constexpr size_t kManySelected = 4096, kManySeries = 50'000;

// The series that a selector found, sorted by labels. Not thread-safe. Keeps its snapshot alive.
class SeriesSet {
 public:
  virtual ~SeriesSet() = default;
  virtual size_t size() const = 0;
  virtual const Labels& labels(size_t i) const = 0;
  // The same for who keeps them: labels(i) is undefined afterwards.
  virtual Labels TakeLabels(size_t i) { return labels(i); }
  // Each set of labels once, in order of first appearance, and which of them a series has. To be called
  // first, after a selection with SelectHints::grouped. False: there are labels only.
  virtual bool TakeGroups(std::vector<Labels>* groups, std::vector<size_t>* of) { return false; }
  // Reads series [first, first+count) into *rows (resized to count; empty rows where nothing is in range).
  virtual absl::Status ReadBlock(size_t first, size_t count, std::vector<Row>* rows) = 0;
  // The same as it is stored, valid until the next call of either. False: there is no other form than rows.
  // `has` may be empty: then all bytes come, and nothing is remembered for the next time.
  virtual absl::StatusOr<bool> ReadStored(size_t first, size_t count, const HasStripe& has,
                                          StoredBlock* block) {
    return false;
  }
  // The same series for another thread, to read rows only (it may have no labels). To be called by the thread
  // that has the set; nullptr: there are no more readers than so.
  virtual std::unique_ptr<SeriesSet> NewReader() { return nullptr; }
};

struct LabelQuery {
  std::vector<Matchers> match;  // any of; empty = everything
  int64_t mint = 0, maxt = 0;
  size_t limit = 0;               // 0 = none; results are cut after limit + 1 so that the caller can tell
  std::function<void()> on_long;  // as of SelectHints
};

// A snapshot for reading. Thread-safe.
class Querier {
 public:
  virtual ~Querier() = default;
  virtual absl::StatusOr<std::unique_ptr<SeriesSet>> Select(const Matchers& matchers, int64_t mint,
                                                            int64_t maxt, const SelectHints& hints) = 0;
  virtual absl::StatusOr<std::vector<std::string>> LabelNames(const LabelQuery& query) = 0;
  virtual absl::StatusOr<std::vector<std::string>> LabelValues(std::string_view name,
                                                               const LabelQuery& query) = 0;
  virtual absl::StatusOr<std::vector<Labels>> Series(const LabelQuery& query) = 0;
};

// Makes queriers; what promql needs of storage. Db is one; tests have others.
class Queryable {
 public:
  virtual ~Queryable() = default;
  virtual absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(int64_t mint, int64_t maxt) const = 0;
};

struct ExemplarSeries {
  Labels labels;
  std::vector<Exemplar> exemplars;
};

// A span of time that is sealed on disk.
struct BlockView {
  int64_t min_t = 0, max_t = 0;  // max_t excluded
  uint64_t series = 0;
};

struct CardinalityStat {
  std::string name;
  uint64_t value = 0;
};
struct Status {
  uint64_t head_series = 0, head_chunks = 0, label_pairs = 0;
  int64_t head_min_t = 0, head_max_t = 0;
  std::vector<CardinalityStat> series_by_metric, values_by_label, memory_by_label, series_by_pair;
};

// Samples of one series, floats apart from histograms; each list ascends without equal times.
struct History {
  std::span<const int64_t> t;
  std::span<const double> v;
  std::span<const int64_t> start_t;  // empty, or as t
  std::span<const HistogramPoint> h;
  std::span<const int64_t> h_start_t;  // empty, or as h
};

// Writes history: samples of any age go straight into sealed stripes, past the journal and the order checks.
// Series of one target (job, instance) that share their times are kept together, as scrapes are; they should
// come in order of their labels. Not thread-safe.
class HistoryWriter {
 public:
  virtual ~HistoryWriter() = default;
  // *ref as in Appender::Append. Memory is bounded: what is too much is written before Commit.
  virtual absl::Status Add(SeriesRef* ref, const Labels& labels, const History& samples) = 0;
  // Everything added is in the store for good, and visible.
  virtual absl::Status Commit() = 0;
};

// A stretch of stored time as `narthex tsdb` lists it: a sealed window, or the head (all that is not sealed).
struct BlockInfo {
  int64_t mint = 0, maxt = 0;  // maxt is not included
  bool head = false;
  uint64_t samples = 0, chunks = 0, series = 0, bytes = 0;  // bytes: before RocksDB compresses
};
// One series in one stripe.
struct ChunkInfo {
  bool histogram = false;
  uint32_t samples = 0, bytes = 0, buckets = 0;
};
struct InspectHooks {
  std::function<void(const std::string&)> problem;                // what does not check; it is left out
  std::function<void(const BlockInfo&, const ChunkInfo&)> chunk;  // every sealed chunk
};

// A named value to be put, or deleted (nullopt).
struct StateChange {
  std::string key;
  std::optional<std::string> value;
};

// The store. Thread-safe. One process at a time has a directory open (Open refuses otherwise, and refuses a
// newer format by name).
class Db : public Queryable {
 public:
  static absl::StatusOr<std::unique_ptr<Db>> Open(Options options);
  ~Db() override = default;  // flushes and closes

  virtual std::unique_ptr<Appender> NewAppender() = 0;
  // key identifies the group across restarts (the target's or rule group's labels); the same key may be
  // opened again after the earlier GroupAppender is gone.
  virtual absl::StatusOr<std::unique_ptr<GroupAppender>> OpenGroup(const Labels& key) = 0;

  virtual absl::Status SetMetadata(std::string_view metric, const Metadata& metadata) = 0;
  virtual absl::StatusOr<std::vector<ExemplarSeries>> SelectExemplars(const std::vector<Matchers>& match,
                                                                      int64_t mint, int64_t maxt) const = 0;
  // `name` says where the samples come from. Whoever writes the same samples again under the same name
  // replaces what it wrote before it was interrupted.
  virtual absl::StatusOr<std::unique_ptr<HistoryWriter>> NewHistoryWriter(std::string_view name) {
    return absl::UnimplementedError("this store takes no history");
  }
  // Small named values that other folders persist (alert state). Durable like a commit.
  virtual absl::Status PutState(std::string_view key, std::string_view value) = 0;
  virtual absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ScanState(
      std::string_view prefix) const = 0;
  virtual absl::Status DeleteState(std::string_view key) = 0;
  // Several at once: all of them or, after an error or a crash, none.
  virtual absl::Status ChangeState(const std::vector<StateChange>& changes) = 0;

  virtual absl::Status DeleteSeries(const Matchers& matchers, int64_t mint, int64_t maxt) = 0;
  virtual absl::Status CleanTombstones() = 0;
  virtual absl::StatusOr<std::string> Snapshot(const std::string& directory, bool skip_head) = 0;
  virtual absl::StatusOr<Status> GetStatus(size_t limit) const = 0;
  // Reads and checks everything that is stored; blocks in order of time, the head last.
  virtual absl::StatusOr<std::vector<BlockInfo>> Inspect(const InspectHooks& hooks) const {
    return absl::UnimplementedError("this store cannot be inspected");
  }
  virtual std::vector<BlockView> Blocks() const { return {}; }  // ascending
  // One round of background work at the clock's time: seals, merges, retention. force_seal empties the head.
  virtual absl::Status Maintain(bool force_seal) = 0;
  virtual absl::Status ApplyRetention(int64_t retention_ms, int64_t retention_bytes,
                                      int64_t out_of_order_window_ms) = 0;
};

}  // namespace narthex::tsdb
