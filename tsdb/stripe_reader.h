// Entries of sealed stripes for series in the order of their labels.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "tsdb/db_impl.h"
#include "tsdb/time_columns.h"

namespace narthex::tsdb {

// Owned by one selection; not thread-safe. Keeps the stripes it read last, because the next block of series
// goes on in them.
class StripeReader {
 public:
  StripeReader(const DbImpl* db, std::shared_ptr<const SeriesIndex::Ranks> ranks, int64_t mint, int64_t maxt)
      : db_(db), ranks_(std::move(ranks)), mint_(mint), maxt_(maxt) {}

  // `i` is the place of the entry's series in `ids`. The bytes are valid during the call only.
  using Visitor = std::function<void(size_t i, const Times& times, std::string_view entry)>;
  // Visits the entries of the series (sorted by rank) in a group, window by window.
  absl::Status Read(uint32_t group, std::span<const SeriesId> ids, const Visitor& visit);
  // The stripes in the store are others now.
  void Forget();
  TimeColumns* columns() { return &columns_; }

 private:
  struct Stripe {
    StripeKey key;
    std::string bytes;
    struct Entry {
      SeriesId series = 0;
      uint32_t column = 0;
      std::string_view bytes;
    };
    std::vector<Times> columns;
    std::vector<Entry> entries;
  };
  // Stripes [begin, end) of a run, and the rank of the first series that can be in them.
  struct Part {
    uint32_t rank = 0;
    uint32_t begin = 0, end = 0;
  };
  struct Run {
    StripeKey first;
    std::vector<Part> parts;
  };
  using Runs = std::vector<Run>;

  absl::StatusOr<const Runs*> RunsOf(uint32_t group);
  uint32_t RankOf(SeriesId id) const { return id < ranks_->size() ? (*ranks_)[id] : SeriesIndex::kNoRank; }
  void ReadRun(const Run& run, std::span<const SeriesId> ids, const Visitor& visit);
  void VisitStripe(const Stripe& stripe, std::span<const SeriesId> ids, size_t offset, const Visitor& visit);
  // nullptr if there is none (any more) or it is corrupt.
  const Stripe* Load(const StripeKey& key);
  void NoteCorrupt(const StripeKey& key);

  const DbImpl* const db_;
  const std::shared_ptr<const SeriesIndex::Ranks> ranks_;
  const int64_t mint_, maxt_;
  absl::flat_hash_map<uint32_t, Runs> runs_;
  std::list<Stripe> stripes_;  // the one used last in front
  absl::flat_hash_map<std::string, std::list<Stripe>::iterator> by_key_;
  size_t bytes_ = 0;
  TimeColumns columns_;
};

}  // namespace narthex::tsdb
