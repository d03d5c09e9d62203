// What the parser refuses, in Prometheus's words, and how it prints what it takes.
#include "promql/syntax/parser.h"

#include <gtest/gtest.h>

namespace narthex::promql {
namespace {

std::string ErrorOf(std::string_view query) {
  absl::StatusOr<ExprPtr> expr = ParseExpr(query, ParserOptions());
  return expr.ok() ? "" : std::string(expr.status().message());
}

TEST(Parser, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "1:1: parse error: no expression found in input"},
      {"sum(", "1:5: parse error: unclosed left parenthesis"},
      {"foo{", "1:5: parse error: unexpected end of input inside braces"},
      {"foo{a=}", "1:7: parse error: unexpected \"}\" in label matching, expected string"},
      {"1 +", "1:4: parse error: unexpected end of input"},
      {"nosuch(foo)", "1:1: parse error: unknown function with name \"nosuch\""},
      {"rate(foo)",
       "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"},
      {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
      {"foo[5m] + 1",
       "1:1: parse error: binary expression must contain only scalar and instant vector types"},
      {"1 and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
      {"foo\n  bar", "2:3: parse error: unexpected identifier \"bar\""},
      {"foo{a=~\"(\"}", "error parsing regexp"},
      {"foo offset 5", ""},
      {"\"open", "1:1: parse error: unterminated quoted string"},
      {"min_of(1, 2)", "function \"min_of\" is not enabled"},
      {"sum(foo bar)", "1:9: parse error: unexpected identifier \"bar\" in aggregation"},
      {"nosuch(", "1:8: parse error: unclosed left parenthesis"},
      {"rate(a, *)", "1:7: parse error: trailing commas not allowed in function call args"},
      {"foo)", "1:5: parse error: unexpected right parenthesis ')'"},
      {"foo[5m", "1:7: parse error: unclosed left bracket"},
      {"foo[", "1:5: parse error: unexpected end of input in duration expression"},
      {"foo[x]", "1:5: parse error: unexpected character in duration expression: 'x'"},
      {"foo[1m1h]", "1:5: parse error: not a valid duration string: \"1m1h\""},
      {"5hs", "1:1: parse error: unknown unit \"hs\" in duration \"5hs\""},
      {"1__0", "1:1: parse error: bad number or duration syntax: \"1__\""},
      {"foo  + bool  bar", "1:6: parse error: bool modifier can only be used on comparison operators"},
      {"foo{__name__=\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
      {"a:b c:d", "1:5: parse error: unexpected metric identifier \"c:d\""},
      {"by(foo)", "1:3: parse error: unexpected \"(\""},
      {"foo{\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
      {"1e1_2_34",
       "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"1e1_2_34\": value out of "
       "range"},
      {"foo[:4s]", "1:6: parse error: unexpected colon before duration in duration expression"},
      {"foo[4m::]", "1:8: parse error: unexpected colon ':'"},
      {"foo[4m:", "1:8: parse error: unclosed left bracket"},
      {"foo[4m:{]",
       "1:8: parse error: unexpected \"{\" in subquery selector, expected number, duration, step(), "
       "range(), or \"]\""},
      {"foo[4m:x]", "1:8: parse error: unexpected character: 'x', expected ':'"},
      {"foo[4m,5m]", "1:7: parse error: unexpected \",\" in subquery or range, expected \":\" or \"]\""},
      {"foo[(4m]",
       "1:8: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, "
       "step(), or range()"},
      {"foo[min_of 4m]", "1:12: parse error: unexpected duration \"4m\" in subquery or range selector"},
      {"foo[step2]", "1:9: parse error: unexpected number \"2\" in subquery or range selector"},
      {"foo[ # no\n4m]", "1:6: parse error: unexpected character in duration expression: '#'"},
      {"foo[4m # yes\n]", ""},
      {"foo[4m/(0)]", ""},
      {"foo[4m/0]", "1:7: parse error: division by zero"},
      {"foo[0.0004]", ""},
      {"foo offset -99999999999", "1:12: parse error: duration out of range"},
      {"foo offset 99999999999", "1:12: parse error: duration out of range"},
      {"a # b\rc", "1:7: parse error: unexpected identifier \"c\""},
      {"0x1e", "1:1: parse error: bad number or duration syntax: \"0x1e\""},
      {"0x1e+5",
       "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"0x1e+5\": invalid syntax"},
      {"0xe1", ""},
      {".5.3",
       "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \".5.3\": invalid syntax"},
      {"0x7FFFFFFFFFFFFFFF", ""},
      {"0x8000000000000000",
       "parse error: error parsing number: strconv.ParseFloat: parsing \"0x8000000000000000\": invalid "
       "syntax"},
      {"\"\\\xc3\xa9\"", "1:1: parse error: unknown escape sequence U+00E9 '\xc3\xa9'"},
      {"\"\\'\"", "1:1: parse error: unknown escape sequence U+0027 '''"},
      {"\"\\\x01\"", "1:1: parse error: unknown escape sequence U+0001"},
      {"\"\xef\xbf\xbd\"", "1:1: parse error: invalid UTF-8 rune"},
      {"`a\xff", "1:1: parse error: invalid UTF-8 rune"},
      {"foo fill", "1:5: parse error: unexpected identifier \"fill\""},
      {"foo step", "1:5: parse error: unexpected \"step\""},
      {"foo min_of", "1:5: parse error: unexpected \"min_of\""},
      {"MIN_OF(1, 2)", "1:1: parse error: unknown function with name \"MIN_OF\""},
      {"1 + foo + fill(0) bar", "1:1: parse error: binop fill modifiers are experimental and not enabled"},
      {"foo + fill(x) bar", "1:12: parse error: unexpected identifier \"x\""},
      {"limitk()", "1:1: parse error: no arguments for aggregate expression provided"},
      {"sum(foo{a", "1:10: parse error: unexpected end of input inside braces"},
      {"round(a, on b)", "1:8: parse error: trailing commas not allowed in function call args"},
      {"sum(a, b))", "1:11: parse error: unexpected right parenthesis ')'"},
      {"a * on(b) group_left == c", "1:22: parse error: unexpected <op:==> in grouping opts, expected \"(\""},
      {"foo{a!", "1:6: parse error: unexpected character after '!' inside braces: '\xef\xbf\xbd'"},
      {"a '\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6'",
       "1:3: parse error: unexpected string "
       "\"'\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6'\"..."},
      {"foo offset - -5m", ""},
      {"sum by (a:b) (foo)", ""},
      {"foo start()", "1:5: parse error: unexpected \"start\""},
  };
  for (const auto& [query, error] : kCases) {
    if (*error == '\0') {
      EXPECT_EQ(ErrorOf(query), "") << query;
    } else {
      EXPECT_NE(ErrorOf(query).find(error), std::string::npos) << query << " gave: " << ErrorOf(query);
    }
  }
}

TEST(Parser, ListsEveryErrorOfMeaning) {
  std::vector<ParseError> errors;
  EXPECT_FALSE(ParseExpr("nosuch(foo[0s], bar offset 1m offset 2m)", ParserOptions(), &errors).ok());
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].message, "duration must be greater than 0");
  EXPECT_EQ(errors[1].message, "offset may not be set multiple times");
  EXPECT_EQ(errors[2].message, "unknown function with name \"nosuch\"");
  EXPECT_EQ(errors[2].pos.start, 0);
}

TEST(Parser, RefusesWhatIsNestedTooDeep) {
  std::string deep(100'000, '(');
  EXPECT_NE(ErrorOf(deep), "");
  std::string unary(100'000, '-');
  EXPECT_NE(ErrorOf(unary + "1"), "");
}

TEST(Printer, WritesTheCanonicalForm) {
  const std::pair<const char*, const char*> kCases[] = {
      {"sum  by(a ,b) (rate( x{b='1'}[300s] offset 1m))", "sum by (a, b) (rate(x{b=\"1\"}[5m] offset 1m))"},
      {"sum by (a:b, \"c d\") (x)", "sum by (\"a:b\", \"c d\") (x)"},
      {"1s1ms", "1s"},  // as upstream: 1.001 is a little less than that many nanoseconds
      {"x[1.9996]", "x[1s999ms]"},
      {"x[(5m)] offset -(7)", "x[(5m)] offset -(7)"},
      {"x offset - - -5m", "x offset -5m"},
      {"a+on(x)group_left(y)b", "a + on (x) group_left (y) b"},
      {"max_over_time(rate(x[1m])[1h:])", "max_over_time(rate(x[1m])[1h:])"},
      {"-x ^ 2", "-x ^ 2"},
      {"x @ start()", "x @ start()"},
      {"{\"with.dots\", a!~\"b\"}", "{__name__=\"with.dots\",a!~\"b\"}"},
      {"{a=\"b\", \"x\"}", "{__name__=\"x\",a=\"b\"}"},
      {"AND{a=\"b\"} AND or", "AND{a=\"b\"} and or"},
  };
  for (const auto& [query, printed] : kCases) {
    absl::StatusOr<ExprPtr> expr = ParseExpr(query, ParserOptions());
    ASSERT_TRUE(expr.ok()) << query << ": " << expr.status();
    EXPECT_EQ(ToString(**expr), printed);
  }
}

TEST(Printer, TakesTheIndentOfWhatASignStandsBefore) {
  absl::StatusOr<ExprPtr> expr = ParseExpr("- -aaaa ^ bbbb", ParserOptions());
  ASSERT_TRUE(expr.ok()) << expr.status();
  EXPECT_EQ(Pretty(**expr, 8), "--aaaa\n^\n  bbbb");
}

}  // namespace
}  // namespace narthex::promql
