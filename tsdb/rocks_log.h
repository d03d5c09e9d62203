// What RocksDB has to say. Included by rocks_*.cc only.
#pragma once

#include <memory>

#include <rocksdb/env.h>

#include "base/log.h"
#include "tsdb/rocks_store.h"

namespace narthex::tsdb {

// Passes RocksDB's errors on to our log; there is no file LOG. RocksDB tells of records of its write-ahead
// log that it skips in a warning and nowhere else: these go to `damage`. `logger` lives longer.
std::shared_ptr<rocksdb::Logger> NewRocksLog(const Logger* logger, RocksStore::DamageSink damage);

}  // namespace narthex::tsdb
