// A tsdb::Db in memory for the tests of the folders above tsdb: plain maps, upstream's append rules, no
// files.
#pragma once

#include <memory>

#include "tsdb/tsdb.h"

namespace narthex::testing {

std::unique_ptr<tsdb::Db> NewMemoryDb();

}  // namespace narthex::testing
