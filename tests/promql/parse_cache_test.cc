// Parsed queries that are kept.
#include "promql/parse_cache.h"

#include "base/strings.h"
#include "gtest/gtest.h"

namespace narthex::promql {
namespace {

TEST(ParseCache, GivesEachCallerATreeOfItsOwn) {
  ParseCache cache{ParserOptions()};
  const std::string text = "sum by (job) (rate(m{a=~\"x.*\"}[5m])) / 2";
  const std::string expected = ToString(**ParseExpr(text, ParserOptions()));
  for (int i = 0; i < 5; ++i) {
    absl::StatusOr<ExprPtr> tree = cache.Parse(text);
    ASSERT_TRUE(tree.ok()) << tree.status();
    EXPECT_EQ(ToString(**tree), expected);
    EXPECT_EQ((*tree)->children[0]->pos.end, (*ParseExpr(text, ParserOptions()))->children[0]->pos.end);
    (*tree)->children[0]->grouping = {"changed"};
  }
}

TEST(ParseCache, KeepsWhatComesAgainAndOnlySoMuch) {
  ParseCache cache{ParserOptions()};
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(cache.Parse(StrCat("once_", i)).ok());
  EXPECT_EQ(cache.size(), 0u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(cache.Parse(StrCat("twice_", i)).ok());
    EXPECT_TRUE(cache.Parse(StrCat("twice_", i)).ok());
    EXPECT_TRUE(cache.Parse("often").ok());
  }
  EXPECT_EQ(cache.size(), ParseCache::kMost);
  const std::string longest = StrCat("m{a=\"", std::string(ParseCache::kLongestText, 'x'), "\"}");
  ParseCache other{ParserOptions()};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(other.Parse(longest).ok());
  EXPECT_EQ(other.size(), 0u);
}

TEST(ParseCache, ErrorsAreTheSameEachTime) {
  ParseCache cache{ParserOptions()};
  const absl::Status expected = ParseExpr("sum(", ParserOptions()).status();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cache.Parse("sum(").status(), expected);
  EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace narthex::promql
