// The daily merge, deletions, and queries that run while storage moves.
#include <random>

#include "tests/tsdb/db_fixture.h"

namespace narthex::tsdb {
namespace {

int64_t FilesNamed(const fs::path& root, const std::string& suffix, uint64_t* bytes) {
  int64_t n = 0;
  *bytes = 0;
  for (const auto& f : fs::recursive_directory_iterator(root)) {
    if (f.path().extension() != suffix) continue;
    *bytes += f.file_size();
    ++n;
  }
  return n;
}

TEST_F(DbTest, ADayIsMergedIntoOneFileAndReadsTheSame) {
  Open("a");
  for (int hour = 0; hour < 30; ++hour) {
    Rounds(hour * 240, hour * 240 + 240);
    ASSERT_TRUE(db_->Maintain(false).ok());
  }
  EXPECT_NE(metrics_.Expose().find("narthex_storage_day_merges_total 2\n"), std::string::npos);
  ExpectRounds(30 * 240);
  uint64_t bytes = 0;
  EXPECT_LE(FilesNamed(root_ / "a/store/db", ".sst", &bytes), 8);
  Kill();
  ExpectRounds(30 * 240);
  EXPECT_EQ(Select("m", kStart + 3600'000, kStart + 3600'000 + 14'999)["m{i=\"a\"}"],
            (Points{{kStart + 3600'000, 240 * 1.5}}));
}

TEST_F(DbTest, LateSamplesOfAMergedDayAreMergedIntoIt) {
  ooo_ = 48 * 3600'000;
  Open("a");
  for (int hour = 0; hour < 27; ++hour) {
    Rounds(hour * 240, hour * 240 + 240);
    ASSERT_TRUE(db_->Maintain(false).ok());
  }
  EXPECT_EQ(Append({{"__name__", "s"}}, kStart + 7, 5), AppendResult::kOk);
  EXPECT_EQ(Append({{"__name__", "m"}, {"i", "a"}}, kStart + 7, -1), AppendResult::kOk);
  for (int step = 0; step < 3; ++step) {
    EXPECT_EQ(Select("s")["s"], (Points{{kStart + 7, 5}})) << step;
    const Points a = Select("m")["m{i=\"a\"}"];
    ASSERT_EQ(a.size(), 27u * 240 + 1) << step;
    EXPECT_EQ(a[1], (std::pair<int64_t, double>(kStart + 7, -1)));
    ASSERT_TRUE(db_->Maintain(step == 0).ok());
  }
  EXPECT_NE(metrics_.Expose().find("narthex_storage_day_merges_total 2\n"), std::string::npos);
}

TEST_F(DbTest, CleanedDeletionsFreeTheirSpace) {
  Open("a");
  auto group = *db_->OpenGroup({{"job", "noise"}});
  std::mt19937_64 random(5);
  std::vector<Slot> slots;
  for (int i = 0; i < 20; ++i) {
    slots.push_back(*group->AddSeries({{"__name__", "noise"}, {"i", std::to_string(i)}}));
  }
  for (int i = 0; i < 27 * 240; ++i) {
    clock_.AdvanceMs(15'000);
    group->Begin(kStart + i * 15'000);
    for (Slot s : slots) group->Set(s, static_cast<double>(random()));
    ASSERT_TRUE(group->Commit().ok());
    if (i % 240 == 239) {
      ASSERT_TRUE(db_->Maintain(false).ok());
    }
  }
  ASSERT_TRUE(db_->Maintain(true).ok());
  uint64_t before = 0, after = 0;
  FilesNamed(root_ / "a/store/db", ".sst", &before);
  ASSERT_TRUE(
      db_->DeleteSeries({Matcher::Equal("__name__", "noise"), *Matcher::Create(MatchOp::kNotEqual, "i", "7")},
                        0, INT64_MAX)
          .ok());
  ASSERT_TRUE(db_->CleanTombstones().ok());
  FilesNamed(root_ / "a/store/db", ".sst", &after);
  EXPECT_LT(after, before / 10);
  const auto left = Select("noise");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left.begin()->second.size(), 27u * 240);
}

TEST_F(DbTest, AQueryKeepsItsViewWhileEverythingMoves) {
  Open("a");
  Rounds(0, 500);
  Append({{"__name__", "m"}, {"i", "loose"}}, kStart + 499 * 15'000, 1);
  auto q = *db_->NewQuerier(0, INT64_MAX);
  auto set = *q->Select({Matcher::Equal("__name__", "m")}, 0, INT64_MAX, {});
  ASSERT_EQ(set->size(), 3u);
  const auto sizes = [&] {
    std::vector<Row> rows;
    EXPECT_TRUE(set->ReadBlock(0, 3, &rows).ok());
    return std::vector<size_t>{rows[0].t.size(), rows[1].t.size(), rows[2].t.size()};
  };
  const std::vector<size_t> want = {500, 499, 1};
  EXPECT_EQ(sizes(), want);
  Append({{"__name__", "m"}, {"i", "loose"}}, kStart + 500 * 15'000, 2);
  Rounds(500, 510);
  EXPECT_EQ(sizes(), want) << "new samples";
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(sizes(), want) << "sealed";
  ASSERT_TRUE(db_->DeleteSeries({Matcher::Equal("__name__", "m")}, 0, INT64_MAX).ok());
  ASSERT_TRUE(db_->CleanTombstones().ok());
  EXPECT_TRUE(Select("m").empty());
  EXPECT_EQ(sizes(), want) << "cleaned";
}

}  // namespace
}  // namespace narthex::tsdb
