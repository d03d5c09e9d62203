// Times at the edges of 32 and 64 bits, and the size that retention counts.
#include <algorithm>
#include <fstream>

#include "tests/tsdb/db_fixture.h"
#include "tests/tsdb/workload.h"

namespace narthex::tsdb {
namespace {

std::vector<int64_t> EdgeTimes() {
  std::vector<int64_t> out;
  for (int64_t edge : {int64_t{0}, int64_t{1} << 31, int64_t{1} << 32, int64_t{1} << 53, kMaxTime}) {
    for (int64_t t : {edge - 1, edge, edge + 1, -edge - 1, -edge, -edge + 1})
      if (IsStorableTime(t)) out.push_back(t);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

class EdgeTest : public DbTest {
 protected:
  EdgeTest() { retention_ = 0; }
  // By every way to read: all at once, one by one, inspection.
  void Expect(const std::string& metric, const std::vector<int64_t>& times, const char* when) {
    Points want;
    for (size_t i = 0; i < times.size(); ++i) want.emplace_back(times[i], static_cast<double>(i));
    EXPECT_EQ(Select(metric, INT64_MIN, INT64_MAX).begin()->second, want) << when;
    for (const auto& [t, v] : want) {
      const auto one = Select(metric, t, t);
      ASSERT_EQ(one.size(), 1u) << when << " " << t;
      const Points& got = one.begin()->second;
      EXPECT_TRUE(std::count(got.begin(), got.end(), std::pair(t, v)) == 1) << when << " " << t;
    }
    std::vector<std::string> problems;
    InspectHooks hooks;
    hooks.problem = [&](const std::string& text) { problems.push_back(text); };
    const auto blocks = db_->Inspect(hooks);
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    EXPECT_EQ(problems, std::vector<std::string>{}) << when;
    uint64_t samples = 0;
    for (const BlockInfo& b : *blocks) samples += b.samples;
    EXPECT_EQ(samples, times.size()) << when;
  }
  void ExpectEverywhere(const std::string& metric, const std::vector<int64_t>& times) {
    Expect(metric, times, "in memory");
    Kill();
    Expect(metric, times, "out of the journal");
    ASSERT_TRUE(db_->Maintain(true).ok());
    Expect(metric, times, "sealed");
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(db_->Maintain(true).ok());
    Expect(metric, times, "merged");
    Kill();
    Expect(metric, times, "opened again");
  }
};

TEST_F(EdgeTest, SamplesAtTheEdgesOfTime) {
  Open("a");
  const std::vector<int64_t> times = EdgeTimes();
  for (size_t i = 0; i < times.size(); ++i)
    ASSERT_EQ(Append({{"__name__", "edge"}}, times[i], static_cast<double>(i)), AppendResult::kOk)
        << times[i];
  ExpectEverywhere("edge", times);
}

TEST_F(EdgeTest, RoundsAtTheEdgesOfTime) {
  Open("a");
  const std::vector<int64_t> times = EdgeTimes();
  {
    auto group = *db_->OpenGroup({{"job", "x"}});
    const Slot slot = *group->AddSeries({{"__name__", "edge"}});
    for (size_t i = 0; i < times.size(); ++i) {
      group->Begin(times[i]);
      ASSERT_EQ(group->Set(slot, static_cast<double>(i)), AppendResult::kOk);
      ASSERT_TRUE(group->Commit().ok());
    }
  }
  ExpectEverywhere("edge", times);
}

TEST_F(EdgeTest, HistoryAtTheEdgesOfTime) {
  Open("a");
  const std::vector<int64_t> times = EdgeTimes();
  std::vector<double> values;
  for (size_t i = 0; i < times.size(); ++i) values.push_back(static_cast<double>(i));
  {
    auto writer = *db_->NewHistoryWriter("test");
    SeriesRef ref = 0;
    ASSERT_TRUE(writer->Add(&ref, {{"__name__", "edge"}}, {times, values, {}, {}, {}}).ok());
    ASSERT_TRUE(writer->Commit().ok());
  }
  Expect("edge", times, "imported");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(db_->Maintain(true).ok());
  Expect("edge", times, "merged");
}

TEST_F(EdgeTest, WhatIsBeyondIsRefused) {
  Open("a");
  const Labels labels{{"__name__", "m"}};
  ASSERT_EQ(Append(labels, kStart, 1), AppendResult::kOk);
  const std::vector<int64_t> beyond = {INT64_MIN,    INT64_MIN + 1, kMinTime - 1,
                                       kMaxTime + 1, INT64_MAX - 1, INT64_MAX};
  auto group = *db_->OpenGroup({{"job", "x"}});
  const Slot slot = *group->AddSeries(labels);
  for (int64_t t : beyond) {
    EXPECT_EQ(Append(labels, t, 2), AppendResult::kOutOfBounds) << t;
    group->Begin(kStart + 1);
    EXPECT_EQ(group->SetSample(slot, Sample{t, 2}, true), AppendResult::kOutOfBounds) << t;
    ASSERT_TRUE(group->Commit().ok());
    group->Begin(t);
    (void)group->Set(slot, 2);
    EXPECT_EQ(group->Commit().status().message(), "out of bounds: time " + std::to_string(t));
    const double v = 2;
    SeriesRef ref = 0;
    auto writer = *db_->NewHistoryWriter("test");
    EXPECT_EQ(writer->Add(&ref, labels, {{&t, 1}, {&v, 1}, {}, {}, {}}).message(),
              "out of bounds: times of series m");
  }
  EXPECT_EQ(Select("m", INT64_MIN, INT64_MAX).begin()->second, (Points{{kStart, 1}}));
}

// Everything in the directory counts, whatever it is.
TEST_F(EdgeTest, RetentionBySizeCountsEverything) {
  Open("a");
  Rounds(0, 3000);
  ASSERT_TRUE(db_->Maintain(true).ok());
  const auto bytes = [&] {
    uint64_t sum = 0;
    for (const auto& f : fs::recursive_directory_iterator(root_ / "a")) {
      if (f.is_regular_file() && f.path().string().find("/snapshots/") == std::string::npos)
        sum += f.file_size();
    }
    return static_cast<int64_t>(sum);
  };
  const size_t blocks = db_->Blocks().size();
  ASSERT_GT(blocks, 8u);
  const auto limit = [&](int64_t size) {
    ASSERT_TRUE(db_->ApplyRetention(0, size, 0).ok());
    ASSERT_TRUE(db_->Maintain(false).ok());
  };
  limit(bytes() + 100'000);
  EXPECT_EQ(db_->Blocks().size(), blocks) << "all fits";
  // The journal alone is most of it; a file that is being written, and what lies about, count as well.
  for (const char* place : {"journal/spare-99", "store/ingest/99.sst", "leftover"}) {
    ASSERT_TRUE(db_->ApplyRetention(0, bytes() + 100'000, 0).ok());
    ASSERT_TRUE(db_->Maintain(false).ok());
    const size_t before = db_->Blocks().size();
    std::ofstream(root_ / "a" / place, std::ios::binary) << std::string(200'000, 'x');
    ASSERT_TRUE(db_->Maintain(false).ok());
    EXPECT_LT(db_->Blocks().size(), before) << place << " is not counted";
    fs::remove(root_ / "a" / place);
    Rounds(static_cast<int>((clock_.NowMs() - kStart) / 15'000),
           static_cast<int>((clock_.NowMs() - kStart) / 15'000) + 960);
    ASSERT_TRUE(db_->Maintain(true).ok());
  }
  // Snapshots are the operator's.
  limit(bytes() + 100'000);
  const size_t before = db_->Blocks().size();
  fs::create_directories(root_ / "a" / "snapshots" / "s");
  std::ofstream(root_ / "a" / "snapshots" / "s" / "f", std::ios::binary) << std::string(400'000, 'x');
  ASSERT_TRUE(db_->Maintain(false).ok());
  EXPECT_EQ(db_->Blocks().size(), before);
  // What cannot be reached takes all but the newest.
  limit(1);
  EXPECT_EQ(db_->Blocks().size(), 1u);
}

}  // namespace
}  // namespace narthex::tsdb
