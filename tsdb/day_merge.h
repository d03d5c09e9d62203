// One merged day: all stripes of its windows, ordered so that a series' day is read in one go. Deleted
// samples are left out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <roaring/roaring.hh>

#include "absl/status/status.h"
#include "base/lean_work.h"
#include "tsdb/read_view.h"
#include "tsdb/rocks_store.h"
#include "tsdb/series_index.h"
#include "tsdb/stripe_reader.h"

namespace narthex::tsdb {

// The samples of one series in one window as they lie in different runs; those of later runs count.
struct SeriesPieces {
  struct Piece {
    size_t run = 0;
    Times times;
    std::string bytes;
  };
  SeriesId series = 0;
  std::vector<Piece> pieces;
};

// Reads a pinned view and writes a file. Holds one stripe's day in memory. Owner: one merge; not thread-safe.
class DayMerge {
 public:
  DayMerge(ReadView* view, const SeriesIndex* index, int64_t day, uint32_t generation)
      : view_(view), index_(index), day_(day), generation_(generation) {}

  // DataLoss if something in the day does not check: then it must stay as it is.
  absl::Status WriteTo(StripeFile* file, LeanWork* lean);
  // Series with samples left, by window.
  const std::map<int64_t, Roaring>& members() const { return members_; }

 private:
  std::set<uint32_t> FindGroups() const;
  absl::Status MergeGroup(uint32_t group, StripeFile* file, LeanWork* lean);
  // Writes stripe `number` in all windows; *left gets the series with samples left.
  absl::Status MergeStripe(uint32_t group, uint32_t number, std::span<const SeriesId> series,
                           StripeReader* reader, StripeFile* file, std::vector<SeriesId>* left);

  ReadView* const view_;
  const SeriesIndex* const index_;
  const int64_t day_;
  const uint32_t generation_;
  std::map<int64_t, Roaring> members_;
  bool corrupt_ = false;
};

}  // namespace narthex::tsdb
