// The store as its users see it: append, select, reopen, faults.
#include "tsdb/tsdb.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "gtest/gtest.h"

namespace narthex::tsdb {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kStart = 1'700'000'000'000 / 3600'000 * 3600'000;
using Points = std::vector<std::pair<int64_t, double>>;

class DbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("narthex_db_test_" + std::to_string(::getpid()) + "_" +
                                         ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override {
    db_.reset();
    fs::remove_all(root_);
  }
  Options MakeOptions(const std::string& name) {
    Options o;
    o.path = (root_ / name).string();
    o.background_work = false;
    o.clock = &clock_;
    o.logger = &logger_;
    o.metrics = &metrics_;
    o.out_of_order_window_ms = ooo_;
    o.retention_ms = retention_;
    return o;
  }
  void Open(const std::string& name) {
    db_.reset();
    auto db = Db::Open(MakeOptions(name));
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
  }
  // As after kill -9: the files as they are now, opened by somebody else.
  void Kill() {
    fs::copy(root_ / "a", root_ / "b", fs::copy_options::recursive);
    db_.reset();
    fs::remove_all(root_ / "a");
    fs::rename(root_ / "b", root_ / "a");
    Open("a");
  }
  AppendResult Append(const Labels& labels, int64_t t, double v) {
    auto app = db_->NewAppender();
    SeriesRef ref = 0;
    auto r = app->Append(&ref, labels, Sample{t, v});
    EXPECT_TRUE(r.ok() && app->Commit().ok());
    return *r;
  }
  std::map<std::string, Points> Select(const std::string& metric, int64_t mint = 0,
                                       int64_t maxt = INT64_MAX / 2) {
    std::map<std::string, Points> out;
    auto q = db_->NewQuerier(mint, maxt);
    auto set = (*q)->Select({Matcher::Equal("__name__", metric)}, mint, maxt, {});
    EXPECT_TRUE(set.ok());
    std::vector<Row> rows;
    EXPECT_TRUE((*set)->ReadBlock(0, (*set)->size(), &rows).ok());
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].t.size(), rows[i].v.size());
      Points& p = out[(*set)->labels(i).ToString()];
      for (size_t k = 0; k < rows[i].t.size(); ++k) p.emplace_back(rows[i].t[k], rows[i].v[k]);
    }
    return out;
  }
  // Rounds [from, to) of a group with two series; the second is absent in rounds divisible by 5.
  void Rounds(int from, int to) {
    auto group = db_->OpenGroup({{"job", "x"}});
    ASSERT_TRUE(group.ok()) << group.status();
    const Slot a = *(*group)->AddSeries({{"__name__", "m"}, {"i", "a"}});
    const Slot b = *(*group)->AddSeries({{"__name__", "m"}, {"i", "b"}});
    for (int i = from; i < to; ++i) {
      clock_.AdvanceMs(15'000);
      (*group)->Begin(kStart + i * 15'000);
      EXPECT_EQ((*group)->Set(a, i * 1.5), AppendResult::kOk);
      if (i % 5 != 0) {
        EXPECT_EQ((*group)->Set(b, i), AppendResult::kOk);
      }
      ASSERT_TRUE((*group)->Commit().ok());
    }
  }
  void ExpectRounds(int to) {
    auto got = Select("m");
    const Points& a = got["m{i=\"a\"}"];
    const Points& b = got["m{i=\"b\"}"];
    ASSERT_EQ(a.size(), static_cast<size_t>(to));
    for (int i = 0; i < to; ++i) {
      EXPECT_EQ(a[i].first, kStart + i * 15'000);
      EXPECT_EQ(a[i].second, i * 1.5);
    }
    size_t k = 0;
    for (int i = 1; i < to; ++i, ++k) {  // absent in round 0, then present or stale
      ASSERT_LT(k, b.size());
      EXPECT_EQ(b[k].first, kStart + i * 15'000);
      if (i % 5 == 0)
        EXPECT_TRUE(IsStale(b[k].second));
      else
        EXPECT_EQ(b[k].second, i);
    }
    EXPECT_EQ(k, b.size());
  }

  fs::path root_;
  int64_t ooo_ = 0, retention_ = 15LL * 24 * 3600'000;
  FakeClock clock_{kStart};
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &clock_, [](std::string_view) {}};
  MetricsRegistry metrics_;
  std::unique_ptr<Db> db_;
};

TEST_F(DbTest, RoundsReadBackWithStaleMarkers) {
  Open("a");
  Rounds(0, 77);
  ExpectRounds(77);
}

TEST_F(DbTest, RowsOfOneGroupShareTheirTimes) {
  Open("a");
  auto group = *db_->OpenGroup({{"job", "x"}});
  const Slot a = *group->AddSeries({{"__name__", "m"}, {"i", "a"}});
  const Slot b = *group->AddSeries({{"__name__", "m"}, {"i", "b"}});
  for (int i = 0; i < 40; ++i) {
    group->Begin(kStart + i);
    group->Set(a, i);
    group->Set(b, -i);
    ASSERT_TRUE(group->Commit().ok());
  }
  auto q = *db_->NewQuerier(0, INT64_MAX);
  auto set = *q->Select({Matcher::Equal("__name__", "m")}, kStart + 3, kStart + 38, {});
  std::vector<Row> rows;
  ASSERT_TRUE(set->ReadBlock(0, 2, &rows).ok());
  EXPECT_EQ(rows[0].t.data(), rows[1].t.data());
  EXPECT_EQ(rows[0].t.size(), 36u);
  EXPECT_EQ(rows[0].t.front(), kStart + 3);
}

TEST_F(DbTest, KillLosesNothingAndStalenessGoesOn) {
  Open("a");
  Rounds(0, 50);
  Kill();
  ExpectRounds(50);
  Rounds(50, 101);
  Kill();
  ExpectRounds(101);
}

TEST_F(DbTest, SealKeepsEverything) {
  Open("a");
  Rounds(0, 300);  // more than an hour
  ASSERT_TRUE(db_->Maintain(false).ok());
  ExpectRounds(300);
  ASSERT_TRUE(db_->Maintain(true).ok());
  ExpectRounds(300);
  Rounds(300, 333);
  Kill();
  ExpectRounds(333);
}

TEST_F(DbTest, AfterRestartAVanishedSeriesGetsAMarker) {
  Open("a");
  Rounds(0, 50);
  ASSERT_TRUE(db_->Maintain(true).ok());
  Kill();
  auto group = *db_->OpenGroup({{"job", "x"}});
  group->Begin(kStart + 50 * 15'000);
  ASSERT_TRUE(group->Commit().ok());
  auto got = Select("m", kStart + 50 * 15'000);
  for (auto& [labels, points] : got) {
    ASSERT_EQ(points.size(), 1u) << labels;
    EXPECT_TRUE(IsStale(points[0].second));
  }
  EXPECT_EQ(got.size(), 2u);
}

TEST_F(DbTest, AppenderFollowsUpstreamsOrderRules) {
  Open("a");
  const Labels l{{"__name__", "s"}};
  EXPECT_EQ(Append(l, kStart, 1), AppendResult::kOk);
  EXPECT_EQ(Append(l, kStart + 1000, 2), AppendResult::kOk);
  EXPECT_EQ(Append(l, kStart + 1000, 2), AppendResult::kOk);
  EXPECT_EQ(Append(l, kStart + 1000, 3), AppendResult::kDuplicate);
  EXPECT_EQ(Append(l, kStart + 500, 3), AppendResult::kOutOfOrder);
  EXPECT_EQ(Append(l, kStart - 2 * 3600'000, 3), AppendResult::kOutOfBounds);
  EXPECT_EQ(Select("s")["s"], (Points{{kStart, 1}, {kStart + 1000, 2}}));
}

TEST_F(DbTest, OutOfOrderSamplesWithinTheWindowAreMerged) {
  ooo_ = 10'000;
  Open("a");
  const Labels l{{"__name__", "s"}};
  EXPECT_EQ(Append(l, kStart, 1), AppendResult::kOk);
  EXPECT_EQ(Append(l, kStart + 9000, 3), AppendResult::kOk);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(Append(l, kStart + 4000, 2), AppendResult::kOk);
  EXPECT_EQ(Append(l, kStart - 9000, 2), AppendResult::kTooOld);
  Kill();
  const Points want{{kStart, 1}, {kStart + 4000, 2}, {kStart + 9000, 3}};
  EXPECT_EQ(Select("s")["s"], want);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(Select("s")["s"], want);
}

TEST_F(DbTest, HistogramsSurviveSealAndKill) {
  Open("a");
  auto h = std::make_shared<FloatHistogram>();
  h->count = 3;
  h->sum = 4.5;
  h->positive_spans = {{1, 2}};
  h->positive_buckets = {1, 2};
  auto app = db_->NewAppender();
  SeriesRef ref = 0;
  Sample s;
  s.t = kStart;
  s.h = h;
  s.start_t = kStart - 5;
  ASSERT_TRUE(app->Append(&ref, {{"__name__", "h"}}, s).ok());
  ASSERT_TRUE(app->Commit().ok());
  for (int step = 0; step < 2; ++step) {
    Kill();
    auto q = *db_->NewQuerier(0, INT64_MAX);
    auto set = *q->Select({Matcher::Equal("__name__", "h")}, 0, INT64_MAX, {});
    std::vector<Row> rows;
    ASSERT_TRUE(set->ReadBlock(0, 1, &rows).ok());
    ASSERT_EQ(rows[0].h.size(), 1u);
    EXPECT_TRUE(rows[0].h[0].h->Equals(*h));
    ASSERT_EQ(rows[0].h_start_t.size(), 1u);
    EXPECT_EQ(rows[0].h_start_t[0], kStart - 5);
    ASSERT_TRUE(db_->Maintain(true).ok());
  }
}

TEST_F(DbTest, SecondOpenAndNewerFormatAreRefused) {
  Open("a");
  auto second = Db::Open(MakeOptions("a"));
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("lock DB directory: resource temporarily unavailable"),
            std::string::npos);
  db_.reset();
  std::ofstream(root_ / "a" / "FORMAT") << "narthex-storage 99\n";
  auto newer = Db::Open(MakeOptions("a"));
  ASSERT_FALSE(newer.ok());
  EXPECT_NE(newer.status().message().find("narthex-storage 99"), std::string::npos);
}

TEST_F(DbTest, FlippedByteInTheJournalCostsOneRecord) {
  Open("a");
  for (int i = 0; i < 10; ++i) Append({{"__name__", "s"}}, kStart + i, i);
  db_.reset();
  const fs::path segment = root_ / "a/journal/00000001";
  std::fstream f(segment, std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(32 + 16 + 2);
  f.put('\x7f');
  f.close();
  Open("a");
  EXPECT_EQ(Select("s")["s"].size(), 9u);
  EXPECT_NE(metrics_.Expose().find("prometheus_tsdb_wal_corruptions_total 1\n"), std::string::npos);
}

TEST_F(DbTest, RetentionDropsOldWindowsButNeverOnAClockStep) {
  retention_ = 2 * 3600'000;
  Open("a");
  Rounds(0, 300);
  ASSERT_TRUE(db_->Maintain(true).ok());
  clock_.StepWall(10LL * 365 * 86400'000);
  Append({{"__name__", "jump"}}, clock_.NowMs(), 1);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(Select("m").size(), 2u);
  clock_.StepWall(-10LL * 365 * 86400'000);
  for (int i = 0; i < 30; ++i) {
    clock_.AdvanceMs(600'000);
    ASSERT_TRUE(db_->Maintain(true).ok());
  }
  EXPECT_TRUE(Select("m").empty());
}

TEST_F(DbTest, DeletedSamplesStayAwayAndCleanRemovesThem) {
  Open("a");
  Rounds(0, 50);
  ASSERT_TRUE(db_->DeleteSeries({Matcher::Equal("i", "a")}, kStart, kStart + 9 * 15'000).ok());
  EXPECT_EQ(Select("m")["m{i=\"a\"}"].size(), 40u);
  Kill();
  EXPECT_EQ(Select("m")["m{i=\"a\"}"].size(), 40u);
  ASSERT_TRUE(db_->CleanTombstones().ok());
  EXPECT_EQ(Select("m")["m{i=\"a\"}"].size(), 40u);
  EXPECT_EQ(Select("m")["m{i=\"b\"}"].size(), 49u);
}

TEST_F(DbTest, SnapshotOpensAsADirectory) {
  Open("a");
  Rounds(0, 50);
  auto name = db_->Snapshot((root_ / "snapshots").string(), false);
  ASSERT_TRUE(name.ok()) << name.status();
  db_.reset();
  Open("snapshots/" + *name);
  ExpectRounds(50);
}

TEST_F(DbTest, StateAndLabelsComeBack) {
  Open("a");
  ASSERT_TRUE(db_->PutState("alert/x", "1").ok());
  ASSERT_TRUE(db_->PutState("alert/y", "2").ok());
  ASSERT_TRUE(db_->DeleteState("alert/x").ok());
  Append({{"__name__", "s"}, {"l", "1"}}, kStart, 1);
  Kill();
  auto state = *db_->ScanState("alert/");
  ASSERT_EQ(state.size(), 1u);
  EXPECT_EQ(state[0].second, "2");
  auto q = *db_->NewQuerier(0, INT64_MAX);
  EXPECT_EQ(*q->LabelNames({{}, 0, INT64_MAX, 0}), (std::vector<std::string>{"__name__", "l"}));
  EXPECT_EQ(*q->LabelValues("l", {{}, 0, INT64_MAX, 0}), (std::vector<std::string>{"1"}));
}

// A child writes and says after each commit how far it is; it is killed at some moment, again and again.
TEST_F(DbTest, KilledProcessLosesNothingAcknowledged) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer cannot follow a fork that starts threads";
#endif
  int next = 0;
  std::mt19937 random(7);
  for (int round = 0; round < 5; ++round) {
    int pipe_fd[2];
    ASSERT_EQ(::pipe(pipe_fd), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto db = Db::Open(MakeOptions("k"));
      if (!db.ok()) ::_exit(1);
      auto group = *(*db)->OpenGroup({{"job", "x"}});
      const Slot a = *group->AddSeries({{"__name__", "m"}});
      for (int i = next;; ++i) {
        group->Begin(kStart + i * 15'000);
        group->Set(a, i);
        if (!group->Commit().ok()) ::_exit(2);
        if (::write(pipe_fd[1], &i, sizeof i) != sizeof i) ::_exit(3);
        if (i % 100 == 99 && !(*db)->Maintain(i % 200 == 199).ok()) ::_exit(4);
      }
    }
    ::close(pipe_fd[1]);
    const int stop = next + 50 + static_cast<int>(random() % 400);
    int acknowledged = next - 1;
    while (acknowledged < stop &&
           ::read(pipe_fd[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged) {
    }
    ::kill(child, SIGKILL);
    for (int more; ::read(pipe_fd[0], &more, sizeof more) == sizeof more;) acknowledged = more;
    ::close(pipe_fd[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    Open("k");
    const Points got = Select("m")["m"];
    ASSERT_GE(got.size(), static_cast<size_t>(acknowledged + 1));
    ASSERT_LE(got.size(), static_cast<size_t>(acknowledged + 2));
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_EQ(got[i], (std::pair<int64_t, double>(kStart + i * 15'000, i)));
    next = static_cast<int>(got.size());
    db_.reset();
  }
}

}  // namespace
}  // namespace narthex::tsdb
