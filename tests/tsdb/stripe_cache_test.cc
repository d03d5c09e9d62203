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

// Of many stripes only those are looked into that can hold the series of a selection.
TEST_F(SmallQueries, FindTheSeriesOfEveryStripe) {
  ooo_ = 3600'000;
  Open("a");
  std::map<int, size_t> samples;  // of the series with this number
  const auto append = [&](int from, int step, int rounds) {
    for (int i = from; i < 700; i += step) {
      for (int round = 0; round < rounds; ++round) {
        const size_t before = samples[i]++;
        Append({{"__name__", "m"}, {"i", std::to_string(10'000 + i)}},
               kStart + static_cast<int64_t>(before) * 15'000, i * 100 + static_cast<double>(before));
      }
    }
  };
  const auto expect = [&](int first, int last) {
    auto querier = db_->NewQuerier(0, INT64_MAX / 2);
    std::vector<std::string> numbers;
    for (int i = first; i <= last; ++i) {
      if (samples.contains(i)) numbers.push_back(std::to_string(10'000 + i));
    }
    std::string either;
    for (const std::string& number : numbers) either += (either.empty() ? "" : "|") + number;
    auto set = (*querier)->Select({*Matcher::Create(MatchOp::kRegex, "i", either)}, 0, INT64_MAX / 2, {});
    ASSERT_TRUE(set.ok() && (*set)->size() == numbers.size());
    std::vector<Row> rows;
    ASSERT_TRUE((*set)->ReadBlock(0, (*set)->size(), &rows).ok());
    for (size_t k = 0; k < rows.size(); ++k) {
      const int i = std::stoi(numbers[k]) - 10'000;
      ASSERT_EQ(rows[k].v.size(), samples[i]) << i;
      EXPECT_EQ(rows[k].v.back(), i * 100 + static_cast<double>(samples[i] - 1)) << i;
    }
  };
  const auto expect_all = [&] {
    for (int i = 0; i < 700; i += 7) expect(i, std::min(i + 6, 699));
    expect(0, 699);
    expect(30, 650);
  };
  append(0, 2, 3);
  ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  expect_all();
  append(1, 2, 2);  // between those that are sealed
  expect_all();
  ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  append(3, 5, 1);
  expect_all();
  Kill();
  expect_all();
}

}  // namespace
}  // namespace narthex::tsdb
