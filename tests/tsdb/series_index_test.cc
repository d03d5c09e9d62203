// The index in memory: the order of series, unions of postings, names and values in use.
#include "tsdb/series_index.h"

#include <algorithm>
#include <map>
#include <random>

#include "gtest/gtest.h"

namespace narthex::tsdb {
namespace {

Labels RandomLabels(std::mt19937* random) {
  LabelsBuilder labels;
  for (const char* name : {"__name__", "a", "b", "instance", "z"}) {
    if ((*random)() % 4 != 0) labels.Set(name, std::to_string((*random)() % 20));
  }
  return labels.Build();
}

// Every series has the rank that sorting all labels gives it.
void ExpectRanks(const SeriesIndex& index, const std::map<SeriesId, Labels>& series) {
  std::vector<std::pair<Labels, SeriesId>> sorted;
  for (const auto& [id, labels] : series) sorted.emplace_back(labels, id);
  std::sort(sorted.begin(), sorted.end());
  const std::shared_ptr<const SeriesIndex::Ranks> ranks = index.RanksByLabels();
  for (size_t i = 0; i < sorted.size(); ++i)
    ASSERT_EQ((*ranks)[sorted[i].second], i) << sorted[i].first.ToString();
  const size_t ranked =
      ranks->size() - static_cast<size_t>(std::count(ranks->begin(), ranks->end(), SeriesIndex::kNoRank));
  ASSERT_EQ(ranked, series.size());
}

TEST(SeriesIndex, RanksFollowSeriesThatComeAndGo) {
  std::mt19937 random(1);
  SeriesIndex index;
  std::map<SeriesId, Labels> series;
  SeriesId next = 1;
  for (int round = 0; round < 30; ++round) {
    // Many at once are sorted anew, few are put where they belong.
    for (int k = round % 3 == 0 ? 200 : 2; k > 0; --k) {
      const Labels labels = RandomLabels(&random);
      if (labels.empty() || index.Find(labels) != 0) continue;
      index.Add(next, labels);
      series[next++] = labels;
    }
    if (round % 4 == 3) {
      std::vector<SeriesId> gone;
      for (const auto& [id, labels] : series) {
        if (random() % 10 == 0) gone.push_back(id);
      }
      index.Remove(gone);
      for (SeriesId id : gone) series.erase(id);
    }
    ExpectRanks(index, series);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(SeriesIndex, SelectsTheSeriesThatEveryMatcherAccepts) {
  std::mt19937 random(3);
  SeriesIndex index;
  std::map<SeriesId, Labels> series;
  for (SeriesId id = 1; id <= 2000; ++id) {
    const Labels labels = RandomLabels(&random);
    if (labels.empty() || index.Find(labels) != 0) continue;
    index.Add(id, labels);
    series[id] = labels;
  }
  const char* const names[] = {"__name__", "a", "b", "none"};
  const char* const texts[] = {"", "1", "7", "77", "1.*", "2|3|4", ".+", ".*", "1|"};
  const MatchOp ops[] = {MatchOp::kEqual, MatchOp::kNotEqual, MatchOp::kRegex, MatchOp::kNotRegex};
  size_t selected = 0;
  for (int round = 0; round < 2000; ++round) {
    Matchers matchers;
    for (uint32_t i = 0; i <= random() % 3; ++i)
      matchers.push_back(*Matcher::Create(ops[random() % 4], names[random() % 4], texts[random() % 9]));
    std::vector<SeriesId> want;
    for (const auto& [id, labels] : series) {
      if (std::all_of(matchers.begin(), matchers.end(),
                      [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); })) {
        want.push_back(id);
      }
    }
    selected += want.size();
    std::string text;
    for (const Matcher& m : matchers) text += m.ToString() + " ";
    ASSERT_EQ(index.Select(matchers), want) << text;
  }
  EXPECT_GT(selected, 10'000u);
}

TEST(SeriesIndex, UnionsOfManyAndOfFewPostingsAreAscendingAndWithoutRepeats) {
  SeriesIndex index;
  for (SeriesId id = 1; id <= 5000; ++id) {
    index.Add(id, Labels({{"__name__", "m"}, {"path", std::to_string(id % 100)}, {"n", std::to_string(id)}}));
  }
  const auto select = [&](const char* pattern) {
    return index.Select({*Matcher::Create(MatchOp::kRegex, "path", pattern)});
  };
  for (const auto& [pattern, below] :
       std::map<const char*, SeriesId>{{"[0-2]", 3}, {".+", 100}, {"[0-9]|[0-4][0-9]", 50}}) {
    std::vector<SeriesId> want;
    for (SeriesId id = 1; id <= 5000; ++id) {
      if (id % 100 < below) want.push_back(id);
    }
    EXPECT_EQ(select(pattern), want) << pattern;
  }
}

TEST(SeriesIndex, ValuesWithoutAPassingSeriesNameTheirSeries) {
  SeriesIndex index;
  index.Add(1, Labels({{"a", "x"}}));
  index.Add(2, Labels({{"a", "y"}}));
  index.Add(3, Labels({{"b", "z"}}));
  const SeriesIndex::Filter only_first = [](std::span<const SeriesId> ids) { return ids.front() == 1; };
  const std::vector<SeriesIndex::Candidate> values = index.Values("a", only_first);
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].text, "x");
  EXPECT_TRUE(values[0].unsure.empty());
  EXPECT_EQ(values[1].unsure, std::vector<SeriesId>{2});
  const std::vector<SeriesIndex::Candidate> names = index.Names(only_first);
  ASSERT_EQ(names.size(), 2u);
  EXPECT_TRUE(names[0].unsure.empty());
  EXPECT_EQ(names[1].unsure, std::vector<SeriesId>{3});
  index.Remove({2});
  EXPECT_EQ(index.Values("a", only_first).size(), 1u);
}

}  // namespace
}  // namespace narthex::tsdb
