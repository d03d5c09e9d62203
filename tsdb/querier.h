// Private to the query files: what a selection hands to the set that reads it.
#pragma once

#include <memory>
#include <vector>

#include "tsdb/db_impl.h"

namespace narthex::tsdb {

struct SelectedSeries {
  SeriesId id = 0;
  Labels labels;
};
// `selected` is sorted by labels.
std::unique_ptr<SeriesSet> MakeSeriesSet(const DbImpl* db, std::vector<SelectedSeries> selected, int64_t mint,
                                         int64_t maxt);

}  // namespace narthex::tsdb
