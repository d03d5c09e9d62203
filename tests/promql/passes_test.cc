// What each pass makes of a tree. That results stay the same is tested by the scripts (scripts_test.cc).
#include "promql/passes/passes.h"

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "promql/syntax/parser.h"

namespace narthex::promql {
namespace {

using ::testing::ElementsAre;

ExprPtr Parse(const std::string& text) {
  absl::StatusOr<ExprPtr> expr = ParseExpr(text, ParserOptions());
  EXPECT_TRUE(expr.ok()) << text << ": " << expr.status();
  return *std::move(expr);
}

// The selectors from left to right, with their matchers.
void Selectors(const Expr& e, std::vector<const Expr*>* out) {
  if (e.kind == ExprKind::kVectorSelector) out->push_back(&e);
  for (const ExprPtr& child : e.children) Selectors(*child, out);
}

std::vector<std::string> MatchersAfter(const std::string& text) {
  ExprPtr expr = Parse(text);
  PropagateMatchers(&expr);
  std::vector<const Expr*> selectors;
  Selectors(*expr, &selectors);
  std::vector<std::string> out;
  for (const Expr* selector : selectors) {
    std::string matchers;
    for (const Matcher& m : selector->matchers) {
      if (m.name() != kMetricName) StrAppend(&matchers, matchers.empty() ? "" : ",", m.ToString());
    }
    out.push_back(matchers);
  }
  return out;
}

TEST(PropagateMatchers, SetOperationsShareTheLabelsTheyMatchOn) {
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} and b{y=~\"2.*\"}"),
              ElementsAre("x=\"1\",y=~\"2.*\"", "y=~\"2.*\",x=\"1\""));
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} and on (y) b{y!=\"2\"}"),
              ElementsAre("x=\"1\",y!=\"2\"", "y!=\"2\""));
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} and ignoring (x) b{y!=\"2\"}"),
              ElementsAre("x=\"1\",y!=\"2\"", "y!=\"2\""));
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} unless b{y=\"2\"}"), ElementsAre("x=\"1\"", "y=\"2\",x=\"1\""));
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} or b{y=\"2\"}"), ElementsAre("x=\"1\"", "y=\"2\""));
}

// Two series of the "one" side in a match group are an error, partner or not: that side is read whole.
TEST(PropagateMatchers, ArithmeticLeavesTheSideThatMustBeUnique) {
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} / b{y=\"2\"}"), ElementsAre("x=\"1\",y=\"2\"", "y=\"2\""));
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} / on (x, y) group_left b{y=\"2\"}"),
              ElementsAre("x=\"1\",y=\"2\"", "y=\"2\""));
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} / on (x, y) group_right b{y=\"2\"}"),
              ElementsAre("x=\"1\"", "y=\"2\",x=\"1\""));
  EXPECT_THAT(MatchersAfter("a{x=\"1\"} / (b{y=\"2\"} + 1)"), ElementsAre("x=\"1\"", "y=\"2\""));
}

std::vector<std::string> Projection(const std::string& text) {
  ExprPtr expr = Parse(text);
  ProjectLabels(&expr);
  std::vector<const Expr*> selectors;
  Selectors(*expr, &selectors);
  return selectors[0]->needed_labels.value_or(std::vector<std::string>{"all"});
}

TEST(ProjectLabels, AggregationsNeedTheirGroupsOnly) {
  EXPECT_THAT(Projection("count({__name__=~\".+\"})"), ElementsAre());
  EXPECT_THAT(Projection("max by (job, x) ((m))"), ElementsAre("job", "x"));
  EXPECT_THAT(Projection("sum by (job) (rate(m[5m]))"),
              ElementsAre("job", "__name__", "__type__", "__unit__"));
}

TEST(ProjectLabels, WhateverTellsSeriesApartNeedsAllLabels) {
  for (const char* text : {"m", "sum without (job) (m)", "topk(3, m)", "count_values(\"v\", m)", "sum(m + 1)",
                           "sum(m / n)", "sum(rate({__name__=~\"a|b\"}[5m]))", "sum(rate(m[5m:1m]))",
                           "sum(label_replace(m, \"a\", \"b\", \"\", \"\"))"}) {
    EXPECT_THAT(Projection(text), ElementsAre("all")) << text;
  }
}

TEST(FoldConstants, WorksOutArithmeticOfNumbersOnly) {
  for (const auto& [text, folded] : {std::pair{"m * (1 + 2 * 3)", "m * (7)"},
                                     {"-(3) + 2 ^ 3", "5"},
                                     {"1 > bool 2", "0"},
                                     {"1 + time()", "1 + time()"},
                                     {"1 / 0", "+Inf"}}) {
    ExprPtr expr = Parse(text);
    FoldConstants(&expr);
    EXPECT_EQ(ToString(*expr), folded);
  }
}

}  // namespace
}  // namespace narthex::promql
