// RocksDB's settings in one place, each with its reason. Included by rocks_*.cc only.
#pragma once

#include <rocksdb/options.h>

namespace narthex::tsdb {

rocksdb::DBOptions RocksDbOptions(rocksdb::Env* env);  // env: null = the machine's
rocksdb::ColumnFamilyOptions IndexOptions();
rocksdb::ColumnFamilyOptions StripeOptions();

}  // namespace narthex::tsdb
