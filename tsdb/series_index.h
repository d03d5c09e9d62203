// The index in memory: series ids, label pairs, postings. Filled from the store at open.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/index_rows.h"
#include "tsdb/postings.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

// Thread-safe. A series is a list of label pair ids (about 3 bytes a label); a pair's text is kept once.
class SeriesIndex {
 public:
  SeriesId Find(const Labels& labels) const;  // 0 if unknown
  SeriesId next_id() const;
  void Add(SeriesId id, const Labels& labels);
  void Remove(const std::vector<SeriesId>& ids);
  // At the start, row by row, and FinishLoad() behind the last one, before all else. Of a series that is in
  // several rows (a file with changes was lost) the last one counts.
  void Load(const SeriesRow& row);
  void FinishLoad();
  // These series (ascending), as far as they are known, as a row; it points into the index.
  SeriesRow RowOf(std::span<const SeriesId> ids) const;
  Labels LabelsOf(SeriesId id) const;  // empty if unknown
  std::vector<Labels> LabelsOf(std::span<const SeriesId> ids) const;
  // Only the labels with these names.
  std::vector<Labels> LabelsOf(std::span<const SeriesId> ids, const std::vector<std::string>& names) const;
  // The same, each of them once, in order of first appearance; `of`: which one each series has.
  std::vector<Labels> GroupsOf(std::span<const SeriesId> ids, const std::vector<std::string>& names,
                               std::vector<size_t>* of) const;
  bool Has(SeriesId id) const;
  size_t series_count() const;

  // Ids of the series that match, ascending.
  std::vector<SeriesId> Select(const Matchers& matchers) const;
  std::vector<SeriesId> All() const;
  // By id: the place of each series in the order of their labels. Sorted again only when series came or went.
  static constexpr uint32_t kNoRank = 0xffffffff;
  using Ranks = std::vector<uint32_t>;
  std::shared_ptr<const Ranks> RanksByLabels() const;
  // A label name or value in use. `unsure`: the filter let none of these series pass, and there are no
  // others; empty: one passed.
  struct Candidate {
    std::string text;
    std::vector<SeriesId> unsure;
  };
  using Filter = Postings::Filter;
  // `among` (ascending): the filter is asked for no other series.
  using Among = std::optional<std::span<const SeriesId>>;
  std::vector<Candidate> Names(const Filter& filter, Among among = std::nullopt) const;
  std::vector<Candidate> Values(std::string_view name, const Filter& filter,
                                Among among = std::nullopt) const;
  void FillStatus(size_t limit, Status* status) const;
  uint64_t text_bytes() const;
  // What it holds on the heap; and how much one more series may add at once, because a table is full.
  size_t MemoryBytes() const;
  size_t NextStep() const;

 private:
  static constexpr uint32_t kNone = 0xffffffff;  // in offsets_
  static constexpr size_t kNameBytes =
      32;  // of an entry of the ordered names, nodes being three quarters full
  struct Pair {
    std::string encoded;  // as a piece of Labels' form
    uint32_t value_size = 0;
    uint32_t hash = 0;
    std::string_view value() const { return std::string_view(encoded).substr(encoded.size() - value_size); }
    Postings postings;
  };
  using PairId = uint32_t;
  // Calls f(PairId) for each label of the series, in their order.
  template <typename F>
  void ForEachPair(SeriesId id, F f) const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    if (id >= offsets_.size() || offsets_[id] == kNone) return;
    ByteReader in(std::string_view(arena_).substr(offsets_[id]));
    for (uint64_t n = in.Varint(); n > 0; --n) f(static_cast<PairId>(in.Varint()));
  }
  PairId PairOf(std::string_view encoded) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);  // made if new
  void AppendLabels(SeriesId id, std::string* encoded) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Labels LabelsLocked(SeriesId id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::vector<SeriesId> AllLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Pairs of one label, and how many series they have together.
  struct Pick {
    std::vector<PairId> pairs;
    size_t series = 0;
  };
  // The values of the matcher's label that the matcher accepts (accept) or refuses (!accept).
  Pick WithValue(const Matcher& matcher, bool accept) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::vector<SeriesId> SeriesOf(const Pick& pick) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);  // ascending
  // Keeps those of `ids` (ascending) that have one of the pairs (`in`), or those that have none.
  void KeepPicked(bool in, const Pick& pick, std::vector<SeriesId>* ids) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void SortByLabels(std::vector<SeriesId>* ids) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool LabelsLess(SeriesId a, SeriesId b) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void UpdateSorted() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) ABSL_EXCLUSIVE_LOCKS_REQUIRED(order_mutex_);

  // By pair id: whether it is of one of these labels.
  std::vector<bool> PairsOf(const std::vector<std::string>& names) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Half of a series' hash, made of its pairs' hashes.
  static uint32_t HashWith(uint32_t hash, uint32_t pair) { return (std::rotl(hash, 5) ^ pair) * 0x9e3779b1U; }
  static uint32_t HashOfPair(std::string_view encoded) {
    return static_cast<uint32_t>(std::hash<std::string_view>()(encoded));
  }
  static uint32_t ShortHash(const Labels& labels);
  uint32_t ShortHash(SeriesId id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void ForgetHash(SeriesId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FreePair(PairId pair) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t SizeInArena(SeriesId id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void CompactArena() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex order_mutex_;  // taken before mutex_
  mutable std::vector<SeriesId> sorted_ ABSL_GUARDED_BY(order_mutex_);
  mutable std::shared_ptr<const Ranks> ranks_ ABSL_GUARDED_BY(order_mutex_);
  mutable uint64_t ranked_changes_ ABSL_GUARDED_BY(order_mutex_) = 0;

  mutable Mutex mutex_;
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 1;  // series that came or went
  std::deque<Pair> pairs_ ABSL_GUARDED_BY(mutex_);
  std::vector<const Pair*> by_id_ ABSL_GUARDED_BY(mutex_);  // into pairs_: quicker to find there
  absl::flat_hash_map<std::string_view, PairId> pair_ids_ ABSL_GUARDED_BY(mutex_);  // keys point into pairs_
  // name -> value -> pair, in the order that the API lists them
  absl::btree_map<std::string, absl::btree_map<std::string_view, PairId>> names_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint32_t> offsets_ ABSL_GUARDED_BY(mutex_);                    // by series id, into arena_
  std::string arena_ ABSL_GUARDED_BY(mutex_);                                // count and pair ids as varints
  absl::flat_hash_map<uint32_t, SeriesId> by_hash_ ABSL_GUARDED_BY(mutex_);  // 9 bytes each
  std::vector<PairId> free_pairs_ ABSL_GUARDED_BY(mutex_);
  size_t dead_bytes_ ABSL_GUARDED_BY(mutex_) = 0;                           // of the arena
  std::vector<std::pair<SeriesId, Labels>> again_ ABSL_GUARDED_BY(mutex_);  // while loading: known already
  mutable std::atomic<bool> reused_{false};  // an id was used again since the last sort
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t text_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t pair_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // heap of pairs_' elements and names_
};

}  // namespace narthex::tsdb
