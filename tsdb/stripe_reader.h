// Entries of the sealed stripes of a view.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <roaring/roaring.hh>

#include "absl/container/flat_hash_map.h"
#include "tsdb/format/keys.h"
#include "tsdb/format/stripe.h"
#include "tsdb/read_view.h"
#include "tsdb/series_index.h"
#include "tsdb/stripe_cache.h"
#include "tsdb/stripe_directory.h"
#include "tsdb/time_columns.h"
#include "tsdb/tsdb.h"

namespace narthex::tsdb {

// Owned by one selection or merge; not thread-safe. Keeps the stripes it read last, because the next block of
// series goes on in them.
class StripeReader {
 public:
  // Told of every stripe that does not check; it is left out.
  using Corrupt = std::function<void(int64_t window, uint32_t group, uint32_t stripe)>;
  // `ranks`: the order of labels that the series asked for come in. `readers`: how many share the room for
  // stripes.
  StripeReader(ReadView* view, std::shared_ptr<const SeriesIndex::Ranks> ranks, Corrupt corrupt,
               size_t readers = 1)
      : view_(view),
        ranks_(std::move(ranks)),
        corrupt_(std::move(corrupt)),
        max_kept_bytes_(kMaxKeptBytes / readers) {}

  // Where an entry comes from. Of two samples of one series at one time, that of the later run counts.
  struct Source {
    int64_t window = 0;
    size_t run = 0;
    std::string_view stripe;  // the bytes that the entry is part of
    uint64_t id = 0;          // of the stripe
    bool stays = false;       // the bytes are valid until NextBlock, else during the call only
    // If the stripe was not read: what is known of it, and of the entry. Then there are no bytes.
    const StripeDirectory* listed = nullptr;
    const StripeDirectory::Entry* listed_entry = nullptr;
  };
  // `i` is the place of the entry's series in `ids`.
  using Visitor =
      std::function<void(size_t i, const Source& source, const Times& times, std::string_view entry)>;
  // Only series with these ranks will be asked for. Call it first.
  void Within(uint32_t first_rank, uint32_t last_rank) {
    first_rank_ = first_rank;
    last_rank_ = last_rank;
  }
  // Visits the entries of the series (sorted by rank) in a group, those that count less first.
  void Read(uint32_t group, std::span<const SeriesId> ids, const Visitor& visit);
  // All series of the group's stripes, sorted by rank.
  std::vector<SeriesId> SeriesOf(uint32_t group);
  // Nobody needs the bytes visited so far any more.
  void NextBlock();
  // The same, and the series that follow come behind those so far: stripes that the block had no use for are
  // let go of.
  void NextBlockOnward();
  TimeColumns* columns() { return &columns_; }
  // Stripes for all of whose windows `has` says yes are not read if their directories are known, and those
  // that are read become known. nullptr: all are read.
  void UseDirectories(const HasStripe* has) { has_ = has; }

 private:
  static constexpr size_t kMaxKeptBytes = 8 << 20;
  static constexpr size_t kMaxListed = 4096;  // stripes that are kept by their directories
  struct Stripe {                             // parsed; of one window
    int64_t window = 0;
    uint64_t id = 0;
    std::shared_ptr<const ParsedStripe> parsed;
    StripeDirectoryPtr listed;   // instead of the parsed one
    std::vector<Times> columns;  // as it has them, shared with other stripes
  };
  // A stripe of a seal, or of a merged day with all its windows in range.
  struct Loaded {
    std::string key;
    std::vector<Stripe> windows;
    size_t bytes = 0;
    bool listed = false;     // its windows are known by their directories
    uint64_t stays_for = 0;  // the block for which it may not be evicted
    uint64_t used_for = 0;   // the last block that it was asked for
  };
  // Stripes [begin, end) of a run, and the rank of the first series that can be in them.
  struct Part {
    uint32_t rank = 0;
    uint32_t begin = 0, end = 0;
  };
  struct Run {
    bool merged = false;
    int64_t start = 0;   // window or day
    std::string prefix;  // of its keys
    std::vector<Part> parts;
    bool cached = false;  // told by the cache: a seal that the view does not see yet may be among it
  };
  using Directory = std::vector<std::vector<SeriesId>>;

