// What live senders write, step after step: series known by their senders' names, batches of floats, and the
// journal records that they make.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include "tests/tsdb/db_fixture.h"
#include "tests/tsdb/workload.h"
#include "tsdb/format/journal_format.h"
#include "tsdb/format/records.h"

namespace narthex::tsdb {
namespace {

Labels Named(int i) { return Labels({{"__name__", "m"}, {"i", std::to_string(i)}}); }
uint64_t NameOf(int i) { return 0x9e3779b97f4a7c15u * static_cast<uint64_t>(i + 1); }

class LooseAppenderTest : public DbTest {
 protected:
  void SetUp() override {
    DbTest::SetUp();
    clock_.StepWall(kStart + 3600'000 - clock_.NowMs());
  }

  // A request as the remote write receiver makes it: what is known by its name, the rest by its labels.
  std::vector<AppendResult> Send(Db* db, const std::vector<int>& series, int64_t t, double v, int* known) {
    auto app = db->NewAppender();
    std::vector<uint64_t> names;
    for (int i : series) names.push_back(NameOf(i));
    std::vector<SeriesRef> refs;
    app->Recall(names, &refs);
    *known =
        static_cast<int>(std::count_if(refs.begin(), refs.end(), [](SeriesRef ref) { return ref != 0; }));
    std::vector<AppendResult> out, some;
    std::vector<FloatSample> floats;
    for (size_t k = 0; k < series.size(); ++k) {
      const FloatSample f{refs[k], t, v + series[k]};
      if (refs[k] != 0) {
        EXPECT_TRUE(app->AppendFloats(std::vector<FloatSample>{f}, &some).ok());
        out.push_back(some[0]);
        continue;
      }
      SeriesRef ref = 0;
      out.push_back(*app->Append(&ref, Named(series[k]), Sample{f.t, f.v}));
      app->Remember(names[k], ref);
    }
    EXPECT_TRUE(app->Commit().ok());
    return out;
  }
  std::vector<AppendResult> Send(const std::vector<int>& series, int64_t t, double v) {
    return Send(db_.get(), series, t, v, &known_);
  }
  static std::vector<int> Series(int first, int count) {
    std::vector<int> out;
    for (int i = 0; i < count; ++i) out.push_back(first + i);
    return out;
  }

  int known_ = 0;
};

TEST_F(LooseAppenderTest, SeriesAreKnownByTheirNamesInAnyOrder) {
  Open("a");
  std::vector<int> series = Series(0, 50);
  Send(series, kStart, 1);
  EXPECT_EQ(known_, 0);
  std::mt19937 random(3);
  for (int step = 1; step < 5; ++step) {
    std::shuffle(series.begin(), series.end(), random);
    Send(series, kStart + step, 1);
    EXPECT_EQ(known_, 50);
  }
  series.push_back(77);
  Send(series, kStart + 5, 1);
  EXPECT_EQ(known_, 50);
  const auto got = Select("m");
  ASSERT_EQ(got.size(), 51u);
  for (int i = 0; i < 50; ++i) {
    const Points& points = got.at(Named(i).ToString());
    ASSERT_EQ(points.size(), 6u);
    for (const auto& [t, v] : points) EXPECT_EQ(v, 1 + i);
  }
}

TEST_F(LooseAppenderTest, TwoSendersMayCallASeriesByDifferentNames) {
  Open("a");
  for (const uint64_t name : {NameOf(1), NameOf(2)}) {
    auto app = db_->NewAppender();
    SeriesRef ref = 0;
    ASSERT_TRUE(app->Append(&ref, Named(7), Sample{kStart, 1}).ok());
    app->Remember(name, ref);
    ASSERT_TRUE(app->Commit().ok());
  }
  auto app = db_->NewAppender();
  std::vector<SeriesRef> refs;
  app->Recall(std::vector<uint64_t>{NameOf(1), NameOf(3), NameOf(2)}, &refs);
  EXPECT_NE(refs[0], 0u);
  EXPECT_EQ(refs[1], 0u);
  EXPECT_EQ(refs[2], refs[0]);
}

TEST_F(LooseAppenderTest, WhatWasNotCommittedIsNotRemembered) {
  Open("a");
  {
    auto app = db_->NewAppender();
    SeriesRef ref = 0;
    ASSERT_TRUE(app->Append(&ref, Named(1), Sample{kStart, 1}).ok());
    app->Remember(NameOf(1), ref);
  }
  Send({1}, kStart, 1);
  EXPECT_EQ(known_, 0);
}

TEST_F(LooseAppenderTest, NamesThatAreNeverTheSameDoNotFillTheMemory) {
  Open("a");
  for (int step = 0; step < 1000; ++step) {
    auto app = db_->NewAppender();
    for (int i = 0; i < 10; ++i) {
      SeriesRef ref = 0;
      ASSERT_TRUE(app->Append(&ref, Named(i), Sample{kStart + step, 1}).ok());
      app->Remember(NameOf(step * 10 + i), ref);
    }
    ASSERT_TRUE(app->Commit().ok());
  }
  auto app = db_->NewAppender();
  std::vector<uint64_t> names;
  for (int i = 0; i < 10'000; ++i) names.push_back(NameOf(i));
  std::vector<SeriesRef> refs;
  app->Recall(names, &refs);
  EXPECT_LT(std::count_if(refs.begin(), refs.end(), [](SeriesRef ref) { return ref != 0; }), 1100);
  EXPECT_NE(refs.back(), 0u);
}

// A removed series' name must not lead to the series that got its number.
TEST_F(LooseAppenderTest, ARemovedSeriesIsForgotten) {
  retention_ = 2 * 3600'000;
  Open("a");
  Send(Series(0, 20), kStart + 3600'000 - 5000, 1);
  for (int hour = 0; hour < 30; ++hour) {
    clock_.AdvanceMs(3600'000);
    Send({100}, clock_.NowMs(), 1);
    ASSERT_TRUE(db_->Maintain(true).ok());
  }
  EXPECT_EQ(db_->GetStatus(1)->head_series, 1u);
  Send(Series(50, 20), clock_.NowMs() + 1, 5);
  EXPECT_EQ(known_, 0);
  Send(Series(0, 20), clock_.NowMs() + 2, 7);
  EXPECT_EQ(known_, 0);
  const auto got = Select("m");
  EXPECT_EQ(got.size(), 41u);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(got.at(Named(i).ToString()), (Points{{clock_.NowMs() + 2, 7 + i}}));
    EXPECT_EQ(got.at(Named(50 + i).ToString()), (Points{{clock_.NowMs() + 1, 55 + i}}));
  }
}

// Any batch gives the same answers and leaves the same samples, whichever way it comes in.
TEST_F(LooseAppenderTest, FloatsInBatchesAreJudgedAsOneByOne) {
  for (const int64_t ooo : {0, 120'000}) {
    ooo_ = ooo;
    Open("batch" + std::to_string(ooo));
    auto other = *Db::Open(MakeOptions("single" + std::to_string(ooo)));
    std::mt19937_64 random(static_cast<uint64_t>(ooo) + 5);
    for (int step = 0; step < 120; ++step) {
      clock_.AdvanceMs(1000);
      auto batch = db_->NewAppender(), single = other->NewAppender();
      std::vector<FloatSample> floats;
      std::vector<Labels> labels;
      std::vector<AppendResult> want, got;
      for (uint64_t n = random() % 60; n > 0; --n) {
        const int i = static_cast<int>(random() % 40);
        int64_t t = clock_.NowMs() - static_cast<int64_t>(random() % 4) * 400;
        if (random() % 50 == 0) t = clock_.NowMs() - 7200'000;
        if (random() % 100 == 0) t = INT64_MIN / 2 - 1;
        const double v = static_cast<double>(random() % 3);
        SeriesRef ref = 0;
        labels.push_back(Named(i));
        want.push_back(*single->Append(&ref, labels.back(), Sample{t, v}));
        std::vector<SeriesRef> refs;
        batch->Recall(std::vector<uint64_t>{NameOf(i)}, &refs);
        if (refs[0] == 0) {
          SeriesRef first = 0;
          got.push_back(*batch->Append(&first, labels.back(), Sample{t, v}));
          batch->Remember(NameOf(i), first);
          continue;
        }
        floats.push_back({refs[0], t, v});
        if (random() % 3 == 0 || n == 1) {
          std::vector<AppendResult> some;
          ASSERT_TRUE(batch->AppendFloats(floats, &some).ok());
          got.insert(got.end(), some.begin(), some.end());
          floats.clear();
        }
      }
      std::vector<AppendResult> some;
      ASSERT_TRUE(batch->AppendFloats(floats, &some).ok());
      got.insert(got.end(), some.begin(), some.end());
      // Floats that waited come behind what was not known: compare what was counted, and the samples.
      std::sort(got.begin(), got.end());
      std::sort(want.begin(), want.end());
      ASSERT_EQ(got.size(), want.size());
      ASSERT_TRUE(single->Commit().ok());
      ASSERT_TRUE(batch->Commit().ok());
      if (step % 25 == 24) {
        ASSERT_TRUE(db_->Maintain(true).ok());
        ASSERT_TRUE(other->Maintain(true).ok());
      }
    }
    EXPECT_EQ(Difference(ReadContent(*other), ReadContent(*db_)), "");
  }
}

TEST_F(LooseAppenderTest, AllIsThereAfterAKillBetweenAnyTwoSteps) {
  Open("a");
  std::mt19937_64 random(9);
  std::map<int, Points> want;
  for (int step = 0; step < 150; ++step) {
    const int64_t t = kStart + step * 5000;
    // Requests begin and end anywhere; sometimes a series has a second sample in one.
    std::vector<int> series = Series(static_cast<int>(random() % 30), 16 + static_cast<int>(random() % 40));
    const double v = static_cast<double>(random() % 1000) / (random() % 2 == 0 ? 1 : 7);
    Send(series, t, v);
    for (int i : series) want[i].emplace_back(t, v + i);
    if (step % 3 == 0) {
      Send(Series(0, 5), t + 1, 3);  // too few for a record of floats
      for (int i : Series(0, 5)) want[i].emplace_back(t + 1, 3 + i);
    }
    if (step % 40 == 39) {
      ASSERT_TRUE(db_->Maintain(true).ok());
    }
    if (random() % 8 != 0) continue;
    Kill();
    const auto got = Select("m");
    for (const auto& [i, points] : want) ASSERT_EQ(got.at(Named(i).ToString()), points) << "series " << i;
  }
}

TEST_F(LooseAppenderTest, SendersAtTheSameTimeDoNotMixTheirSeriesUp) {
  Open("a");
  constexpr int kSenders = 3, kSeries = 60, kSteps = 80;
  std::atomic<bool> over = false;
  std::thread maintenance([&] {
    while (!over) EXPECT_TRUE(db_->Maintain(true).ok());
  });
  std::vector<std::thread> senders;
  for (int s = 0; s < kSenders; ++s) {
    senders.emplace_back([this, s] {
      for (int step = 0; step < kSteps; ++step) {
        int known = 0;
        Send(db_.get(), Series(1000 * (s + 1), kSeries), kStart + step * 5000, step, &known);
        EXPECT_EQ(known, step == 0 ? 0 : kSeries);
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  over = true;
  maintenance.join();
  Send(Series(1000, kSeries), kStart + kSteps * 5000, kSteps);
  Kill();
  const auto got = Select("m");
  ASSERT_EQ(got.size(), size_t{kSenders * kSeries});
  for (int s = 0; s < kSenders; ++s) {
    for (int i : Series(1000 * (s + 1), kSeries)) {
      const Points& points = got.at(Named(i).ToString());
      ASSERT_EQ(points.size(), static_cast<size_t>(kSteps + (s == 0 ? 1 : 0)));
      for (const auto& [t, v] : points) ASSERT_EQ(v, static_cast<double>((t - kStart) / 5000 + i));
    }
  }
}

// Series with histograms, start timestamps and several samples stand beside plain ones in one commit.
TEST_F(LooseAppenderTest, AllKindsOfSamplesInOneCommitSurviveAKill) {
  Open("a");
  std::mt19937_64 random(11);
  for (int step = 0; step < 60; ++step) {
    auto app = db_->NewAppender();
    for (int i = 0; i < 30; ++i) {
      SeriesRef ref = 0;
      int64_t t = kStart + step * 5000;
      for (uint64_t n = random() % 4 == 0 ? 3 : 1; n > 0; --n, t += 100) {
        Sample s{t, AnyValue(&random, step)};
        if (random() % 6 == 0) s.h = AnyHistogram(&random);
        if (random() % 9 == 0) s.start_t = t - 50;
        ASSERT_EQ(*app->Append(&ref, Named(i), s), AppendResult::kOk);
      }
    }
    ASSERT_TRUE(app->Commit().ok());
    if (step % 20 != 19) continue;
    const Content before = ReadContent(*db_);
    Kill();
    ASSERT_EQ(Difference(before, ReadContent(*db_)), "");
  }
  const Content before = ReadContent(*db_);
  ASSERT_TRUE(db_->Maintain(true).ok());
  EXPECT_EQ(Difference(before, ReadContent(*db_)), "");
}

TEST_F(LooseAppenderTest, ALostRecordTakesFewOthersWithItAndNothingIsMadeUp) {
  Open("a");
  for (int step = 0; step < 100; ++step) Send(Series(0, 32), kStart + step * 5000, step);
  db_.reset();
  const fs::path segment = root_ / "a/journal/00000001";
  std::string bytes;
  {
    std::ifstream in(segment, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  // Another byte in the payload of the 41st record.
  size_t at = 32;
  for (int i = 0; i < 40; ++i) at += 16 + GetFixed32(bytes.data() + at);
  bytes[at + 20] ^= 1;
  std::ofstream(segment, std::ios::binary) << bytes;
  Open("a");
  const auto got = Select("m");
  ASSERT_EQ(got.size(), 32u);
  for (int i = 0; i < 32; ++i) {
    const Points& points = got.at(Named(i).ToString());
    EXPECT_GE(points.size(), 100u - 32);
    EXPECT_LT(points.size(), 100u);
    for (const auto& [t, v] : points) ASSERT_EQ(v, static_cast<double>((t - kStart) / 5000 + i));
  }
  // What comes now stands on what is left.
  Send(Series(0, 32), kStart + 100 * 5000, 100);
  Kill();
  EXPECT_EQ(Select("m").at(Named(3).ToString()).back(), std::pair(kStart + 100 * 5000, 103.0));
}

TEST_F(LooseAppenderTest, AJournalOfTheFirstFormatIsRead) {
  Open("a");
  Send(Series(0, 10), kStart, 1);  // so few are written as ever
  db_.reset();
  const fs::path format = root_ / "a" / "FORMAT";
  std::ofstream(format) << "narthex-storage 1\n";
  Open("a");
  Send(Series(0, 20), kStart + 1, 2);
  Kill();
  EXPECT_EQ(Select("m").at(Named(4).ToString()), (Points{{kStart, 5}, {kStart + 1, 6}}));
  std::string text;
  std::getline(std::ifstream(format) >> std::ws, text);
  EXPECT_EQ(text, "narthex-storage 4");
}

TEST_F(LooseAppenderTest, SteadySendersCostFewBytesASample) {
  Open("a");
  for (int step = 0; step < 40; ++step) Send(Series(0, 1000), kStart + step * 5000, step);
  db_.reset();
  std::string bytes;
  {
    std::ifstream in(root_ / "a/journal/00000001", std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  size_t end = 32;
  while (end + 16 <= bytes.size() && GetFixed32(bytes.data() + end) != 0)
    end += 16 + GetFixed32(bytes.data() + end);
  EXPECT_LT(end, 40'000u * 13 / 10);  // a byte and a bit each
}

}  // namespace
}  // namespace narthex::tsdb
