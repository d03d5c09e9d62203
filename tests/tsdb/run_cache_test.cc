#include "tsdb/run_cache.h"

#include "gtest/gtest.h"

namespace narthex::tsdb {
namespace {

std::shared_ptr<const CachedRuns> Runs(size_t leaders) {
  return std::make_shared<const CachedRuns>(CachedRuns{{"prefix", std::vector<SeriesId>(leaders, 7)}});
}

TEST(RunCache, ForgetsAllAtANewLayoutAndIgnoresAnOldOne) {
  RunCache cache;
  const RunCache::Key key{false, 100, 1};
  const std::shared_ptr<const CachedRuns> runs = Runs(3);
  cache.Put(1, key, runs);
  EXPECT_EQ(cache.Find(1, key), runs);
  EXPECT_EQ(cache.Find(1, {true, 100, 1}), nullptr);
  EXPECT_EQ(cache.Find(2, key), nullptr);
  EXPECT_EQ(cache.Find(1, key), nullptr);
  cache.Put(1, key, runs);  // by a query that began before
  EXPECT_EQ(cache.Find(2, key), nullptr);
}

TEST(RunCache, StaysSmallByForgettingTheOldestTimes) {
  RunCache cache;
  for (int64_t start = 0; start < 100; ++start) cache.Put(1, {false, start, 0}, Runs(100'000));
  EXPECT_EQ(cache.Find(1, {false, 0, 0}), nullptr);
  EXPECT_NE(cache.Find(1, {false, 99, 0}), nullptr);
  size_t kept = 0;
  for (int64_t start = 0; start < 100; ++start) kept += cache.Find(1, {false, start, 0}) != nullptr ? 1 : 0;
  EXPECT_LE(kept * 100'000 * sizeof(SeriesId), size_t{4} << 20);
}

}  // namespace
}  // namespace narthex::tsdb
