#include "rules/dependencies.h"

#include <gtest/gtest.h>

namespace narthex::rules {
namespace {

std::vector<bool> Of(const std::string& rules) {
  absl::StatusOr<std::vector<GroupSpec>> groups =
      ParseRuleFile("r.yml", "groups: [{name: g, rules: [" + rules + "]}]", promql::ParserOptions());
  EXPECT_TRUE(groups.ok()) << groups.status();
  std::vector<const RuleSpec*> specs;
  for (const RuleSpec& rule : groups->at(0).rules) specs.push_back(&rule);
  return IndependentRules(specs);
}

using Flags = std::vector<bool>;

TEST(IndependentRules, ReadersAndWritersOfOneMetricStayInOrder) {
  EXPECT_EQ(Of("{record: a, expr: m}, {record: b, expr: 'sum(rate(a[5m]))'}, {record: c, expr: m}"),
            (Flags{false, false, true}));
}

TEST(IndependentRules, ReadersOfAlertsWaitForAlertingRules) {
  EXPECT_EQ(Of("{alert: A, expr: 'm > 0'}, {record: n, expr: 'count(ALERTS)'}, {record: c, expr: m}"),
            (Flags{false, false, true}));
}

TEST(IndependentRules, ASelectorOfAnyNameMakesAllWait) {
  EXPECT_EQ(Of("{record: a, expr: m}, {record: b, expr: '{job=\"x\"}'}"), (Flags{false, false}));
  EXPECT_EQ(Of("{record: a, expr: m}, {record: b, expr: '{__name__=~\"x.*\"}'}"), (Flags{false, false}));
}

TEST(IndependentRules, ARuleThatReadsItselfIsInOrder) {
  EXPECT_EQ(Of("{record: a, expr: 'a + 1'}, {record: b, expr: 'vector(1)'}"), (Flags{false, true}));
}

}  // namespace
}  // namespace narthex::rules
