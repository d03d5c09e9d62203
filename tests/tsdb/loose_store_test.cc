#include "tsdb/loose_store.h"

#include <random>

#include "gtest/gtest.h"
#include "tests/tsdb/workload.h"

namespace narthex::tsdb {
namespace {

TEST(LooseStore, ReadsTheSameFromAMarkAsFromTheBeginning) {
  std::mt19937 random(1);
  LooseStore store;
  std::vector<int64_t> all_times;
  std::vector<double> all_values;
  int64_t t = -500'000;
  for (int i = 0; i < 200; ++i) {
    t += random() % 4 == 0 ? 1 + static_cast<int64_t>(random() % 40'000) : 15'000;
    const double v =
        random() % 3 == 0 ? static_cast<double>(random()) / 7 : static_cast<double>(random() % 1000) / 4;
    store.Add({5, {t, v, nullptr, 0}});
    all_times.push_back(t);
    all_values.push_back(v);
    for (const int64_t mint : {INT64_MIN, t - 1'000'000, t - 300'000, t, t + 1}) {
      for (const uint32_t limit : {UINT32_MAX, static_cast<uint32_t>(i + 1) / 2}) {
        std::vector<int64_t> times;
        std::vector<double> values;
        ASSERT_TRUE(store.ReadFloats(5, limit, &times, &values, mint));
        const size_t end = std::min<size_t>(limit, all_times.size()), begin = end - times.size();
        ASSERT_TRUE(begin == 0 || all_times[begin - 1] < mint);
        ASSERT_TRUE(
            std::equal(times.begin(), times.end(), all_times.begin() + static_cast<ptrdiff_t>(begin)));
        ASSERT_TRUE(
            std::equal(values.begin(), values.end(), all_values.begin() + static_cast<ptrdiff_t>(begin)));
      }
    }
  }
}

// Whatever comes first in a column, and at its marks: samples are shorter and longer than the blocks they lie
// in.
TEST(LooseStore, GivesBackSamplesOfEverySizeInEveryOrder) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 300; ++round) {
    LooseStore store;
    std::vector<Sample> all;
    int64_t t = 1'700'000'000'000;
    for (int i = 0; i < 70; ++i) {
      Sample s;
      s.t = t += 15'000 - (random() % 9 == 0 ? 40'000 : 0);
      if (random() % 3 != 0)
        s.h = AnyHistogram(&random);
      else
        s.v = AnyValue(&random, i);
      if (random() % 5 == 0) s.start_t = t - 1;
      store.Add({static_cast<SeriesId>(1 + i % 2), s});
      if (i % 2 == 0) all.push_back(std::move(s));
    }
    std::vector<Sample> got;
    store.Read(1, UINT32_MAX, &got);
    ASSERT_EQ(got.size(), all.size()) << round;
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(got[i].t, all[i].t);
      EXPECT_EQ(CellText(got[i].v, got[i].h, got[i].start_t), CellText(all[i].v, all[i].h, all[i].start_t));
    }
  }
}

TEST(LooseStore, SaysWhichSeriesAreNotPlainFloatsInOrder) {
  LooseStore store;
  std::vector<int64_t> times;
  std::vector<double> values;
  store.Add({1, {1000, 1, nullptr, 0}});
  store.Add({1, {1000, 2, nullptr, 0}});
  store.Add({2, {1000, 1, nullptr, 0}});
  store.Add({2, {900, 1, nullptr, 0}});
  store.Add({3, {1000, 1, nullptr, 500}});
  for (const SeriesId id : {1, 2, 3}) EXPECT_FALSE(store.ReadFloats(id, UINT32_MAX, &times, &values));
  EXPECT_TRUE(store.ReadFloats(4, UINT32_MAX, &times, &values));
  EXPECT_TRUE(times.empty());
}

}  // namespace
}  // namespace narthex::tsdb
