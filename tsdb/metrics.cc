#include "tsdb/db_impl.h"

namespace narthex::tsdb {

DbMetrics::DbMetrics(MetricsRegistry* r) {
  const std::string p = "prometheus_tsdb_";
  float_samples = r->GetCounter(p + "head_samples_appended_total", "Total number of appended samples.",
                                {{"type", "float"}});
  histogram_samples = r->GetCounter(p + "head_samples_appended_total", "Total number of appended samples.",
                                    {{"type", "histogram"}});
  series_created =
      r->GetCounter(p + "head_series_created_total", "Total number of series created in the head");
  series_removed =
      r->GetCounter(p + "head_series_removed_total", "Total number of series removed in the head");
  corruptions = r->GetCounter(p + "wal_corruptions_total", "Total number of WAL corruptions.");
  out_of_order =
      r->GetCounter(p + "out_of_order_samples_total",
                    "Total number of out of order samples ingestion failed attempts due to out of order "
                    "being disabled.",
                    {{"type", "float"}});
  too_old = r->GetCounter(
      p + "too_old_samples_total",
      "Total number of out of order samples ingestion failed attempts with out of order support "
      "enabled, but sample outside of time window.",
      {{"type", "float"}});
  out_of_bounds =
      r->GetCounter(p + "out_of_bound_samples_total",
                    "Total number of out of bound samples ingestion failed attempts with out of order "
                    "support disabled.",
                    {{"type", "float"}});
  duplicates = r->GetCounter("narthex_storage_duplicate_samples_total",
                             "Samples refused because their series has "
                             "another value at the same time.");
  ooo_appended = r->GetCounter(p + "head_out_of_order_samples_appended_total",
                               "Total number of appended out of order samples.", {{"type", "float"}});
  journal_failures = r->GetCounter(p + "wal_writes_failed_total", "Total number of WAL writes that failed.");
  seals = r->GetCounter(p + "compactions_total",
                        "Total number of compactions that were executed for the partition.");
  seal_failures = r->GetCounter(p + "compactions_failed_total",
                                "Total number of compactions that failed for the partition.");
  merges = r->GetCounter("narthex_storage_day_merges_total", "Days that were merged into one file.");
  reloads = r->GetCounter(p + "reloads_total", "Number of times the database reloaded block data from disk.");
  bytes_written = r->GetCounter(
      "narthex_storage_bytes_written_total",
      "Bytes written to the journal, the index (its log, tables and compactions) and stripe files.");
  stripe_corruptions = r->GetCounter("narthex_storage_corrupt_stripes_total",
                                     "Stripes that did not check when read and were left out.");
  replayed = r->GetCounter("narthex_storage_replayed_records_total",
                           "Records of the journal that were read when the storage was opened.");
  replay_seconds = r->GetGauge(p + "data_replay_duration_seconds", "Time taken to replay the data on disk.");
  damaged =
      r->GetCounter("narthex_storage_damaged_ranges_total",
                    "Ranges and rows of the index and records of its log that did not check and were left "
                    "out; repairs of its list of files.");
  time_retentions =
      r->GetCounter(p + "time_retentions_total",
                    "The number of times that blocks were deleted because the maximum time limit was "
                    "exceeded.");
  size_retentions =
      r->GetCounter(p + "size_retentions_total",
                    "The number of times that blocks were deleted because the maximum number of bytes "
                    "was exceeded.");
  exemplars = r->GetCounter(p + "exemplar_exemplars_appended_total", "Total number of appended exemplars.");
  series_refused = r->GetCounter("narthex_storage_series_refused_total",
                                 "New series refused because the memory limit was reached.");
  rounds_refused = r->GetCounter("narthex_storage_commits_refused_total",
                                 "Commits refused because the memory limit was reached and nothing could be "
                                 "written to disk.");
  early_seals = r->GetCounter("narthex_storage_early_seals_total",
                              "Seals before the end of a window, because memory was short.");
  series = r->GetGauge(p + "head_series", "Total number of series in the head block.");
  chunks = r->GetGauge(p + "head_chunks", "Total number of chunks in the head block.");
  min_time = r->GetGauge(p + "head_min_time",
                         "Minimum time bound of the head block. The unit is decided by the library "
                         "consumer.");
  max_time = r->GetGauge(p + "head_max_time",
                         "Maximum timestamp of the head block. The unit is decided by the library "
                         "consumer.");
  lowest = r->GetGauge(p + "lowest_timestamp",
                       "Lowest timestamp value stored in the database. The unit is decided by "
                       "the library consumer.");
  blocks = r->GetGauge(p + "blocks_loaded", "Number of currently loaded data blocks");
  block_bytes = r->GetGauge(p + "storage_blocks_bytes",
                            "The number of bytes that are currently used for local storage by all blocks.");
  symbol_bytes =
      r->GetGauge(p + "symbol_table_size_bytes", "Size of symbol table in memory for loaded blocks");
  retention_bytes =
      r->GetGauge(p + "retention_limit_bytes",
                  "Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled");
  retention_seconds = r->GetGauge(p + "retention_limit_seconds", "How long to retain samples in storage.");
  wal_bytes = r->GetGauge(p + "wal_storage_size_bytes", "Size of the write log directory.");
  memory_limit = r->GetGauge("narthex_storage_memory_limit_bytes",
                             "What the store may hold in memory, 0 means no limit.");
  const auto part = [&](int64_t MemoryUse::*bytes, const char* name) {
    memory.push_back({bytes, r->GetGauge("narthex_storage_memory_bytes", "What the store holds in memory.",
                                         {{"part", name}})});
  };
  part(&MemoryUse::index, "index");
  part(&MemoryUse::head, "head");
  part(&MemoryUse::exemplars, "exemplars");
  part(&MemoryUse::windows, "windows");
  part(&MemoryUse::buffers, "write_buffers");
  part(&MemoryUse::caches, "caches");
  fsync = r->GetHistogram(p + "wal_fsync_duration_seconds", "Duration of write log fsync.",
                          {0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1});
  seal_seconds = r->GetHistogram(p + "compaction_duration_seconds", "Duration of compaction runs",
                                 {0.01, 0.1, 0.5, 1, 2, 4, 8, 16, 32, 64});
}

void DbMetrics::Count(AppendResult refused) const {
  switch (refused) {
    case AppendResult::kOk:
      break;
    case AppendResult::kOutOfOrder:
      out_of_order->Add();
      break;
    case AppendResult::kDuplicate:
      duplicates->Add();
      break;
    case AppendResult::kTooOld:
      too_old->Add();
      break;
    case AppendResult::kOutOfBounds:
      out_of_bounds->Add();
      break;
  }
}

}  // namespace narthex::tsdb
