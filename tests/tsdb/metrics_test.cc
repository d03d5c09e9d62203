// The store's own metrics: each one moves with what it counts.
#include <atomic>
#include <cstdlib>

#include "tests/tsdb/db_fixture.h"
#include "tsdb/file_hooks.h"

namespace narthex::tsdb {
namespace {

class MetricsTest : public DbTest {
 protected:
  void OpenSynced(const std::string& name) {
    db_.reset();
    Options o = MakeOptions(name);
    o.sync_interval_ms = 0;
    o.window_ms = 60'000;  // days of 24 minutes
    auto db = Db::Open(o);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
  }
  double Value(const std::string& name) {
    const std::string text = "\n" + metrics_.Expose();
    const size_t at = text.find("\n" + name + " ");
    EXPECT_NE(at, std::string::npos) << name;
    return at == std::string::npos ? -1 : std::atof(text.c_str() + at + name.size() + 2);
  }
};

TEST_F(MetricsTest, JournalHeadSealsMergesAndRecoveriesAreCounted) {
  OpenSynced("a");
  const std::vector<std::string> troubles = {
      "prometheus_tsdb_compactions_failed_total", "prometheus_tsdb_wal_writes_failed_total",
      "prometheus_tsdb_wal_corruptions_total",    "narthex_storage_corrupt_stripes_total",
      "narthex_storage_damaged_ranges_total",     "narthex_storage_series_refused_total",
      "narthex_storage_commits_refused_total",    "narthex_storage_early_seals_total"};
  const auto expect_no_trouble = [&] {
    for (const std::string& name : troubles) EXPECT_EQ(Value(name), 0) << name;
  };
  expect_no_trouble();
  for (const char* name : {"prometheus_tsdb_compactions_total", "narthex_storage_day_merges_total",
                           "narthex_storage_replayed_records_total"})
    EXPECT_EQ(Value(name), 0) << name;
  Rounds(0, 40);  // ten minutes
  EXPECT_GE(Value("prometheus_tsdb_wal_fsync_duration_seconds_count"), 40);
  EXPECT_EQ(Value("prometheus_tsdb_head_samples_appended_total{type=\"float\"}"), 40 + 32);
  EXPECT_EQ(Value("prometheus_tsdb_head_series_created_total"), 2);
  const double journal = Value("narthex_storage_bytes_written_total");
  EXPECT_GT(journal, 40 * 16);
  ASSERT_TRUE(db_->Maintain(false).ok());
  EXPECT_EQ(Value("prometheus_tsdb_head_series"), 2);
  EXPECT_GE(Value("prometheus_tsdb_head_chunks"), 2);
  EXPECT_EQ(Value("prometheus_tsdb_compactions_total"), 1);
  EXPECT_EQ(Value("prometheus_tsdb_compaction_duration_seconds_count"), 1);
  EXPECT_GT(Value("narthex_storage_bytes_written_total"), journal) << "stripes count, too";
  EXPECT_GT(Value("prometheus_tsdb_storage_blocks_bytes"), 0);
  EXPECT_GT(Value("narthex_storage_memory_bytes{part=\"head\"}"), 0);
  EXPECT_GT(Value("narthex_storage_memory_bytes{part=\"index\"}"), 0);
  EXPECT_EQ(Value("narthex_storage_memory_limit_bytes"), 0);
  Rounds(40, 200);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(Value("narthex_storage_day_merges_total"), 1);
  EXPECT_EQ(Value("prometheus_tsdb_head_chunks"), 0);
  Rounds(200, 210);
  OpenSynced("a");
  EXPECT_GE(Value("narthex_storage_replayed_records_total"), 10);
  EXPECT_GE(Value("prometheus_tsdb_data_replay_duration_seconds"), 0);
  expect_no_trouble();
}

// Adds up what is written to the files of the index and to the journal.
class WriteCount : public FileHooks {
 public:
  uint64_t FreeBytes() const override { return UINT64_MAX; }
  absl::Status Create(const std::string&) override { return absl::OkStatus(); }
  absl::Status Write(const std::string& path, uint64_t, std::string_view bytes) override {
    (path.find("/store/") != path.npos ? store : other) += bytes.size();
    return absl::OkStatus();
  }
  absl::Status Extend(const std::string&, uint64_t) override { return absl::OkStatus(); }
  absl::Status Truncate(const std::string&, uint64_t) override { return absl::OkStatus(); }
  absl::Status Sync(const std::string&) override { return absl::OkStatus(); }
  absl::Status SyncDirectory(const std::string&) override { return absl::OkStatus(); }
  absl::Status Rename(const std::string&, const std::string&) override { return absl::OkStatus(); }
  absl::Status Link(const std::string&, const std::string&) override { return absl::OkStatus(); }
  absl::Status Remove(const std::string&) override { return absl::OkStatus(); }
  std::atomic<uint64_t> store{0}, other{0};
};

TEST_F(MetricsTest, EveryByteThatIsWrittenIsCounted) {
  WriteCount files;
  Options o = MakeOptions("a");
  o.file_hooks = &files;
  auto db = Db::Open(o);
  ASSERT_TRUE(db.ok()) << db.status();
  db_ = std::move(*db);
  const char* const kWritten = "narthex_storage_bytes_written_total";
  EXPECT_GT(files.store, 0u) << "the index has files of its own";
  EXPECT_GE(Value(kWritten), static_cast<double>(files.store));
  files.other = 0;
  const double open = Value(kWritten), store = static_cast<double>(files.store);
  for (int i = 0; i < 100; ++i) Append(Labels({{"__name__", "m"}, {"i", std::to_string(i)}}), kStart + i, i);
  EXPECT_GT(static_cast<double>(files.store), store) << "new series go to the index";
  EXPECT_EQ(Value(kWritten) - open, static_cast<double>(files.store + files.other) - store);
  // Tables and what a seal writes.
  ASSERT_TRUE(db_->Maintain(true).ok());
  ASSERT_TRUE(db_->CleanTombstones().ok());
  EXPECT_GE(Value(kWritten) - open, static_cast<double>(files.store) - store);
  db_.reset();
}

}  // namespace
}  // namespace narthex::tsdb
