#include "model/matcher.h"

#include <gtest/gtest.h>

namespace narthex {
namespace {

Matcher Make(MatchOp op, std::string_view name, std::string_view value) {
  absl::StatusOr<Matcher> matcher = Matcher::Create(op, name, value);
  EXPECT_TRUE(matcher.ok()) << matcher.status();
  return matcher.ok() ? *matcher : Matcher::Equal("", "");
}

TEST(Matcher, EachOperatorComparesItsWay) {
  const struct {
    MatchOp op;
    std::string_view value;
    bool up, down, empty;
  } kCases[] = {
      {MatchOp::kEqual, "up", true, false, false},     {MatchOp::kNotEqual, "up", false, true, true},
      {MatchOp::kRegex, "u.", true, false, false},     {MatchOp::kNotRegex, "u.", false, true, true},
      {MatchOp::kEqual, "", false, false, true},       {MatchOp::kNotEqual, "", true, true, false},
      {MatchOp::kRegex, ".*", true, true, true},       {MatchOp::kRegex, ".+", true, true, false},
      {MatchOp::kRegex, "up|down", true, true, false}, {MatchOp::kRegex, "up|", true, false, true}};
  for (const auto& c : kCases) {
    Matcher matcher = Make(c.op, "l", c.value);
    EXPECT_EQ(matcher.Matches("up"), c.up) << matcher.ToString();
    EXPECT_EQ(matcher.Matches("down"), c.down) << matcher.ToString();
    EXPECT_EQ(matcher.MatchesEmpty(), c.empty) << matcher.ToString();
  }
}

TEST(Matcher, RegexesAreAnchored) {
  EXPECT_FALSE(Make(MatchOp::kRegex, "l", "b").Matches("abc"));
  EXPECT_TRUE(Make(MatchOp::kNotRegex, "l", "b").Matches("abc"));
}

TEST(Matcher, EqualityTakesTheValueLiterally) {
  EXPECT_TRUE(Make(MatchOp::kEqual, "l", "a.*").Matches("a.*"));
  EXPECT_FALSE(Make(MatchOp::kEqual, "l", "a.*").Matches("abc"));
  EXPECT_EQ(Make(MatchOp::kEqual, "l", "(").regex(), nullptr);
}

TEST(Matcher, ABrokenRegexIsRefused) {
  absl::StatusOr<Matcher> matcher = Matcher::Create(MatchOp::kNotRegex, "l", "a(");
  ASSERT_FALSE(matcher.ok());
  EXPECT_EQ(matcher.status().message(), "error parsing regexp: missing closing ): `a(`");
}

TEST(Matcher, TextIsThatOfASelector) {
  EXPECT_EQ(Make(MatchOp::kEqual, "a", "x").ToString(), "a=\"x\"");
  EXPECT_EQ(Make(MatchOp::kNotEqual, "a", "x\n").ToString(), "a!=\"x\\n\"");
  EXPECT_EQ(Make(MatchOp::kRegex, "a", "\\d").ToString(), "a=~\"\\\\d\"");
  EXPECT_EQ(Make(MatchOp::kNotRegex, "a.b", "x").ToString(), "\"a.b\"!~\"x\"");
}

TEST(Matcher, AllMustMatchAndAbsentLabelsAreEmpty) {
  Labels labels{{"__name__", "up"}, {"job", "node"}};
  Matchers matchers = {Matcher::Equal("__name__", "up"), Make(MatchOp::kRegex, "job", "n.*")};
  EXPECT_TRUE(MatchesAll(matchers, labels));
  matchers.push_back(Make(MatchOp::kNotEqual, "instance", "x"));
  EXPECT_TRUE(MatchesAll(matchers, labels));
  matchers.push_back(Make(MatchOp::kRegex, "instance", ".+"));
  EXPECT_FALSE(MatchesAll(matchers, labels));
  EXPECT_TRUE(MatchesAll({}, labels));
}

TEST(Matcher, CopiesMatchAfterTheOriginalIsGone) {
  Matchers copies;
  {
    Matcher original = Make(MatchOp::kRegex, "l", "a+");
    copies.push_back(original);
  }
  EXPECT_TRUE(copies[0].Matches("aaa"));
}

}  // namespace
}  // namespace narthex
