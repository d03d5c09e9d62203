// The store as its users see it: append, select, reopen, faults.
#include <fstream>

#include "tests/tsdb/db_fixture.h"

namespace narthex::tsdb {
namespace {

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

TEST_F(DbTest, TheFirstValueOfARoundStays) {
  Open("a");
  auto group = *db_->OpenGroup({{"job", "x"}});
  const Slot a = *group->AddSeries({{"__name__", "m"}}), b = *group->AddSeries({{"__name__", "own"}});
  group->Begin(kStart);
  EXPECT_EQ(group->Set(a, 1), AppendResult::kOk);
  EXPECT_EQ(group->Set(a, 2), AppendResult::kOk);
  EXPECT_EQ(group->SetSample(b, Sample{kStart - 10, 1}, false), AppendResult::kOk);
  EXPECT_EQ(group->SetSample(b, Sample{kStart - 10, 2}, false), AppendResult::kOk);
  EXPECT_EQ(group->SetSample(b, Sample{kStart - 5, 3}, false), AppendResult::kOk);
  EXPECT_EQ(group->SetSample(b, Sample{kStart - 7, 4}, false), AppendResult::kOutOfOrder);
  ASSERT_TRUE(group->Commit().ok());
  EXPECT_EQ(Select("m")["m"], (Points{{kStart, 1}}));
  EXPECT_EQ(Select("own")["own"], (Points{{kStart - 10, 1}, {kStart - 5, 3}}));
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

TEST_F(DbTest, LooseSamplesOfSeveralHoursAreSealedAndReadTheSame) {
  for (const int hours : {1, 2, 5}) {
    Open(std::to_string(hours));
    std::map<std::string, Points> want;
    for (int k = 0; k < 3 * hours; ++k) {
      auto app = db_->NewAppender();
      for (int i = 0; i < 500; ++i) {
        const Sample sample{kStart + k * 1'200'000 + i, i * 0.25 + k};
        const Labels labels{{"__name__", "s"}, {"i", std::to_string(i)}};
        SeriesRef ref = 0;
        ASSERT_TRUE(app->Append(&ref, labels, sample).ok());
        want[labels.ToString()].emplace_back(sample.t, sample.v);
      }
      ASSERT_TRUE(app->Commit().ok());
    }
    Rounds(0, 10);
    ASSERT_TRUE(db_->Maintain(true).ok());
    EXPECT_EQ(Select("s"), want) << hours;
    Open(std::to_string(hours));
    EXPECT_EQ(Select("s"), want) << hours;
    ExpectRounds(10);
  }
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

}  // namespace
}  // namespace narthex::tsdb