  const std::vector<Run>& RunsOf(uint32_t group);
  // The runs of a window or day: from the cache, or from their directories.
  void FindRuns(const RunCache::Key& key, std::vector<Run>* runs);
  bool FindCached(const RunCache::Key& key, std::vector<Run>* runs) const;
  void FindDay(uint32_t group, int64_t day, uint32_t generation, CachedRuns* found, std::vector<Run>* runs);
  void FindHours(uint32_t group, int64_t window, CachedRuns* found, std::vector<Run>* runs);
  // The run's directory; made up from its stripes if it has none that checks.
  Directory ReadDirectory(Cursor* cursor, const Run& run, uint32_t group);
  void AddRun(const Directory& directory, Run run, CachedRuns* found, std::vector<Run>* runs);
  // The parts of a run that the cache knows; false if the directory has to be asked.
  bool AddParts(const std::vector<SeriesId>& leaders, std::vector<Part>* parts) const;
  uint32_t RankOf(SeriesId id) const { return id < ranks_->size() ? (*ranks_)[id] : SeriesIndex::kNoRank; }
  void ReadRun(const Run& run, size_t number, uint32_t group, std::span<const SeriesId> ids,
               const Visitor& visit);
  void VisitStripe(const Stripe& stripe, const Source& source, std::span<const SeriesId> ids, size_t offset,
                   const Visitor& visit);
  // Calls f(i, entry) for those of the entries that are asked for.
  template <typename Entries, typename F>
  void MatchEntries(const Entries& entries, std::span<const SeriesId> ids, F f) const;
  const Loaded& Load(const Run& run, uint32_t group, uint32_t stripe);
  // Keeps it for this block, if there is room.
  void LetStay(Loaded* loaded);
  void Evict();
  void LoadHour(const Run& run, uint32_t group, uint32_t stripe, Loaded* out);
  void LoadDay(const Run& run, uint32_t group, uint32_t stripe, Loaded* out);
  // The windows of the run's stripes that are wanted.
  std::pair<int64_t, int64_t> WindowsOf(const Run& run) const;
  bool LoadListed(const Run& run, Loaded* out);
  void NoteDirectories(const Run& run, const Loaded& loaded);
  bool Has(uint64_t id, const StripeDirectory& directory) const;
  uint64_t IdOf(const Loaded& loaded, int64_t window) const;
  // nullptr if it does not check.
  std::shared_ptr<const ParsedStripe> Parse(int64_t window, uint32_t group, uint32_t stripe,
                                            std::string_view bytes);
  void Add(int64_t window, std::shared_ptr<const ParsedStripe> parsed, Loaded* out);

  ReadView* const view_;
  const std::shared_ptr<const SeriesIndex::Ranks> ranks_;
  const Corrupt corrupt_;
  const size_t max_kept_bytes_;
  uint32_t first_rank_ = 0, last_rank_ = SeriesIndex::kNoRank - 1;
  absl::flat_hash_map<uint32_t, std::vector<Run>> runs_;
  absl::flat_hash_map<uint32_t, Roaring> series_;  // by group, where asked for
  const HasStripe* has_ = nullptr;
  bool keep_series_ = false;
  bool has_younger_ = false;  // a directory names series that have no rank here yet
  std::list<Loaded> loaded_;  // the one used last in front
  absl::flat_hash_map<std::string, std::list<Loaded>::iterator> by_key_;
  size_t bytes_ = 0, staying_ = 0;
  uint64_t block_ = 1;
  TimeColumns columns_;
};

}  // namespace narthex::tsdb
