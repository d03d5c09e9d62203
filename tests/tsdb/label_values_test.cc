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
    Append(labels.Build(), kStart, i);
    if (i == 150) ASSERT_TRUE(db_->Maintain(/*force_seal=*/true).ok());
  }
  auto querier = *db_->NewQuerier(0, kMaxTime);
  for (int round = 0; round < 200; ++round) {
    LabelQuery query;
    query.maxt = kMaxTime;
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

}  // namespace
}  // namespace narthex::tsdb
