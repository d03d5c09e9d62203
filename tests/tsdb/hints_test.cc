// What storage may leave out when it is told what a query looks at: what is left answers the same.
#include <random>
#include <set>
#include <thread>

#include "tests/tsdb/db_fixture.h"

namespace narthex::tsdb {
namespace {

constexpr int64_t kMinute = 60'000;

// The newest sample in (at - 5m, at], or nothing.
std::string NewestAt(const Row& row, int64_t at) {
  std::string out = "nothing";
  for (size_t i = 0; i < row.t.size() && row.t[i] <= at; ++i) {
    if (row.t[i] <= at - 5 * kMinute) continue;
    out = std::to_string(row.t[i]) + (IsStale(row.v[i]) ? " stale" : " " + std::to_string(row.v[i]));
  }
  return out;
}

class HintsTest : public DbTest {
 protected:
  std::unique_ptr<SeriesSet> SelectAll(int64_t mint, int64_t maxt, const SelectHints& hints) {
    auto querier = db_->NewQuerier(mint, maxt);
    auto set = (*querier)->Select({*Matcher::Create(MatchOp::kRegex, "__name__", ".+")}, mint, maxt, hints);
    EXPECT_TRUE(set.ok()) << set.status();
    return *std::move(set);
  }

  // Compares every instant; returns how many samples were left out.
  int64_t ExpectSame(int64_t first, int64_t step, int count) {
    const int64_t mint = first - 5 * kMinute + 1, maxt = first + step * (count - 1);
    SelectHints hints;
    hints.instants = {first, step, count};
    auto all = SelectAll(mint, maxt, {}), some = SelectAll(mint, maxt, hints);
    EXPECT_EQ(all->size(), some->size());
    std::vector<Row> expected, got;
    int64_t left_out = 0;
    for (size_t s = 0; s < all->size(); s += 16) {
      const size_t n = std::min<size_t>(16, all->size() - s);
      EXPECT_TRUE(all->ReadBlock(s, n, &expected).ok() && some->ReadBlock(s, n, &got).ok());
      for (size_t r = 0; r < n; ++r) {
        left_out += static_cast<int64_t>(expected[r].t.size()) - static_cast<int64_t>(got[r].t.size());
        for (int i = 0; i < count; ++i) {
          EXPECT_EQ(NewestAt(got[r], first + i * step), NewestAt(expected[r], first + i * step))
              << all->labels(s + r).ToString() << " at +" << first + i * step - kStart << " of " << count;
        }
      }
    }
    return left_out;
  }

