// RocksDB's settings in one place, each with its reason. Included by rocks_*.cc only.
#pragma once

#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

namespace narthex::tsdb {

rocksdb::DBOptions RocksDbOptions(rocksdb::Env* env);  // env: null = the machine's
// One cache of blocks for all families.
inline constexpr size_t kBlockCacheBytes = 8 << 20;
std::shared_ptr<rocksdb::Cache> NewBlockCache();
rocksdb::ColumnFamilyOptions IndexOptions(const std::shared_ptr<rocksdb::Cache>& cache);
rocksdb::ColumnFamilyOptions HourOptions(const std::shared_ptr<rocksdb::Cache>& cache);
rocksdb::ColumnFamilyOptions DayOptions(const std::shared_ptr<rocksdb::Cache>& cache);

}  // namespace narthex::tsdb
