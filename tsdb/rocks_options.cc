#include "tsdb/rocks_options.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

namespace narthex::tsdb {
namespace {

rocksdb::BlockBasedTableOptions TableOptions(size_t block_size,
                                             const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;  // index blocks count against the cache, not on top of it
  table.block_size = block_size;
  table.format_version = 5;
  return table;
}

}  // namespace

std::shared_ptr<rocksdb::Cache> NewBlockCache() {
  return rocksdb::NewLRUCache(kBlockCacheBytes, /*num_shard_bits=*/2);
}

rocksdb::DBOptions RocksDbOptions(rocksdb::Env* env) {
  rocksdb::DBOptions o;
  if (env != nullptr) o.env = env;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  o.max_background_jobs = 2;  // little is ever compacted: stripes arrive as disjoint files
  o.max_open_files = 64;      // table readers cost memory
  o.db_write_buffer_size = 8 << 20;
  o.max_total_wal_size = 16 << 20;         // bounds the replay at open
  o.info_log_level = rocksdb::WARN_LEVEL;  // rocks_log.cc picks from it
  o.keep_log_file_num = 1;
  o.stats_dump_period_sec = 0;  // no statistics threads or tables
  o.stats_persist_period_sec = 0;
  o.avoid_flush_during_shutdown = true;  // the log has it already
  // A bad record costs what it says, not the start. What must keep its order is written with sync.
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  o.skip_stats_update_on_db_open = true;
  o.enable_pipelined_write = false;
  return o;
}

rocksdb::ColumnFamilyOptions IndexOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = 4 << 20;
  o.arena_block_size = 64 << 10;
  o.max_write_buffer_number = 2;
  o.compression = rocksdb::kZSTD;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(8 << 10, cache)));
  return o;
}

namespace {

rocksdb::ColumnFamilyOptions StripeOptions(const std::shared_ptr<rocksdb::Cache>& cache, size_t block_size) {
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = 4 << 20;
  o.arena_block_size = 64 << 10;
  o.compression = rocksdb::kZSTD;  // a further 10 to 25 % on top of the chunks
  // Files come whole and go whole; the merge of a day is the compaction.
  o.disable_auto_compactions = true;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(block_size, cache)));
  return o;
}

}  // namespace

rocksdb::ColumnFamilyOptions HourOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  // Half a percent to two less than level 3, at nearly its speed.
  rocksdb::ColumnFamilyOptions o = StripeOptions(cache, 16 << 10);
  o.compression_opts.level = 4;
  return o;
}

rocksdb::ColumnFamilyOptions DayOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  // Written once and kept long: a further percent for twice the work. Higher levels give no more.
  rocksdb::ColumnFamilyOptions o = StripeOptions(cache, 32 << 10);
  o.compression_opts.level = 6;
  return o;
}

}  // namespace narthex::tsdb