  // Scraped series, some with gaps; loose ones, late ones, one that ended, one with deleted samples.
  void Fill(int from, int to) {
    std::mt19937_64 random(static_cast<uint64_t>(from));
    auto group = *db_->OpenGroup({{"job", "x"}});
    std::vector<Slot> slots;
    for (int i = 0; i < 40; ++i)
      slots.push_back(*group->AddSeries({{"__name__", "g"}, {"i", std::to_string(i)}}));
    for (int round = from; round < to; ++round) {
      clock_.AdvanceMs(15'000);
      const int64_t t = kStart + round * 15'000;
      group->Begin(t);
      for (size_t i = 0; i < slots.size(); ++i) {
        if (i % 5 == 0 && random() % 4 == 0) continue;
        if (i == 7 && round > to - 10) continue;
        group->Set(slots[i], std::ldexp(static_cast<double>(random() % 1000), -static_cast<int>(i % 3)));
      }
      ASSERT_TRUE(group->Commit().ok());
      Append({{"__name__", "loose"}}, t + 3, round);
      if (round % 40 == 0) Append({{"__name__", "rare"}}, t, round);
      if (round % 9 == 0) Append({{"__name__", "g"}, {"i", "3"}}, t + 7'000, round);
    }
  }
};

TEST_F(HintsTest, InstantsSeeTheSameSamplesWhereverTheyLie) {
  ooo_ = 2 * 3600'000;
  Open("a");
  Fill(0, 500);
  const auto check = [&](const char* where) {
    SCOPED_TRACE(where);
    const int64_t end = kStart + 499 * 15'000;
    for (int64_t at : {end + 1000, end, end - 1, end - 7'000, end - 40 * kMinute, end + 4 * kMinute,
                       kStart + 5, kStart - 1, end + 6 * kMinute}) {
      ExpectSame(at, 0, 1);
      ExpectSame(at - 20 * kMinute, kMinute, 21);
    }
    EXPECT_GT(ExpectSame(kStart + 10 * kMinute, 2 * kMinute, 50), 10'000) << "most samples are left out";
    EXPECT_GT(ExpectSame(end, 0, 1), 500);
    ExpectSame(kStart, 15'000, 400);
    ExpectSame(kStart, 7'777, 700);
  };
  check("in memory");
  ASSERT_TRUE(db_->Maintain(false).ok());
  check("one hour sealed");
  Append({{"__name__", "g"}, {"i", "4"}}, kStart + 499 * 15'000 - 2'000, -1);  // late
  ASSERT_TRUE(db_->DeleteSeries({Matcher::Equal("i", "5")}, kStart + 499 * 15'000 - 60'000, INT64_MAX).ok());
  check("late and deleted samples");
  ASSERT_TRUE(db_->Maintain(true).ok());
  check("sealed");
  Fill(500, 510);
  check("sealed, and newer ones in memory");
  Kill();
  check("after a restart");
}

TEST_F(HintsTest, OnlyTheLabelsThatAreAskedForInTheOrderOfAll) {
  Open("a");
  for (const char* i : {"b", "a", "c"}) {
    for (const char* j : {"2", "1"})
      Append({{"__name__", "m"}, {"i", i}, {"j", j}}, kStart, i[0] * 10 + j[0]);
  }
  SelectHints hints;
  hints.labels = std::vector<std::string>{"j", "none"};
  auto all = SelectAll(0, kStart, {}), some = SelectAll(0, kStart, hints);
  ASSERT_EQ(some->size(), 6u);
  std::vector<Row> expected, got;
  ASSERT_TRUE(all->ReadBlock(0, 6, &expected).ok() && some->ReadBlock(0, 6, &got).ok());
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(some->labels(i), Labels({{"j", all->labels(i).Get("j")}}));
    EXPECT_EQ(got[i].v[0], expected[i].v[0]);
  }
  hints.labels = std::vector<std::string>{};
  EXPECT_EQ(SelectAll(0, kStart, hints)->labels(3), Labels());
}

TEST_F(HintsTest, GroupsOfLabelsAreThoseOfTheSeries) {
  Open("a");
  for (const char* i : {"b", "a", "c"}) {
    for (const char* j : {"2", "1", ""}) Append({{"__name__", "m"}, {"i", i}, {"j", j}}, kStart, 1);
  }
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"j"}, {"j", "i"}, {"none"}, {"none", "i"}, {}}) {
    SelectHints hints;
    hints.labels = names;
    auto each = SelectAll(0, kStart, hints);
    hints.grouped = true;
    auto grouped = SelectAll(0, kStart, hints);
    std::vector<Labels> groups;
    std::vector<size_t> of;
    ASSERT_EQ(grouped->size(), 9u);
    for (size_t i = 0; i < 9; ++i) EXPECT_EQ(grouped->labels(i), each->labels(i));
    ASSERT_TRUE(grouped->TakeGroups(&groups, &of));
    ASSERT_EQ(of.size(), 9u);
    size_t seen = 0;
    for (size_t i = 0; i < 9; ++i) {
      EXPECT_EQ(groups[of[i]], each->labels(i));
      EXPECT_LE(of[i], seen) << "in order of first appearance";
      seen = std::max(seen, of[i] + 1);
    }
    EXPECT_EQ(groups.size(), seen);
  }
}

TEST_F(HintsTest, ASelectionOfManySeriesSaysSoBeforeItsLabelsAreMade) {
  Open("a");
  int calls = 0;
  SelectHints hints;
  hints.on_long = [&calls] { ++calls; };
  for (size_t i = 0; i <= kManySelected; ++i) {
    if (i == kManySelected) {
      SelectAll(0, kStart, hints);
      EXPECT_EQ(calls, 0);
    }
    Append({{"__name__", "m"}, {"i", std::to_string(i)}}, kStart, 1);
  }
  SelectAll(0, kStart, hints);
  EXPECT_EQ(calls, 1);
}

TEST_F(HintsTest, ReadersReadTheSameAtOnce) {
  Open("a");
  auto group = *db_->OpenGroup({{"job", "x"}});
  std::vector<Slot> slots;
  for (int i = 0; i < 300; ++i)
    slots.push_back(*group->AddSeries({{"__name__", "g"}, {"i", std::to_string(1000 + i)}}));
  for (int round = 0; round < 300; ++round) {
    clock_.AdvanceMs(15'000);
    group->Begin(kStart + round * 15'000);
    for (size_t i = 0; i < slots.size(); ++i) group->Set(slots[i], static_cast<double>(round * 300 + i));
    ASSERT_TRUE(group->Commit().ok());
  }
  ASSERT_TRUE(db_->Maintain(false).ok());
  SelectHints hints;
  hints.readers = 3;
  auto set = SelectAll(0, INT64_MAX / 2, hints);
  std::vector<std::unique_ptr<SeriesSet>> readers;
  readers.push_back(set->NewReader());
  readers.push_back(set->NewReader());
  EXPECT_EQ(set->NewReader(), nullptr);
  ASSERT_TRUE(readers[0] != nullptr && readers[1] != nullptr);
  readers.push_back(std::move(set));
  std::vector<int> wrong(3, 0);
  std::vector<std::thread> threads;
  for (size_t k = 0; k < 3; ++k) {
    threads.emplace_back([&, k] {
      std::vector<Row> rows;
      for (size_t first = k * 16; first < 300; first += 48) {
        const size_t n = std::min<size_t>(16, 300 - first);
        if (!readers[k]->ReadBlock(first, n, &rows).ok()) ++wrong[k];
        for (size_t r = 0; r < n; ++r) {
          wrong[k] += rows[r].v.size() != 300;
          for (size_t i = 0; i < rows[r].v.size(); ++i)
            wrong[k] += rows[r].v[i] != static_cast<double>(i * 300 + first + r);
        }
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, std::vector<int>(3, 0));
}

}  // namespace
}  // namespace narthex::tsdb
