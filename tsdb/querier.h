// Private to the query files: what a selection hands to the set that reads it.
#pragma once

#include <memory>
#include <vector>

#include "tsdb/db_impl.h"

namespace narthex::tsdb {

// `ids` is sorted by labels; `ranks` says so.
std::unique_ptr<SeriesSet> MakeSeriesSet(const DbImpl* db, std::vector<SeriesId> ids,
                                         std::shared_ptr<const SeriesIndex::Ranks> ranks, int64_t mint,
                                         int64_t maxt, const SelectHints& hints);

}  // namespace narthex::tsdb
