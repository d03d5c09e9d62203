#include <gtest/gtest.h>

#include "rules/rules.h"

namespace narthex::rules {
namespace {

absl::StatusOr<std::vector<GroupSpec>> Parse(std::string_view text) {
  return ParseRuleFile("rules.yml", text, promql::ParserOptions());
}
std::string ErrorOf(std::string_view text) { return std::string(Parse(text).status().message()); }

TEST(RuleFile, ReadsGroupsAndRules) {
  absl::StatusOr<std::vector<GroupSpec>> groups = Parse(R"(
groups:
  - name: node
    interval: 30s
    limit: 10
    query_offset: 5s
    labels: {team: edge}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} is down"}
)");
  ASSERT_TRUE(groups.ok()) << groups.status();
  ASSERT_EQ(groups->size(), 1u);
  const GroupSpec& group = (*groups)[0];
  EXPECT_EQ(group.interval_ms, 30'000);
  EXPECT_EQ(group.limit, 10);
  EXPECT_EQ(group.query_offset_ms, 5'000);
  ASSERT_EQ(group.rules.size(), 2u);
  EXPECT_FALSE(group.rules[0].alerting);
  EXPECT_TRUE(group.rules[1].alerting);
  EXPECT_EQ(group.rules[1].for_ms, 300'000);
  EXPECT_EQ(group.rules[1].keep_firing_for_ms, 120'000);
}

TEST(RuleFile, NamesTheLineOfABadExpression) {
  EXPECT_EQ(ErrorOf("groups:\n- name: g\n  rules:\n  - record: r\n    expr: sum(\n"),
            "rules.yml: 5:11: group \"g\", rule 1, \"r\": could not parse expression: 1:5: parse error: "
            "unclosed left parenthesis");
}

TEST(RuleFile, NamesAnUnknownField) {
  EXPECT_EQ(ErrorOf("groups:\n- name: g\n  rules:\n  - record: r\n    expr: up\n    fro: 5m\n"),
            "rules.yml: yaml: unmarshal errors:\n  line 6: field fro not found in type rulefmt.Rule");
}

TEST(RuleFile, RefusesRepeatedGroupsAndMixedRules) {
  EXPECT_EQ(ErrorOf("groups:\n- name: g\n- name: g\n"),
            "rules.yml: 3:9: groupname: \"g\" is repeated in the same file");
  EXPECT_NE(ErrorOf("groups:\n- name: g\n  rules:\n  - record: r\n    alert: A\n    expr: up\n")
                .find("only one of 'record' and 'alert' must be set"),
            std::string::npos);
  EXPECT_NE(ErrorOf("groups:\n- name: g\n  rules:\n  - record: r\n    expr: up\n    for: 1m\n")
                .find("invalid field 'for' in recording rule"),
            std::string::npos);
}

TEST(RuleFile, GroupsAndRulesThatAreNullAreNone) {
  auto groups = Parse("groups: [null, {name: g, limit: 1.5, rules: [null, {record: a, expr: up}]}]");
  ASSERT_TRUE(groups.ok()) << groups.status();
  ASSERT_EQ(groups->size(), 1u);
  EXPECT_EQ((*groups)[0].limit, 1);
  EXPECT_EQ((*groups)[0].rules.size(), 1u);
}

TEST(RuleFile, NamesTheTypeOfWhatIsNoList) {
  const std::string kStart = "rules.yml: yaml: unmarshal errors:\n  line 1: cannot unmarshal ";
  EXPECT_EQ(ErrorOf("groups: {}"), kStart + "!!map into []rulefmt.RuleGroup");
  EXPECT_EQ(ErrorOf("groups: x"), kStart + "!!str `x` into []rulefmt.RuleGroup");
  EXPECT_EQ(ErrorOf("groups: [{name: g, rules: {}}]"), kStart + "!!map into []rulefmt.Rule");
  EXPECT_EQ(ErrorOf("groups: [{name: g, rules: x}]"), kStart + "!!str `x` into []rulefmt.Rule");
}

TEST(RuleFile, ABadDurationStandsAlone) {
  EXPECT_EQ(ErrorOf("groups: [{name: g, interval: -1m, foo: 1}]"),
            "rules.yml: not a valid duration string: \"-1m\"");
}

TEST(RuleFile, RefusesABadTemplate) {
  std::string error = ErrorOf(
      "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    annotations: {s: '{{ $labels.x '}\n");
  EXPECT_NE(error.find("annotation \"s\""), std::string::npos) << error;
}

TEST(RuleFile, ChecksNamesWithTheSchemeInForce) {
  std::string text =
      "groups: [{name: g, rules: [{alert: A, expr: m, labels: {l-x: v}, annotations: {a-x: v}}, "
      "{record: r-x, expr: m}]}]";
  EXPECT_TRUE(Parse(text).ok()) << Parse(text).status();
  std::string error(ParseRuleFile("rules.yml", text, promql::ParserOptions(), /*ignore_unknown=*/false,
                                  NameValidation::kLegacy)
                        .status()
                        .message());
  EXPECT_NE(error.find("invalid label name: l-x"), error.npos) << error;
  EXPECT_NE(error.find("invalid annotation name: a-x"), error.npos) << error;
  EXPECT_NE(error.find("invalid recording rule name: r-x"), error.npos) << error;
}

TEST(RuleFile, NamesBothPlacesOfARuleThatRecordsAndAlerts) {
  EXPECT_EQ(
      ErrorOf("groups:\n- name: g\n  rules:\n  - record: a\n    alert: b\n    expr: m\n"),
      "rules.yml: 4:13: 5:12: group \"g\", rule 1, \"b\": only one of 'record' and 'alert' must be set");
}

}  // namespace
}  // namespace narthex::rules
