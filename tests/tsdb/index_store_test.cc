// Series and slots in the store: rows of before format 4, rows of many, and what goes out of them.
#include <fstream>

#include "tests/tsdb/db_fixture.h"
#include "tsdb/format/bytes.h"
#include "tsdb/format/index_rows.h"
#include "tsdb/format/keys.h"
#include "tsdb/rocks_store.h"

namespace narthex::tsdb {
namespace {

class IndexStoreTest : public DbTest {
 protected:
  // The index of the closed store, key by key.
  using Content = std::map<std::string, std::string>;
  std::unique_ptr<RocksStore> OpenStore() {
    auto store = RocksStore::Open((root_ / "a" / "store").string(), nullptr,
                                  metrics_.GetCounter("written", "Of the test.", {}), &logger_,
                                  [](const std::string& what) { ADD_FAILURE() << what; });
    EXPECT_TRUE(store.ok()) << store.status();
    return std::move(*store);
  }
  Content Rows(std::string_view prefix) {
    Content out;
    const auto store = OpenStore();
    EXPECT_TRUE(store
                    ->Scan(prefix,
                           [&](std::string_view key, std::string_view value) {
                             out.emplace(key, value);
                             return true;
                           })
                    .ok());
    return out;
  }
  size_t SeriesInRows() {
    size_t n = 0;
    SeriesRow row;
    for (const auto& [key, value] : Rows("I")) {
      EXPECT_TRUE(DecodeSeriesRow(value, &row));
      n += row.ids.size();
    }
    return n;
  }
  // As a program wrote it that knew format 3.
  void MakeOld() {
    IndexBatch batch;
    SeriesRow row;
    for (const auto& [key, value] : Rows("I")) {
      ASSERT_TRUE(DecodeSeriesRow(value, &row));
      for (size_t i = 0; i < row.ids.size(); ++i) {
        std::string labels;
        for (size_t k = i == 0 ? 0 : row.ends[i - 1]; k < row.ends[i]; ++k)
          labels += row.pairs[row.labels[k]];
        batch.puts.emplace_back(SeriesKey(row.ids[i]), labels);
      }
      batch.deletes.push_back(key);
    }
    std::vector<SlotRun> runs;
    for (const auto& [key, value] : Rows("K")) {
      ASSERT_TRUE(DecodeSlotRow(value, &runs));
      for (const SlotRun& run : runs) {
        for (uint32_t i = 0; i < run.length; ++i) {
          std::string id;
          PutBig32(&id, run.series + i);
          batch.puts.emplace_back(SlotKey(GetBig32(key.data() + 1), run.slot + i), id);
        }
      }
      batch.deletes.push_back(key);
    }
    ASSERT_TRUE(OpenStore()->Write(batch, true).ok());
    std::ofstream(root_ / "a" / "FORMAT") << "narthex-storage 3\n";
  }
};

TEST_F(IndexStoreTest, RowsOfFormat3AreReadAndTurnedIntoNewOnes) {
  Open("a");
  Rounds(0, 30);
  for (int i = 0; i < 600; ++i) Append({{"__name__", "loose"}, {"i", std::to_string(i)}}, kStart, i);
  db_.reset();
  const size_t series = SeriesInRows();
  ASSERT_EQ(series, 602u);
  MakeOld();
  Open("a");
  ExpectRounds(30);
  EXPECT_EQ(Select("loose").size(), 600u);
  Rounds(30, 60);
  Kill();  // both kinds of rows
  ExpectRounds(60);
  ASSERT_TRUE(db_->Maintain(false).ok());
  ExpectRounds(60);
  db_.reset();
  EXPECT_TRUE(Rows("S").empty() && Rows("L").empty());
  EXPECT_EQ(SeriesInRows(), series);
  EXPECT_LE(Rows("I").size(), 3u);
  EXPECT_EQ(Rows("K").size(), 1u);
  Open("a");
  ExpectRounds(60);
  Rounds(60, 90);
  ExpectRounds(90);
  EXPECT_EQ(Select("loose").size(), 600u);
}

TEST_F(IndexStoreTest, SeriesThatComeOneByOneAreJoined) {
  Open("a");
  auto group = db_->OpenGroup({{"job", "x"}});
  for (int i = 0; i < 500; ++i) {
    clock_.AdvanceMs(1000);
    const Slot slot = *(*group)->AddSeries({{"__name__", "m"}, {"i", std::to_string(i)}});
    (*group)->Begin(kStart + i * 1000);
    (*group)->Set(slot, i);
    ASSERT_TRUE((*group)->Commit().ok());
  }
  (*group).reset();
  Kill();
  EXPECT_EQ(Select("m").size(), 500u);
  db_.reset();
  EXPECT_EQ(Rows("I").size(), 500u);
  EXPECT_EQ(Rows("K").size(), 500u);
  Open("a");
  ASSERT_TRUE(db_->Maintain(false).ok());
  Kill();
  EXPECT_EQ(Select("m").size(), 500u);
  db_.reset();
  EXPECT_LE(Rows("I").size(), 3u);
  EXPECT_EQ(Rows("K").size(), 1u);
  EXPECT_EQ(SeriesInRows(), 500u);
}

// What is removed goes out of its row; the others stay, and ids that are used again name who has them now.
TEST_F(IndexStoreTest, RemovedSeriesAndSlotsLeaveTheirRows) {
  retention_ = 4 * 3600'000;
  Open("a");
  auto group = db_->OpenGroup({{"job", "x"}});
  std::vector<Slot> slots;
  for (int i = 0; i < 40; ++i)
    slots.push_back(*(*group)->AddSeries({{"__name__", "m"}, {"i", std::to_string(i)}}));
  const auto round = [&] {
    clock_.AdvanceMs(600'000);
    (*group)->Begin(clock_.NowMs());
    for (const Slot slot : slots) (*group)->Set(slot, 1);
    ASSERT_TRUE((*group)->Commit().ok());
  };
  ASSERT_NO_FATAL_FAILURE(round());
  for (size_t i = 10; i < 30; ++i) (*group)->Release(slots[i]);
  slots.erase(slots.begin() + 10, slots.begin() + 30);
  for (int i = 0; i < 100; ++i) {
    ASSERT_NO_FATAL_FAILURE(round());
    ASSERT_TRUE(db_->Maintain(i % 6 == 0).ok());
  }
  const auto expect = [&](const std::map<int, int>& gone_and_new) {
    for (int i = 0; i < 40; ++i) {
      const bool stays = i < 10 || i >= 30;
      EXPECT_EQ(Select("m", kStart).count("m{i=\"" + std::to_string(i) + "\"}"), stays ? 1u : 0u) << i;
    }
    for (const auto& [name, count] : gone_and_new) {
      EXPECT_EQ(Select("n", kStart).count("n{i=\"" + std::to_string(name) + "\"}"),
                static_cast<size_t>(count));
    }
  };
  expect({});
  (*group).reset();
  db_.reset();
  EXPECT_EQ(SeriesInRows(), 20u);
  std::vector<SlotRun> runs;
  size_t in_rows = 0;
  for (const auto& [key, value] : Rows("K")) {
    ASSERT_TRUE(DecodeSlotRow(value, &runs));
    for (const SlotRun& run : runs) in_rows += run.length;
  }
  EXPECT_EQ(in_rows, 20u);
  Open("a");
  for (int i = 0; i < 15; ++i) Append({{"__name__", "n"}, {"i", std::to_string(i)}}, clock_.NowMs(), i);
  Kill();
  expect({{0, 1}, {14, 1}, {15, 0}});
  auto again = db_->OpenGroup({{"job", "x"}});
  slots.clear();
  for (int i = 0; i < 10; ++i)
    slots.push_back(*(*again)->AddSeries({{"__name__", "m"}, {"i", std::to_string(i)}}));
  EXPECT_EQ(slots.back(), 9u) << "they have the slots that they had";
}

TEST_F(IndexStoreTest, ARowThatDoesNotCheckCostsItsOwnSeries) {
  Open("a");
  for (int i = 0; i < 1500; ++i) {
    auto app = db_->NewAppender();
    SeriesRef ref = 0;
    ASSERT_TRUE(app->Append(&ref, {{"__name__", "m"}, {"i", std::to_string(i)}}, Sample{kStart, 1}).ok());
    ASSERT_TRUE(app->Commit().ok());
  }
  ASSERT_TRUE(db_->Maintain(false).ok());
  db_.reset();
  Content rows = Rows("I");
  ASSERT_GE(rows.size(), 5u);
  auto bad = std::next(rows.begin(), 2);
  SeriesRow row;
  ASSERT_TRUE(DecodeSeriesRow(bad->second, &row));
  const size_t lost = row.ids.size();
  IndexBatch batch;
  batch.puts.emplace_back(bad->first, bad->second.substr(0, bad->second.size() - 1) + "x");
  ASSERT_TRUE(OpenStore()->Write(batch, true).ok());
  Open("a");
  EXPECT_EQ(Select("m").size(), 1500 - lost);
  // Who comes again gets another id: the samples of the old one are nobody's.
  for (int i = 0; i < 1500; ++i) Append({{"__name__", "m"}, {"i", std::to_string(i)}}, kStart + 1, 2);
  Kill();
  const auto all = Select("m");
  EXPECT_EQ(all.size(), 1500u);
  size_t whole = 0;
  for (const auto& [labels, points] : all) {
    EXPECT_EQ(points.back(), (std::pair<int64_t, double>(kStart + 1, 2))) << labels;
    whole += points.size() == 2;
  }
  EXPECT_EQ(whole, 1500 - lost);
}

}  // namespace
}  // namespace narthex::tsdb
