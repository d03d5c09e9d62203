#include "base/regex.h"

#include <gtest/gtest.h>

namespace narthex {
namespace {

Regex Anchored(std::string_view pattern) {
  absl::StatusOr<Regex> re = Regex::Compile(pattern);
  EXPECT_TRUE(re.ok()) << pattern << ": " << re.status();
  return re.ok() ? *re : *Regex::Compile("");
}

Regex Unanchored(std::string_view pattern) {
  absl::StatusOr<Regex> re = Regex::CompileUnanchored(pattern);
  EXPECT_TRUE(re.ok()) << pattern << ": " << re.status();
  return re.ok() ? *re : *Regex::Compile("");
}

std::string ErrorOf(std::string_view pattern) {
  return std::string(Regex::Compile(pattern).status().message());
}

TEST(Regex, MatchesTheWholeTextOnly) {
  Regex re = Anchored("node-\\d+");
  EXPECT_TRUE(re.Matches("node-17"));
  EXPECT_FALSE(re.Matches("node-17a"));
  EXPECT_FALSE(re.Matches("my-node-17"));
}

TEST(Regex, AnchorsHoldForEachAlternative) {
  Regex re = Anchored("a.|b");
  EXPECT_TRUE(re.Matches("ax"));
  EXPECT_TRUE(re.Matches("b"));
  EXPECT_FALSE(re.Matches("bx"));
  EXPECT_FALSE(re.Matches("xax"));
}

TEST(Regex, DotMatchesNewlineInMatchers) { EXPECT_TRUE(Anchored("a.b").Matches("a\nb")); }

TEST(Regex, UnanchoredSearchesAndDotStopsAtNewline) {
  EXPECT_TRUE(Unanchored("b+").Matches("abbc"));
  EXPECT_FALSE(Unanchored("a.b").Matches("a\nb"));
}

TEST(Regex, EmptyPatternMatchesTheEmptyTextOnly) {
  EXPECT_TRUE(Anchored("").Matches(""));
  EXPECT_FALSE(Anchored("").Matches("x"));
}

TEST(Regex, AlternationOfLiteralsIsASet) {
  EXPECT_EQ(Anchored("b|a|c").literal_set(), (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_EQ(Anchored("(?:up|down)").literal_set(), (std::vector<std::string>{"up", "down"}));
  EXPECT_EQ(Anchored("a\\.b|").literal_set(), (std::vector<std::string>{"a.b", ""}));
}

TEST(Regex, ALiteralSetMatchesAsThePatternWould) {
  Regex re = Anchored("eth0|wlan\\.1|");
  for (std::string_view text : {"eth0", "wlan.1", ""}) EXPECT_TRUE(re.Matches(text)) << text;
  for (std::string_view text : {"eth", "eth00", "wlanx1", "|"}) EXPECT_FALSE(re.Matches(text)) << text;
}

TEST(Regex, PatternsThatAreMoreThanLiteralsAreNoSet) {
  for (std::string_view pattern : {"a.|b", "(a)|(b)", "a|b+", "[ab]", "(?i:a|b)", "\\d|x", "^a", "a$"}) {
    EXPECT_TRUE(Anchored(pattern).literal_set().empty()) << pattern;
  }
  EXPECT_TRUE(Anchored("(a)|(b)").Matches("b"));
  EXPECT_TRUE(Anchored("(?i:a|b)").Matches("B"));
}

TEST(Regex, PrefixHoldsWhatEveryMatchBeginsWith) {
  EXPECT_EQ(Anchored("node_.*").literal_prefix(), "node_");
  EXPECT_EQ(Anchored("abc?d").literal_prefix(), "ab");
  EXPECT_EQ(Anchored("abc{0,2}").literal_prefix(), "ab");
  EXPECT_EQ(Anchored("abc+").literal_prefix(), "abc");
  EXPECT_EQ(Anchored("ab.*|c").literal_prefix(), "");
}

// A quantifier after a character of several bytes takes the whole character away.
TEST(Regex, PrefixNeverEndsInsideACharacter) { EXPECT_EQ(Anchored("aé*x").literal_prefix(), "a"); }

TEST(Regex, ExpandsReferencesAsGoDoes) {
  const struct {
    std::string_view replacement, want;
  } kCases[] = {{"$1", "left"},
                {"${1}x$2", "leftxright"},
                {"$1x", ""},
                {"$$1", "$1"},
                {"$0", "left-right"},
                {"$3", ""},
                {"$name", "right"},
                {"a$", "a$"},
                {"${1", "${1"},
                {"$01", ""},
                {"${name}!", "right!"},
                {"no refs", "no refs"},
                {"$-1", "$-1"}};
  Regex re = Anchored("(\\w+)-(?P<name>\\w+)");
  for (const auto& c : kCases) {
    std::string out = "stale";
    ASSERT_TRUE(re.Expand("left-right", c.replacement, &out));
    EXPECT_EQ(out, c.want) << c.replacement;
  }
}

TEST(Regex, ExpandLeavesTheOutputAloneWithoutAMatch) {
  std::string out = "kept";
  EXPECT_FALSE(Anchored("a(.*)").Expand("b", "$1", &out));
  EXPECT_EQ(out, "kept");
}

TEST(Regex, AGroupThatTookNoPartIsEmpty) {
  std::string out;
  ASSERT_TRUE(Anchored("a(b)?c").Expand("ac", "[$1]", &out));
  EXPECT_EQ(out, "[]");
}

TEST(Regex, GoNamedGroupsAreUnderstood) {
  std::string out;
  ASSERT_TRUE(Anchored("(?<host>[^:]+):\\d+").Expand("box:9100", "$host", &out));
  EXPECT_EQ(out, "box");
  EXPECT_TRUE(Anchored("[(?<]+").Matches("(?<"));
  EXPECT_TRUE(Anchored("\\(?<").Matches("(<"));
}

TEST(Regex, ReplacesEveryMatch) {
  EXPECT_EQ(Unanchored("a(x*)b").ReplaceAll("-ab-axxb-", "T$1"), "-T-Txx-");
  EXPECT_EQ(Unanchored("z").ReplaceAll("abc", "!"), "abc");
  EXPECT_EQ(Unanchored("a").ReplaceAll("", "!"), "");
}

TEST(Regex, ReplacesEmptyMatchesBetweenCharacters) {
  EXPECT_EQ(Unanchored("x*").ReplaceAll("abc", "-"), "-a-b-c-");
  EXPECT_EQ(Unanchored("x*").ReplaceAll("axc", "-"), "-a-c-");
  EXPECT_EQ(Unanchored("").ReplaceAll("é", "-"), "-é-");
  EXPECT_EQ(Unanchored("b*").ReplaceAll("", "-"), "-");
}

TEST(Regex, RefusalsAreWordedAsGoWordsThem) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"a(b", "error parsing regexp: missing closing ): `a(b`"},
      {"a)b", "error parsing regexp: unexpected ): `a)b`"},
      {"[a", "error parsing regexp: missing closing ]: `[a`"},
      {"*", "error parsing regexp: missing argument to repetition operator: `*`"},
      {"a**", "error parsing regexp: invalid nested repetition operator: `**`"},
      {"a{2,1}", "error parsing regexp: invalid repeat count: `{2,1}`"},
      {"[z-a]", "error parsing regexp: invalid character class range: `z-a`"},
      {"\\y", "error parsing regexp: invalid escape sequence: `\\y`"},
      {"a\\", "error parsing regexp: trailing backslash at end of expression: ``"},
      {"(?=x)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
  };
  for (const auto& [pattern, want] : kCases) EXPECT_EQ(ErrorOf(pattern), want) << pattern;
}

TEST(Regex, APatternTooLargeIsRefused) { EXPECT_FALSE(Regex::Compile("((((x{100}){100}){100}){100})").ok()); }

TEST(Regex, CopiesOutliveTheOriginal) {
  Regex copy = Anchored("");
  {
    Regex original = Anchored("a+");
    copy = original;
  }
  EXPECT_EQ(copy.pattern(), "a+");
  EXPECT_TRUE(copy.Matches("aa"));
}

}  // namespace
}  // namespace narthex
