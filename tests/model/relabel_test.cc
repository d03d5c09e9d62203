#include "model/relabel.h"

#include <gtest/gtest.h>

#include "base/strings.h"

namespace narthex {
namespace {

absl::StatusOr<std::vector<RelabelConfig>> Parse(std::string_view yaml,
                                                 NameValidation validation = NameValidation::kUtf8) {
  absl::StatusOr<YamlNode> node = YamlNode::Parse(yaml);
  EXPECT_TRUE(node.ok()) << node.status();
  return ParseRelabelConfigs(*node, validation);
}

std::string ErrorOf(std::string_view yaml, NameValidation validation = NameValidation::kUtf8) {
  absl::StatusOr<std::vector<RelabelConfig>> configs = Parse(yaml, validation);
  return configs.ok() ? "accepted" : std::string(configs.status().message());
}

// The labels after the rules, "dropped", or the error.
std::string Result(std::string_view yaml, const Labels& labels,
                   NameValidation validation = NameValidation::kUtf8) {
  absl::StatusOr<std::vector<RelabelConfig>> configs = Parse(yaml, validation);
  if (!configs.ok()) return std::string(configs.status().message());
  LabelsBuilder builder(labels);
  return Relabel(*configs, &builder) ? builder.Build().ToString() : "dropped";
}

TEST(Relabel, DefaultsCopyTheSource) {
  EXPECT_EQ(Result("[{source_labels: [a], target_label: b}]", {{"a", "x"}}), R"({a="x", b="x"})");
}

TEST(Relabel, SourcesAreJoinedBySeparator) {
  Labels labels{{"a", "x"}, {"b", "y"}};
  EXPECT_EQ(Result("[{source_labels: [a, b], target_label: c}]", labels), R"({a="x", b="y", c="x;y"})");
  EXPECT_EQ(Result("[{source_labels: [b, none, a], separator: '', target_label: c}]", labels),
            R"({a="x", b="y", c="yx"})");
}

TEST(Relabel, ReplaceLeavesLabelsAloneWithoutAMatch) {
  EXPECT_EQ(Result("[{source_labels: [a], regex: 'z.*', target_label: a, replacement: new}]", {{"a", "x"}}),
            R"({a="x"})");
}

TEST(Relabel, AnEmptyReplacementDeletesTheTarget) {
  EXPECT_EQ(Result("[{source_labels: [a], target_label: b, replacement: ''}]", {{"a", "x"}, {"b", "y"}}),
            R"({a="x"})");
}

TEST(Relabel, GroupsExpandInTargetAndReplacement) {
  EXPECT_EQ(Result("[{source_labels: [a], regex: '(.*)=(.*)', target_label: 'p_${1}', replacement: '<$2>'}]",
                   {{"a", "k=v"}}),
            R"({a="k=v", p_k="<v>"})");
}

TEST(Relabel, AnExpandedTargetThatIsNoNameIsSkipped) {
  std::string_view rule = "[{source_labels: [a], regex: '(.*)', target_label: '${1}', replacement: v}]";
  EXPECT_EQ(Result(rule, {{"a", ""}, {"b", "y"}}), R"({b="y"})");
  EXPECT_EQ(Result(rule, {{"a", "x-y"}}, NameValidation::kLegacy), R"({a="x-y"})");
  EXPECT_EQ(Result(rule, {{"a", "x-y"}}), R"({a="x-y", "x-y"="v"})");
}

TEST(Relabel, KeepAndDropLookAtTheSource) {
  Labels labels{{"a", "x"}};
  EXPECT_EQ(Result("[{source_labels: [a], regex: 'x|y', action: keep}]", labels), R"({a="x"})");
  EXPECT_EQ(Result("[{source_labels: [a], regex: y, action: keep}]", labels), "dropped");
  EXPECT_EQ(Result("[{source_labels: [a], regex: x, action: drop}]", labels), "dropped");
  EXPECT_EQ(Result("[{source_labels: [none], regex: '', action: drop}]", labels), "dropped");
}

TEST(Relabel, KeepEqualAndDropEqualCompareTwoLabels) {
  std::string_view keep = "[{source_labels: [a], target_label: b, action: keepequal}]";
  std::string_view drop = "[{source_labels: [a], target_label: b, action: dropequal}]";
  Labels same{{"a", "1"}, {"b", "1"}}, other{{"a", "1"}, {"b", "2"}};
  EXPECT_EQ(Result(keep, same), same.ToString());
  EXPECT_EQ(Result(keep, other), "dropped");
  EXPECT_EQ(Result(drop, same), "dropped");
  EXPECT_EQ(Result(drop, other), other.ToString());
}

// The last 16 digits of `printf x | md5sum`, modulo 1000.
TEST(Relabel, HashModIsTheMd5OfTheSource) {
  EXPECT_EQ(Result("[{source_labels: [a], target_label: h, modulus: 1000, action: hashmod}]", {{"a", "x"}}),
            R"({a="x", h="726"})");
}

TEST(Relabel, LabelMapCopiesByName) {
  EXPECT_EQ(Result("[{regex: 'meta_(.+)', action: labelmap, replacement: 'm_$1'}]",
                   {{"meta_a", "1"}, {"meta_b", "2"}, {"c", "3"}}),
            R"({c="3", m_a="1", m_b="2", meta_a="1", meta_b="2"})");
}

TEST(Relabel, LabelDropAndLabelKeepChooseByName) {
  Labels labels{{"a1", "x"}, {"a2", "y"}, {"b", "z"}};
  EXPECT_EQ(Result("[{regex: 'a.', action: labeldrop}]", labels), R"({b="z"})");
  EXPECT_EQ(Result("[{regex: 'a.', action: labelkeep}]", labels), R"({a1="x", a2="y"})");
}

TEST(Relabel, CaseActionsChangeTheSourcesLetters) {
  EXPECT_EQ(Result("[{source_labels: [a], target_label: b, action: lowercase},"
                   " {source_labels: [a], target_label: c, action: Uppercase}]",
                   {{"a", "FoO"}}),
            R"({a="FoO", b="foo", c="FOO"})");
}

TEST(Relabel, RulesWorkOnWhatEarlierOnesLeft) {
  EXPECT_EQ(Result("[{source_labels: [a], target_label: b}, {source_labels: [b], regex: x, target_label: c,"
                   " replacement: found}, {regex: 'a|b', action: labeldrop}]",
                   {{"a", "x"}}),
            R"({c="found"})");
}

TEST(Relabel, NothingAfterADropMatters) {
  EXPECT_EQ(Result("[{source_labels: [a], regex: x, action: drop}, {target_label: a, replacement: y}]",
                   {{"a", "x"}}),
            "dropped");
}

TEST(Relabel, RefusalsSayWhat) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"[{action: nonsense}]", "line 1: unknown relabel action \"nonsense\""},
      {"[{action: null}]", "line 1: relabel action cannot be empty"},
      {"[{source_labels: [a]}]",
       "line 1: relabel configuration for replace action requires 'target_label' value"},
      {"[{source_labels: [a], target_label: b, action: hashmod}]",
       "line 1: relabel configuration for hashmod requires non-zero modulus"},
      {"[{regex: '(', target_label: b}]", "line 1: error parsing regexp: missing closing ): `(`"},
      {"[{regex: a, action: labelkeep, target_label: b}]",
       "line 1: labelkeep action requires only 'regex', and no other fields"},
      {"[{source_labels: [a], target_label: b, action: keepequal, regex: x}]",
       "line 1: keepequal action requires only 'source_labels' and `target_label`, and no other fields"},
      {"[{target_label: b, action: uppercase, replacement: x}]",
       "line 1: 'replacement' can not be set for uppercase action"},
      {"[{target_label: b, regexp: x}]",
       "yaml: unmarshal errors:\n  line 1: field regexp not found in type relabel.plain"},
      {"[{target_label: b, modulus: -1}]",
       "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!int `-1` into uint64"},
      {"[null]", "empty or null relabel config"},
  };
  for (const auto& [yaml, want] : kCases) EXPECT_EQ(ErrorOf(yaml), want) << yaml;
}

