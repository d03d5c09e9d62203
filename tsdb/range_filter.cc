#include "tsdb/range_filter.h"

#include <algorithm>

namespace narthex::tsdb {

RangeFilter::RangeFilter(const DbImpl* db, int64_t mint, int64_t maxt) : db_(db), mint_(mint), maxt_(maxt) {
  LoadWindows();
}

void RangeFilter::LoadWindows() {
  if (Nothing()) return;
  windows_ = db_->WindowSeries(mint_, maxt_);
  std::reverse(windows_.begin(), windows_.end());
}

bool RangeFilter::InWindows(SeriesId id) const {
  return std::any_of(windows_.begin(), windows_.end(),
                     [id](const std::shared_ptr<const Roaring>& w) { return w->contains(id); });
}

void RangeFilter::Keep(std::vector<SeriesId>* ids) {
  if (Nothing()) return ids->clear();
  std::vector<SeriesId> others;
  for (SeriesId id : *ids) {
    if (!InWindows(id)) others.push_back(id);
  }
  if (others.empty()) return;
  std::vector<SeriesId> in_head = others;
  db_->KeepInHead(mint_, maxt_, &groups_, &in_head);
  if (in_head.size() == others.size()) return;
  // What left the head since the windows were looked at is in windows now.
  LoadWindows();
  absl::flat_hash_set<SeriesId> head(in_head.begin(), in_head.end());
  std::erase_if(*ids, [&](SeriesId id) { return !head.contains(id) && !InWindows(id); });
}

}  // namespace narthex::tsdb
