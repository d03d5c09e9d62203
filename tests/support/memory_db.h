// A tsdb::Db in memory for the tests of the folders above tsdb: plain maps, upstream's append rules, no
// files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tsdb/tsdb.h"

namespace narthex::testing {

// New series beyond `max_series` (in a group: beyond so many of its own) are refused, as by a memory limit.
std::unique_ptr<tsdb::Db> NewMemoryDb(size_t max_series = SIZE_MAX);

}  // namespace narthex::testing