TEST(Relabel, TheErrorNamesTheLineOfItsRule) {
  EXPECT_EQ(ErrorOf("- target_label: a\n- action: keep\n- action: bad\n"),
            "line 3: unknown relabel action \"bad\"");
}

TEST(Relabel, LegacyNamesAreAskedForUnderLegacyValidation) {
  for (std::string_view target : {"a.b", "9a", "a-${1}", "a$", "${", "${}"}) {
    std::string yaml = StrCat("[{source_labels: [x], target_label: '", target, "'}]");
    EXPECT_EQ(ErrorOf(yaml), "accepted") << target;
    EXPECT_EQ(ErrorOf(yaml, NameValidation::kLegacy),
              StrCat("line 1: \"", target, "\" is invalid 'target_label' for replace action"));
  }
  for (std::string_view target : {"ab", "_", "a${1}b", "$1", "${name}_x", "a$1$2"}) {
    std::string yaml = StrCat("[{source_labels: [x], target_label: '", target, "'}]");
    EXPECT_EQ(ErrorOf(yaml, NameValidation::kLegacy), "accepted") << target;
  }
}

TEST(Relabel, LabelMapsReplacementMustBeAName) {
  std::string_view yaml = "[{regex: 'x(.*)', action: labelmap, replacement: 'a-$1'}]";
  EXPECT_EQ(ErrorOf(yaml, NameValidation::kLegacy),
            "line 1: \"a-$1\" is invalid 'replacement' for labelmap action");
  EXPECT_EQ(ErrorOf(yaml), "accepted");
}

TEST(Relabel, NoRulesChangeNothing) {
  EXPECT_EQ(Result("~", {{"a", "x"}}), R"({a="x"})");
  EXPECT_EQ(Result("[]", {{"a", "x"}}), R"({a="x"})");
  EXPECT_NE(ErrorOf("{a: 1}"), "accepted");
}

}  // namespace
}  // namespace narthex
