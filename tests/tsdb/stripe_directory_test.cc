#include "tsdb/stripe_directory.h"

#include "gtest/gtest.h"

namespace narthex::tsdb {
namespace {

StripeDirectoryPtr Window(int64_t window, size_t entries = 1) {
  auto out = std::make_shared<StripeDirectory>();
  out->window = window;
  out->entries.resize(entries);
  return out;
}

std::vector<int64_t> WindowsOf(const std::optional<StripeDirectories::List>& list) {
  std::vector<int64_t> out;
  if (!list) return {-1};
  for (const StripeDirectoryPtr& d : *list) out.push_back(d->window);
  return out;
}

TEST(StripeDirectories, KnowWhatWasPutInTheirLayoutOrBefore) {
  StripeDirectories known;
  known.Put(5, false, "hour", 10, 10, {Window(10)});
  EXPECT_EQ(WindowsOf(known.Find(5, "hour", 10, 10)), std::vector<int64_t>({10}));
  EXPECT_EQ(WindowsOf(known.Find(9, "hour", 10, 10)), std::vector<int64_t>({10}));
  EXPECT_EQ(known.Find(4, "hour", 10, 10), std::nullopt);
  EXPECT_EQ(known.Find(5, "other", 10, 10), std::nullopt);
}

TEST(StripeDirectories, TellOnlyWhatTheyKnowAllOf) {
  StripeDirectories known;
  known.Put(1, true, "day", 10, 30, {Window(10), Window(20), Window(30)});
  EXPECT_EQ(WindowsOf(known.Find(1, "day", 15, 25)), std::vector<int64_t>({20}));
  EXPECT_EQ(known.Find(1, "day", 5, 25), std::nullopt);
  known.Put(1, true, "day", 25, 50, {Window(30), Window(50)});
  EXPECT_EQ(WindowsOf(known.Find(1, "day", 10, 50)), std::vector<int64_t>({10, 20, 30, 50}));
  // Ranges that do not meet: the later one counts.
  known.Put(1, true, "day", 70, 80, {Window(70)});
  EXPECT_EQ(known.Find(1, "day", 10, 50), std::nullopt);
  EXPECT_EQ(WindowsOf(known.Find(1, "day", 70, 80)), std::vector<int64_t>({70}));
}

TEST(StripeDirectories, ForgetMergedDaysWhoseNamesComeAgain) {
  StripeDirectories known;
  known.Put(1, true, "day", 10, 10, {Window(10)});
  known.Put(1, false, "hour", 10, 10, {Window(10)});
  known.ForgetMerged(7);
  EXPECT_EQ(known.Find(9, "day", 10, 10), std::nullopt);
  EXPECT_NE(known.Find(9, "hour", 10, 10), std::nullopt);
  known.Put(6, true, "day", 10, 10, {Window(10)});  // by who still reads the day that is gone
  EXPECT_EQ(known.Find(9, "day", 10, 10), std::nullopt);
  known.Put(7, true, "day", 10, 10, {Window(10)});
  EXPECT_NE(known.Find(9, "day", 10, 10), std::nullopt);
}

TEST(StripeDirectories, KeepToTheirLimit) {
  StripeDirectories known;
  known.SetLimit(20'000);
  for (int i = 0; i < 100; ++i) {
    known.Put(1, false, std::to_string(i), 0, 0, {Window(0, 100)});
    EXPECT_LE(known.MemoryBytes(), 20'000u);
    if (i > 0) {
      EXPECT_NE(known.Find(1, "1", 0, 0), std::nullopt) << "what is used stays";
    }
  }
  EXPECT_EQ(known.Find(1, "2", 0, 0), std::nullopt);
  EXPECT_NE(known.Find(1, "99", 0, 0), std::nullopt);
  known.Put(1, false, "large", 0, 0, {Window(0, 10'000)});
  EXPECT_EQ(known.Find(1, "large", 0, 0), std::nullopt);
  known.SetLimit(0);
  EXPECT_EQ(known.MemoryBytes(), 0u);
}

}  // namespace
}  // namespace narthex::tsdb
