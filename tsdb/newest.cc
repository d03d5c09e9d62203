#include "tsdb/newest.h"

#include <algorithm>

#include "model/sample.h"

namespace narthex::tsdb {

void NewestSamples::AddRounds(const Group& group, std::span<const Member> members) {
  if (!group.HasHead()) return;
  int64_t tiles_end = INT64_MIN;
  for (const TilePtr& tile : group.tiles) tiles_end = std::max(tiles_end, tile->times.back());
  const bool open = !group.open.rounds.empty();
  const int64_t t = open ? group.open.times.back() : tiles_end;
  if (std::max(t, tiles_end) < mint_) return;
  // Rounds may also have come out of order, or the newest are too new.
  const bool last_counts = open && t > tiles_end && t <= at_;
  const Round& last = group.open.last;
  for (const Member& member : members) {
    if (member.slot == ReadView::kNoSlot) continue;
    if (last_counts && last.present.Get(member.slot)) {
      Add(member.series, t, last.values[member.slot]);
    } else if (last_counts &&
               std::find(last.stale.begin(), last.stale.end(), member.slot) != last.stale.end()) {
      Add(member.series, t, StaleNan());
    } else {
      Forget(member.series);
    }
  }
}

void NewestSamples::AddLoose(size_t series, const LooseColumn& column) {
  if (column.count == 0 || column.last_t() < mint_) return;
  // `last` may be older than the column: what was sealed since. Where all came in order, the coder stands at
  // the newest.
  if (!column.plain || column.coder_t > at_) return Forget(series);
  if (column.coder_t >= mint_) Add(series, column.coder_t, column.coder_v);
}

void NewestSamples::AddWindow(size_t series, SeriesId id, int64_t window_end, const Roaring& ids) {
  if (window_end > found_[series].t && ids.contains(id)) Forget(series);
}

std::vector<ReadView::Newest> NewestSamples::Take() const {
  std::vector<ReadView::Newest> out(found_.size());
  for (size_t i = 0; i < out.size(); ++i) {
    if (known(i)) out[i] = {found_[i].t, found_[i].v};
  }
  return out;
}

}  // namespace narthex::tsdb
