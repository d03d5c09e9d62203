// Series of a label pair: few and many, in a row and scattered, against a plain set.
#include "tsdb/postings.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <set>

#include "gtest/gtest.h"

namespace narthex::tsdb {
namespace {

std::vector<SeriesId> All(const Postings& postings) {
  std::vector<SeriesId> out;
  postings.AppendTo(&out);
  return out;
}

std::vector<SeriesId> Sorted(const std::set<SeriesId>& ids) { return {ids.begin(), ids.end()}; }

void ExpectSame(const Postings& postings, const std::set<SeriesId>& model, std::mt19937* random) {
  ASSERT_EQ(postings.size(), model.size());
  ASSERT_EQ(postings.empty(), model.empty());
  ASSERT_EQ(All(postings), Sorted(model));
  std::vector<SeriesId> asked;
  for (SeriesId id = (*random)() % 5; id < 100'000; id += 1 + (*random)() % 300) asked.push_back(id);
  for (const bool in : {true, false}) {
    std::vector<SeriesId> kept = asked, expected = asked;
    postings.Keep(in, &kept);
    std::erase_if(expected, [&](SeriesId id) { return model.contains(id) != in; });
    ASSERT_EQ(kept, expected);
  }
}

TEST(Postings, AreAnAscendingSetWhileSeriesComeAndGo) {
  std::mt19937 random(7);
  for (const SeriesId stride : {1u, 2u, 37u, 1000u}) {
    Postings postings;
    std::set<SeriesId> model;
    for (int round = 0; round < 12; ++round) {
      SeriesId id = random() % 50'000;
      for (size_t i = random() % 400; i > 0; --i, id += 1 + random() % stride) {
        postings.Add(id);
        postings.Add(id);  // once is enough
        model.insert(id);
      }
      ExpectSame(postings, model, &random);
      Roaring gone;
      for (const SeriesId s : All(postings)) {
        if (random() % 3 != 0) gone.add(s);
      }
      if (round % 4 == 3) gone.addRange(0, 200'000);
      postings.Remove(gone);
      std::erase_if(model, [&](SeriesId s) { return gone.contains(s); });
      ExpectSame(postings, model, &random);
    }
  }
}

TEST(Postings, WhatTwoHaveInCommon) {
  std::mt19937 random(11);
  for (const size_t one : {0u, 1u, 30u, 500u, 20'000u}) {
    for (const size_t other : {0u, 20u, 33u, 3'000u, 40'000u}) {
      Postings a, b;
      std::set<SeriesId> in_a, expected;
      for (size_t i = 0; i < one; ++i) in_a.insert(static_cast<SeriesId>(random() % 90'000));
      for (const SeriesId id : in_a) a.Add(id);
      std::set<SeriesId> in_b;
      const SeriesId stride = random() % 3 + 1;
      for (size_t i = 0; i < other; ++i) in_b.insert(static_cast<SeriesId>(i * stride));
      for (const SeriesId id : in_b) {
        b.Add(id);
        if (in_a.contains(id)) expected.insert(id);
      }
      EXPECT_EQ(a.Common(b), Sorted(expected));
      EXPECT_EQ(b.Common(a), Sorted(expected));
    }
  }
}

TEST(Postings, OfOthersOnlyThoseInCommonAreAskedFor) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    Postings postings;
    std::set<SeriesId> here, among;
    const uint32_t range = 1 + random() % 3000;
    for (uint32_t i = 0, n = random() % 200; i < n; ++i) here.insert(1 + random() % range);
    for (uint32_t i = 0, n = random() % 200; i < n; ++i) among.insert(1 + random() % range);
    for (const SeriesId id : here) postings.Add(id);
    std::vector<SeriesId> common, asked;
    std::set_intersection(here.begin(), here.end(), among.begin(), among.end(), std::back_inserter(common));
    const std::vector<SeriesId> list(among.begin(), among.end());
    EXPECT_FALSE(postings.AnyOf(list, [&](std::span<const SeriesId> some) {
      asked.insert(asked.end(), some.begin(), some.end());
      return false;
    }));
    EXPECT_EQ(asked, common);
    const auto last = [&](std::span<const SeriesId> some) { return some.back() == common.back(); };
    EXPECT_EQ(postings.AnyOf(list, last), !common.empty());
  }
}

TEST(Postings, SeriesAreAskedForUntilOnePasses) {
  for (const SeriesId last : {1u, 16u, 17u, 32u, 33u, 80u, 81u, 100'000u}) {
    Postings postings;
    for (SeriesId id = 1; id <= last; ++id) postings.Add(id);
    SeriesId next = 1;
    const auto in_order = [&](std::span<const SeriesId> some) {
      for (const SeriesId id : some) EXPECT_EQ(id, next++);
      return false;
    };
    EXPECT_FALSE(postings.Any(in_order));
    EXPECT_EQ(next, last + 1);
    EXPECT_TRUE(postings.Any([&](std::span<const SeriesId> some) { return some.back() >= last; }));
  }
  EXPECT_FALSE(Postings().Any([](std::span<const SeriesId> some) { return !some.empty(); }));
}

TEST(Postings, SeriesInARowTakeNextToNothing) {
  Postings row, strides;
  for (SeriesId id = 1; id <= 100'000; ++id) row.Add(id);
  for (SeriesId id = 1; id <= 100'000; id += 10) strides.Add(id);
  EXPECT_LT(row.MemoryBytes(), 30'000u);
  EXPECT_LT(strides.MemoryBytes(), 10'000u * 3 + 500);
}

}  // namespace
}  // namespace narthex::tsdb
