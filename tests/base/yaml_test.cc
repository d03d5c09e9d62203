#include "base/yaml.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/strings.h"

namespace narthex {
namespace {

YamlNode Parsed(std::string_view text) {
  absl::StatusOr<YamlNode> node = YamlNode::Parse(text);
  EXPECT_TRUE(node.ok()) << node.status() << "\n" << text;
  return node.ok() ? *node : YamlNode();
}

std::string ParseError(std::string_view text) {
  absl::StatusOr<YamlNode> node = YamlNode::Parse(text);
  return node.ok() ? "parses" : std::string(node.status().message());
}

TEST(Yaml, ReadsNestedValuesWithTheirLines) {
  YamlNode node = Parsed("a: 1\nb:\n  - x\n  - {c: 'y'}\n");
  ASSERT_TRUE(node.IsMapping());
  EXPECT_EQ(node.Find("a")->scalar(), "1");
  const YamlNode* b = node.Find("b");
  ASSERT_TRUE(b != nullptr && b->IsSequence());
  EXPECT_EQ(b->items()[0].scalar(), "x");
  EXPECT_EQ(b->items()[1].line(), 4);
  EXPECT_TRUE(b->items()[1].Find("c")->quoted());
  EXPECT_EQ(node.key_line(1), 2);
  EXPECT_EQ(node.Find("absent"), nullptr);
}

TEST(Yaml, EmptyTextAndNullsAreNull) {
  for (std::string_view text : {"", "# nothing\n", "~", "null", "---\n"}) {
    EXPECT_TRUE(Parsed(text).IsNull()) << text;
  }
  EXPECT_TRUE(Parsed("a: 'null'").Find("a")->IsScalar());
  EXPECT_TRUE(Parsed("a: ''").Find("a")->IsScalar());
  EXPECT_TRUE(Parsed("a:").Find("a")->IsNull());
}

TEST(Yaml, JsonIsYaml) {
  YamlNode node = Parsed("{\"a\": [1, \"x\\ny\\u00e9\", true, null], \"b\": {}}");
  const std::vector<YamlNode>& items = node.Find("a")->items();
  ASSERT_EQ(items.size(), 4u);
  EXPECT_EQ(items[1].scalar(), "x\nyé");
  EXPECT_TRUE(items[3].IsNull());
  EXPECT_TRUE(node.Find("b")->IsMapping());
}

TEST(Yaml, AliasesAreCopies) {
  YamlNode node = Parsed("a: &x [1, 2]\nb: *x\n");
  EXPECT_EQ(node.Find("b")->items()[1].scalar(), "2");
  EXPECT_EQ(ParseError("a: *nowhere"), "yaml: line 1: unknown anchor referenced");
}

TEST(Yaml, MergeKeysGiveWhatTheMappingHasNot) {
  YamlNode node = Parsed("d: &d {x: 1, y: 2}\ne: &e {y: 3, z: 4}\nm:\n  <<: [*d, *e]\n  x: own\n");
  const YamlNode* m = node.Find("m");
  EXPECT_EQ(m->Find("x")->scalar(), "own");
  EXPECT_EQ(m->Find("y")->scalar(), "2");
  EXPECT_EQ(m->Find("z")->scalar(), "4");
  EXPECT_EQ(m->Find("<<"), nullptr);
}

TEST(Yaml, MergingWhatIsNoMappingIsRefused) {
  EXPECT_EQ(ParseError("a: {<<: 1}"), "yaml: map merge requires map or sequence of maps as the value");
}

TEST(Yaml, OnlyTheFirstDocumentCounts) {
  EXPECT_EQ(Parsed("a: 1\n---\nb: 2\n").Find("b"), nullptr);
  EXPECT_EQ(Parsed("a: 1\n---\n[broken\n").Find("a")->scalar(), "1");
}

TEST(Yaml, DuplicateKeysAreKeptAsideButRefusedInFreeMappings) {
  YamlNode node = Parsed("a: 1\nb: 2\na: 3\n");
  EXPECT_EQ(node.Find("a")->scalar(), "1");
  ASSERT_EQ(node.duplicates().size(), 1u);
  EXPECT_EQ(node.duplicates()[0], (std::pair<std::string, int>("a", 3)));
  EXPECT_EQ(ParseError("labels:\n  x: 1\n  x: 2\n"),
            "yaml: unmarshal errors:\n  line 3: key \"x\" already set in map");
}

TEST(Yaml, SyntaxErrorsNameTheLine) {
  for (const auto& [text, want] :
       {std::pair{"a: b: c\n", "yaml: line 1: mapping values are not allowed in this context"},
        {"a: 1\nb: [1, 2\n", "yaml: line 3: did not find expected ',' or ']'"},
        {"a: 1\nb: \"x\\q\"\n", "yaml: line 2: found unknown escape character"},
        {"a: 1\n@b: 2\n", "yaml: line 2: found character that cannot start any token"}}) {
    EXPECT_EQ(ParseError(text), want) << text;
  }
}

TEST(Yaml, InvalidUtf8IsRefused) { EXPECT_EQ(ParseError("a: \xff"), "yaml: invalid UTF-8"); }

TEST(Yaml, BinaryScalarsAreDecoded) { EXPECT_EQ(Parsed("a: !!binary aGk=").Find("a")->scalar(), "hi"); }

TEST(Yaml, BinaryScalarsThatAreNotBase64AreRefused) {
  EXPECT_EQ(ParseError("a: !!binary \"/w==$1\""), "yaml: !!binary value contains invalid base64 data");
}

TEST(Yaml, DeepNestingIsRefusedNotFollowed) {
  std::string deep = std::string(150, '[') + std::string(150, ']');
  EXPECT_EQ(ParseError(deep), "yaml: exceeded max depth of 100");
  EXPECT_NE(ParseError(std::string(100'000, '[')), "parses");
  EXPECT_NE(ParseError(std::string(90, '[') + std::string(90, ']')), "yaml: exceeded max depth of 100");
}

TEST(Yaml, AliasBombsAreRefused) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    StrAppend(&bomb, "a", i, ": &a", i, " [");
    for (int n = 0; n < 10; ++n) StrAppend(&bomb, n > 0 ? ", " : "", "*a", i - 1);
    bomb += "]\n";
  }
  EXPECT_EQ(ParseError(bomb), "yaml: document contains excessive aliasing");
}

TEST(Yaml, DumpReadsBackAsTheSame) {
  std::string_view text =
      "a: 1\nb:\n- x\n- c: \"yes\"\n  d: []\n- - nested\ne: {}\nf: null\ng: \"a: b\"\nh: \"line\\nbreak\"\n";
  std::string dump = Parsed(text).Dump();
  EXPECT_EQ(dump, text);
  EXPECT_EQ(Parsed(dump).Dump(), dump);
}

TEST(YamlString, QuotesWhatWouldMeanSomethingElse) {
  for (std::string_view text : {"", "true", "no", "~", "null", "12", "1e3", ".5", "a: b", "a #b", "- x", "*x",
                                "{x", "a:", " x", "x ", "a\nb", "'", "\xc3"}) {
    EXPECT_EQ(YamlString(text)[0], '"') << text;
  }
  for (std::string_view text : {"plain", "a:b", "http://x/y?z=1", "a b", "-x", "é", "$1"}) {
    EXPECT_EQ(YamlString(text), text);
  }
}

TEST(YamlString, ReadsBackAsTheString) {
  for (std::string_view text : {"", "yes", "0x1f", "a: b", "tab\there", "quote\"", "back\\slash", "é\n"}) {
    YamlNode node = Parsed(StrCat("a: ", YamlString(text)));
    ASSERT_NE(node.Find("a"), nullptr);
    EXPECT_TRUE(node.Find("a")->IsScalar()) << text;
    EXPECT_EQ(node.Find("a")->scalar(), text);
  }
}

// One mapping with a key "v", read into each type.
template <typename T>
std::string ReadError(std::string_view value, T* out) {
  YamlNode node = Parsed(StrCat("v: ", value));
  YamlMap map(node, "test.plain");
  map.Get("v", out);
  return std::string(map.Finish().message());
}

TEST(YamlMap, ReadsValuesOfEachType) {
  YamlNode node = Parsed(
      "s: text\nb: yes\ni: -0x10\nu: 1_000\nf: 1.5e3\nl: [a, 2]\nm: {x: 1, y: null}\nd: 1m30s\nz: 2KB\n");
  YamlMap map(node, "test.plain");
  std::string s;
  bool b = false;
  int64_t i = 0, duration = 0, bytes = 0;
  uint64_t u = 0;
  double f = 0;
  std::vector<std::string> list;
  std::vector<std::pair<std::string, std::string>> pairs;
  map.Get("s", &s);
  map.Get("b", &b);
  map.Get("i", &i);
  map.Get("u", &u);
  map.Get("f", &f);
  map.Get("l", &list);
  map.Get("m", &pairs);
  map.GetDuration("d", &duration);
  map.GetBytes("z", &bytes);
  ASSERT_TRUE(map.Finish().ok()) << map.Finish();
  EXPECT_EQ(s, "text");
  EXPECT_TRUE(b);
  EXPECT_EQ(i, -16);
  EXPECT_EQ(u, 1000u);
  EXPECT_EQ(f, 1500);
  EXPECT_EQ(list, (std::vector<std::string>{"a", "2"}));
  EXPECT_EQ(pairs, (std::vector<std::pair<std::string, std::string>>{{"x", "1"}, {"y", ""}}));
  EXPECT_EQ(duration, 90'000);
  EXPECT_EQ(bytes, 2048);
}

TEST(YamlMap, AbsentAndNullLeaveTheDefault) {
  YamlNode node = Parsed("a: null\n");
  YamlMap map(node, "test.plain");
  int64_t a = 7, b = 8;
  map.Get("a", &a);
  map.Get("b", &b);
  EXPECT_TRUE(map.Finish().ok());
  EXPECT_EQ(a, 7);
  EXPECT_EQ(b, 8);
  EXPECT_TRUE(map.Has("a"));
  EXPECT_EQ(map.Child("a"), nullptr);
}

TEST(YamlMap, WrongTypesAreNamedAsGoNamesThem) {
  bool b = false;
  int64_t i = 0;
  uint64_t u = 0;
  double d = 0;
  std::string s;
  std::vector<std::string> list;
  const std::string kStart = "yaml: unmarshal errors:\n  line 1: cannot unmarshal ";
  EXPECT_EQ(ReadError("maybe", &b), kStart + "!!str `maybe` into bool");
  EXPECT_EQ(ReadError("'true'", &b), kStart + "!!str `true` into bool");
  EXPECT_EQ(ReadError("1e20", &i), kStart + "!!float `1e20` into int");
  EXPECT_EQ(ReadError(".inf", &i), kStart + "!!float `.inf` into int");
  EXPECT_EQ(ReadError("9223372036854775808", &i), kStart + "!!int `9223372...` into int");
  EXPECT_EQ(ReadError("-1", &u), kStart + "!!int `-1` into uint64");
  EXPECT_EQ(ReadError("yes", &d), kStart + "!!bool `yes` into float64");
  EXPECT_EQ(ReadError("[1]", &s), kStart + "!!seq into string");
  EXPECT_EQ(ReadError("{a: 1}", &list), kStart + "!!map into []string");
}

TEST(YamlMap, SpecialFloats) {
  double d = 0;
  EXPECT_EQ(ReadError("-.inf", &d), "");
  EXPECT_EQ(d, -INFINITY);
  EXPECT_EQ(ReadError(".nan", &d), "");
  EXPECT_TRUE(std::isnan(d));
  EXPECT_EQ(ReadError("0o17", &d), "");
  EXPECT_EQ(d, 15);
}

TEST(YamlMap, AllErrorsAreReportedInTheOrderOfLines) {
  YamlNode node = Parsed("unknown: 1\nn: x\nd: [1s]\nn: 2\n");
  YamlMap map(node, "test.plain");
  int64_t n = 0, d = 0;
  map.GetDuration("d", &d);
  map.Get("n", &n);
  EXPECT_EQ(map.Finish().message(),
            "yaml: unmarshal errors:\n"
            "  line 1: field unknown not found in type test.plain\n"
            "  line 2: cannot unmarshal !!str `x` into int\n"
            "  line 3: cannot unmarshal !!seq into string\n"
            "  line 4: field n already set in type test.plain");
}

TEST(YamlMap, AFloatIsCutToAnInteger) {
  int64_t i = 0;
  uint64_t u = 0;
  EXPECT_EQ(ReadError("1.5", &i), "");
  EXPECT_EQ(i, 1);
  EXPECT_EQ(ReadError("-1.5", &i), "");
  EXPECT_EQ(i, -1);
  EXPECT_EQ(ReadError("1e3", &u), "");
  EXPECT_EQ(u, 1000u);
}

TEST(YamlMap, AnErrorOfADurationOrSizeStandsAlone) {
  YamlNode node = Parsed("unknown: 1\nd: soon\n");
  YamlMap map(node, "test.plain");
  int64_t d = 0;
  map.GetDuration("d", &d);
  EXPECT_EQ(map.Finish().message(), "not a valid duration string: \"soon\"");
  YamlNode sizes = Parsed("s: 10XB\n");
  YamlMap other(sizes, "test.plain");
  other.GetBytes("s", &d);
  EXPECT_EQ(other.Finish().message(), "units: unknown unit XB in 10XB");
}

TEST(YamlMap, UnknownKeysMayBeIgnored) {
  YamlNode node = Parsed("unknown: 1\n");
  EXPECT_FALSE(YamlMap(node, "test.plain").Finish().ok());
  EXPECT_TRUE(YamlMap(node, "test.plain").Finish(true).ok());
}

TEST(YamlMap, AListIsNoMapping) {
  YamlNode node = Parsed("[1]");
  EXPECT_EQ(YamlMap(node, "test.plain").Finish().message(),
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into test.plain");
}

TEST(YamlMap, ErrorsOfTheCallerAreCollectedToo) {
  YamlNode node = Parsed("a: 1");
  YamlMap map(node, "test.plain");
  map.Child("a");
  map.AddError(1, "a must be 2");
  EXPECT_EQ(map.Finish().message(), "yaml: unmarshal errors:\n  line 1: a must be 2");
}

TEST(ParseBytes, UnitsArePowersOf1024) {
  const std::pair<std::string_view, int64_t> kCases[] = {
      {"0", 0},           {"5B", 5},           {"1KB", 1024},     {"1KiB", 1024},
      {"1.5MB", 3 << 19}, {"2GiB", 2LL << 30}, {"1KB512B", 1536}, {"7EB", 7LL << 60}};
  for (const auto& [text, want] : kCases) {
    absl::StatusOr<int64_t> got = ParseBytes(text);
    ASSERT_TRUE(got.ok()) << text << got.status();
    EXPECT_EQ(*got, want) << text;
  }
}

TEST(ParseBytes, RefusalsAreNamed) {
  EXPECT_EQ(ParseBytes("100").status().message(), "units: unknown unit  in 100");
  EXPECT_EQ(ParseBytes("1XB").status().message(), "units: unknown unit XB in 1XB");
  EXPECT_EQ(ParseBytes("").status().message(), "units: invalid ");
  EXPECT_EQ(ParseBytes("KB").status().message(), "units: invalid KB");
  EXPECT_FALSE(ParseBytes("8EB").ok());
  EXPECT_FALSE(ParseBytes("-1B").ok());
}

TEST(YamlParse, ATokenThatStandsAloneIsAnError) {
  EXPECT_EQ(YamlNode::Parse(",").status().message(), "yaml: line 1: did not find expected node content");
  EXPECT_FALSE(YamlNode::Parse("a: 1\n]").ok());
  EXPECT_FALSE(YamlNode::Parse("{},").ok());
}

}  // namespace
}  // namespace narthex
