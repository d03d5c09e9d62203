// What small queries find ready: parsed stripes and cursors.
#include "tsdb/stripe_cache.h"

#include "gtest/gtest.h"
#include "tests/tsdb/db_fixture.h"
#include "tsdb/cursor_pool.h"

namespace narthex::tsdb {
namespace {

std::shared_ptr<const ParsedStripe> Stripe(size_t bytes) {
  auto stripe = std::make_shared<ParsedStripe>();
  stripe->bytes.assign(bytes, 'x');
  return stripe;
}

TEST(StripeCache, ForgetsAllAtANewLayoutAndIgnoresAnOldOne) {
  StripeCache cache;
  const std::shared_ptr<const ParsedStripe> stripe = Stripe(100);
  cache.Put(1, "a", stripe);
  EXPECT_EQ(cache.Find(1, "a"), stripe);
  EXPECT_EQ(cache.Find(1, "b"), nullptr);
  EXPECT_EQ(cache.Find(2, "a"), nullptr);
  EXPECT_EQ(cache.Find(1, "a"), nullptr);
  cache.Put(1, "a", stripe);  // by a query that began before
  EXPECT_EQ(cache.Find(2, "a"), nullptr);
  EXPECT_EQ(cache.MemoryBytes(), 0u);
}

TEST(StripeCache, StaysSmallByForgettingWhatWasNotAskedForLongest) {
  StripeCache cache;
  cache.Put(1, "used", Stripe(100'000));
  for (int i = 0; i < 50; ++i) {
    cache.Put(1, std::to_string(i), Stripe(100'000));
    EXPECT_NE(cache.Find(1, "used"), nullptr);
    EXPECT_LE(cache.MemoryBytes(), StripeCache::kMaxBytes);
  }
  EXPECT_EQ(cache.Find(1, "0"), nullptr);
  EXPECT_NE(cache.Find(1, "49"), nullptr);
  cache.SetLimit(150'000);
  EXPECT_LE(cache.MemoryBytes(), 150'000u);
  cache.Put(1, "large", Stripe(200'000));
  EXPECT_EQ(cache.Find(1, "large"), nullptr);
}

class NoCursor : public Cursor {
 public:
  explicit NoCursor(absl::Status status = absl::OkStatus()) : status_(std::move(status)) {}
  void Seek(std::string_view) override {}
  void Next() override {}
  bool Valid() const override { return false; }
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  absl::Status status() const override { return status_; }

 private:
  const absl::Status status_;
};

TEST(CursorPool, GivesBackCursorsOfTheSameFamilyAndLayoutOnly) {
  CursorPool pool;
  auto cursor = std::make_unique<NoCursor>();
  const Cursor* const same = cursor.get();
  pool.Give(Family::kHours, 1, std::move(cursor));
  EXPECT_EQ(pool.Take(Family::kDays, 1), nullptr);
  EXPECT_EQ(pool.Take(Family::kHours, 1).get(), same);
  EXPECT_EQ(pool.Take(Family::kHours, 1), nullptr);
  pool.Give(Family::kHours, 1, std::make_unique<NoCursor>());
  EXPECT_EQ(pool.Take(Family::kHours, 2), nullptr);
  EXPECT_EQ(pool.Take(Family::kHours, 1), nullptr);  // it was given up
  pool.Give(Family::kHours, 2, nullptr);
  pool.Give(Family::kHours, 2, std::make_unique<NoCursor>(absl::DataLossError("bad block")));
  EXPECT_EQ(pool.Take(Family::kHours, 2), nullptr);
  pool.Give(Family::kDays, 2, std::make_unique<NoCursor>());
  pool.Clear();
  EXPECT_EQ(pool.Take(Family::kDays, 2), nullptr);
}

class SmallQueries : public DbTest {};

// Every state of the store is asked twice: the second answer comes from what the first left behind.
TEST_F(SmallQueries, SeeWhatIsSealedDroppedAndDeletedBetweenThem) {
  Open("a");
  Rounds(0, 300);
  const auto expect = [&](int to) {
    ExpectRounds(to);
    ExpectRounds(to);
  };
  expect(300);
  ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  expect(300);
  Rounds(300, 500);
  expect(500);
  ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  expect(500);
  clock_.AdvanceMs(3 * 24 * 3600'000LL);  // the day is merged
  ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  expect(500);
  ASSERT_TRUE(db_->DeleteSeries({Matcher::Equal("i", "a")}, kStart, kStart + 99 * 15'000).ok());
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(Select("m")["m{i=\"a\"}"].size(), 400u);
    EXPECT_EQ(Select("m", kStart + 50 * 15'000, kStart + 149 * 15'000)["m{i=\"a\"}"].size(), 50u);
  }
}

// Samples of a window that is sealed already: a second stripe for the same series.
TEST_F(SmallQueries, SeeLateSamplesOfAWindowThatTheyRead) {
  ooo_ = 3600'000;
  Open("a");
  const Labels labels{{"__name__", "late"}};
  for (int i = 0; i < 200; i += 2) Append(labels, kStart + i * 15'000, i);
  ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  for (int again = 0; again < 2; ++again) EXPECT_EQ(Select("late")["late"].size(), 100u);
  for (int i = 101; i < 200; i += 2) EXPECT_EQ(Append(labels, kStart + i * 15'000, i), AppendResult::kOk);
  for (int again = 0; again < 2; ++again) EXPECT_EQ(Select("late")["late"].size(), 150u);
  ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  for (int again = 0; again < 2; ++again) {
    const Points got = Select("late")["late"];
    ASSERT_EQ(got.size(), 150u);
    for (size_t k = 1; k < got.size(); ++k) EXPECT_LT(got[k - 1].first, got[k].first);
  }
}

}  // namespace
}  // namespace narthex::tsdb
