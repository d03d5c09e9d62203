// The newest sample of each selected series, where memory alone tells which it is.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <roaring/roaring.hh>

#include "tsdb/group.h"
#include "tsdb/loose_store.h"
#include "tsdb/read_view.h"

namespace narthex::tsdb {

// What is added is what counts more than all that was added before, if it is of the same time. Lives while a
// view is pinned; not thread-safe.
class NewestSamples {
 public:
  // Samples in [mint, at] are wanted.
  NewestSamples(int64_t mint, int64_t at, size_t series) : mint_(mint), at_(at), found_(series) {}

  struct Member {
    size_t series = 0;  // its place in the selection
    Slot slot = ReadView::kNoSlot;
  };
  // The group's lock is held.
  void AddRounds(const Group& group, std::span<const Member> members);
  void AddLoose(size_t series, const LooseColumn& column);
  // `id` may have samples in a sealed window. Call it last.
  void AddWindow(size_t series, SeriesId id, int64_t window_end, const Roaring& ids);
  void Forget(size_t series) { found_[series] = {0, 0, true}; }

  bool known(size_t series) const { return !found_[series].unsure && found_[series].t != INT64_MIN; }
  std::vector<ReadView::Newest> Take() const;

 private:
  struct Found {
    int64_t t = INT64_MIN;
    double v = 0;
    bool unsure = false;
  };
  void Add(size_t series, int64_t t, double v) {
    if (t >= found_[series].t) {
      found_[series].t = t;
      found_[series].v = v;
    }
  }

  const int64_t mint_, at_;
  std::vector<Found> found_;
};

}  // namespace narthex::tsdb
