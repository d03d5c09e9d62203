// Names and values of the series that match, against the labels of these series one by one.
#include <random>
#include <set>

#include "tests/tsdb/db_fixture.h"

namespace narthex::tsdb {
namespace {

class LabelValues : public DbTest {};

TEST_F(LabelValues, AreThoseOfTheSeriesThatMatch) {
  Open("a");
  std::mt19937_64 random(5);
  const auto any = [&](const char* prefix, uint64_t n) { return prefix + std::to_string(random() % n); };
  for (int i = 0; i < 300; ++i) {
    LabelsBuilder labels;
    labels.Set("__name__", any("m", 5)).Set("a", any("a", 40)).Set("b", any("b", 3));
    if (random() % 3 == 0) labels.Set("c" + std::to_string(random() % 4), any("c", 100));
    // Some in one sealed window, some in another, some in the head only.
    constexpr int64_t kLaterMs = 3 * 3600'000;
    Append(labels.Build(), kStart + (i > 100 ? kLaterMs : 0), i);
    if (i == 200) ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  }
  auto querier = *db_->NewQuerier(0, kMaxTime);
  for (int round = 0; round < 200; ++round) {
    LabelQuery query;
    query.maxt = kMaxTime;
    if (round % 3 == 1) query.mint = kStart + 3600'000;
    if (round % 3 == 2) query.maxt = kStart + 3600'000;
    for (uint64_t i = 0; i <= random() % 2; ++i) {
      query.match.push_back({Matcher::Equal("__name__", any("m", 6))});
      if (random() % 2 == 0) query.match.back().push_back(Matcher::Equal("a", any("a", 40)));
    }
    std::set<std::string> names;
    std::map<std::string, std::set<std::string>> values;
    const std::vector<Labels> all = *querier->Series(query);
    for (const Labels& labels : all) {
      for (const LabelView& label : labels) {
        names.emplace(label.name);
        values[std::string(label.name)].emplace(label.value);
      }
    }
    EXPECT_EQ(*querier->LabelNames(query), std::vector<std::string>(names.begin(), names.end()));
    for (const char* name : {"__name__", "a", "b", "c0", "c3", "none"}) {
      EXPECT_EQ(*querier->LabelValues(name, query),
                std::vector<std::string>(values[name].begin(), values[name].end()))
          << name << " in round " << round;
    }
  }
}

TEST_F(LabelValues, AreNoneOfAnEmptySpan) {
  Open("a");
  const Labels labels({{"__name__", "m"}, {"a", "1"}});
  Append(labels, kStart, 1);
  Append(labels, kStart + 5000, 2);
  auto querier = *db_->NewQuerier(0, kMaxTime);
  for (const bool sealed : {false, true}) {
    if (sealed) ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
    const auto found = [&](int64_t mint, int64_t maxt, bool match) {
      LabelQuery query;
      query.mint = mint;
      query.maxt = maxt;
      if (match) query.match.push_back({Matcher::Equal("a", "1")});
      EXPECT_EQ(querier->LabelNames(query)->size(), querier->Series(query)->size() * 2);
      EXPECT_EQ(querier->LabelValues("a", query)->size(), querier->Series(query)->size());
      return querier->Series(query)->size();
    };
    for (const bool match : {false, true}) {
      EXPECT_EQ(found(kStart, kStart + 5000, match), 1u);
      EXPECT_EQ(found(kStart + 5000, kMaxTime, match), 1u);
      EXPECT_EQ(found(kStart + 1, kStart, match), 0u);
    }
  }
}

}  // namespace
}  // namespace narthex::tsdb
