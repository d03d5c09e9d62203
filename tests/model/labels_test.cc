#include "model/labels.h"

#include <gtest/gtest.h>

#include "absl/container/flat_hash_set.h"
#include "model/upstream_hash.h"

namespace narthex {
namespace {

TEST(Labels, AreSortedWhateverTheOrder) {
  Labels labels{{"b", "2"}, {"__name__", "up"}, {"a", "1"}};
  std::vector<std::string> names;
  for (LabelView label : labels) names.emplace_back(label.name);
  EXPECT_EQ(names, (std::vector<std::string>{"__name__", "a", "b"}));
  EXPECT_EQ(labels, (Labels{{"a", "1"}, {"b", "2"}, {"__name__", "up"}}));
}

TEST(Labels, EmptyValuesAreNotThere) {
  Labels labels{{"a", ""}, {"b", "1"}};
  EXPECT_EQ(labels.size(), 1u);
  EXPECT_FALSE(labels.Has("a"));
  EXPECT_EQ(labels, (Labels{{"b", "1"}}));
}

TEST(Labels, OfEqualNamesTheLastWins) {
  EXPECT_EQ((Labels{{"a", "1"}, {"b", "x"}, {"a", "2"}}), (Labels{{"a", "2"}, {"b", "x"}}));
  EXPECT_TRUE((Labels{{"a", "1"}, {"a", ""}}).empty());
}

TEST(Labels, GetFindsValuesAndNothingElse) {
  Labels labels{{"__name__", "up"}, {"job", "x"}};
  EXPECT_EQ(labels.Get("job"), "x");
  EXPECT_EQ(labels.MetricName(), "up");
  EXPECT_EQ(labels.Get("jo"), "");
  EXPECT_EQ(labels.Get("zzz"), "");
  EXPECT_EQ(Labels().Get("a"), "");
}

TEST(Labels, LongAndBinaryValuesSurvive) {
  std::string longer(300, 'v'), binary("\0\xff\x80\n", 4);
  Labels labels = Labels::FromPairs({{"b", binary}, {"a", longer}, {std::string(200, 'n'), "x"}});
  EXPECT_EQ(labels.Get("a"), longer);
  EXPECT_EQ(labels.Get("b"), binary);
  EXPECT_EQ(labels.Get(std::string(200, 'n')), "x");
  EXPECT_EQ(labels.size(), 3u);
}

TEST(Labels, EncodedFormReadsBack) {
  Labels labels{{"a", "1"}, {"b", std::string(200, 'x')}};
  EXPECT_TRUE(Labels::IsWellFormed(labels.encoded()));
  EXPECT_EQ(Labels::FromEncoded(labels.encoded()), labels);
  EXPECT_EQ((Labels{{"a", "1"}}).encoded(), std::string("\x01"
                                                        "a\x01"
                                                        "1"));
}

TEST(Labels, MalformedBytesAreRecognised) {
  std::string good = Labels{{"a", "1"}, {"b", "2"}}.encoded();
  for (size_t n = 1; n < good.size(); ++n) {
    bool boundary = n == good.size() / 2;  // one whole pair
    EXPECT_EQ(Labels::IsWellFormed(good.substr(0, n)), boundary) << n;
  }
  std::string a = Labels{{"a", "1"}}.encoded(), b = Labels{{"b", "2"}}.encoded();
  EXPECT_TRUE(Labels::IsWellFormed(a + b));
  EXPECT_FALSE(Labels::IsWellFormed(b + a));
  EXPECT_FALSE(Labels::IsWellFormed(a + a));
  EXPECT_FALSE(
      Labels::IsWellFormed(std::string("\x01"
                                       "a\0",
                                       3)));
  EXPECT_FALSE(Labels::IsWellFormed(std::string(12, '\xff')));
}

// Bytes that end too soon end the iteration; nothing is read behind them.
TEST(Labels, IterationOverMalformedBytesEnds) {
  Labels labels = Labels::FromEncoded(
      "\x01"
      "a\x7f"
      "1");
  EXPECT_LE(labels.size(), 1u);
}

TEST(Labels, CompareByNameThenValueThenLength) {
  const Labels kInOrder[] = {
      {},
      {{"a", "1"}},
      {{"a", "1"}, {"b", "1"}},
      {{"a", "1"}, {"b", "2"}},
      {{"a", "10"}},
      {{"a", "2"}},
      {{"ab", "0"}},
      {{"b", "0"}},
  };
  for (size_t i = 0; i < std::size(kInOrder); ++i) {
    for (size_t n = 0; n < std::size(kInOrder); ++n) {
      EXPECT_EQ(kInOrder[i] <=> kInOrder[n], i <=> n) << i << " " << n;
    }
  }
}

TEST(Labels, BytesAboveAsciiSortLast) { EXPECT_LT((Labels{{"a", "z"}}), (Labels{{"a", "é"}})); }

TEST(Labels, EqualLabelsHashEqually) {
  Labels a{{"a", "1"}, {"b", "2"}}, b{{"b", "2"}, {"a", "1"}}, c{{"a", "12"}, {"b", "2"}};
  EXPECT_EQ(a.Hash(), b.Hash());
  EXPECT_NE(a.Hash(), c.Hash());
  absl::flat_hash_set<Labels> set = {a, b, c};
  EXPECT_EQ(set.size(), 2u);
}

TEST(Labels, TextIsThatOfASelector) {
  EXPECT_EQ(Labels().ToString(), "{}");
  EXPECT_EQ((Labels{{"__name__", "up"}}).ToString(), "up");
  EXPECT_EQ((Labels{{"__name__", "up"}, {"job", "x"}, {"az", "1"}}).ToString(), R"(up{az="1", job="x"})");
  EXPECT_EQ((Labels{{"a", "say \"hi\"\n"}}).ToString(), R"({a="say \"hi\"\n"})");
}

TEST(Labels, NamesThatAreNoIdentifiersAreQuoted) {
  EXPECT_EQ((Labels{{"__name__", "http.requests"}, {"a.b", "1"}}).ToString(),
            R"({"http.requests", "a.b"="1"})");
  EXPECT_EQ((Labels{{"__name__", "a:b"}, {"c:d", "1"}}).ToString(), R"(a:b{"c:d"="1"})");
}

TEST(Labels, WithoutMetadataDropsWhatDescribesTheMetric) {
  Labels labels{{"__name__", "up"}, {"__type__", "gauge"}, {"__unit__", "s"}, {"__other__", "x"}, {"a", "1"}};
  EXPECT_EQ(WithoutMetadata(labels), (Labels{{"__other__", "x"}, {"a", "1"}}));
}

TEST(Labels, LegacyNames) {
  for (std::string_view name : {"a", "_", "A9_"}) {
    EXPECT_TRUE(IsLegacyLabelName(name)) << name;
    EXPECT_TRUE(IsLegacyMetricName(name)) << name;
  }
  for (std::string_view name : {"", "9a", "a-b", "é", "a b"}) {
    EXPECT_FALSE(IsLegacyLabelName(name)) << name;
    EXPECT_FALSE(IsLegacyMetricName(name)) << name;
  }
  EXPECT_TRUE(IsLegacyMetricName(":a:b"));
  EXPECT_FALSE(IsLegacyLabelName("a:b"));
}

TEST(LabelsBuilder, EditsOnTopOfTheBase) {
  Labels base{{"a", "1"}, {"b", "2"}, {"c", "3"}};
  LabelsBuilder builder(base);
  builder.Set("b", "new").Del("a").Set("0", "first").Set("z", "last").Set("c", "").Del("absent");
  EXPECT_EQ(builder.Get("b"), "new");
  EXPECT_EQ(builder.Get("a"), "");
  EXPECT_EQ(builder.Build(), (Labels{{"0", "first"}, {"b", "new"}, {"z", "last"}}));
  EXPECT_EQ(base.Get("b"), "2");
}

TEST(LabelsBuilder, KeepsItsPairsSorted) {
  LabelsBuilder builder;
  for (const char* name : {"m", "a", "z", "f"}) builder.Set(name, name);
  std::vector<std::string> names;
  for (const auto& [name, value] : builder.pairs()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "f", "m", "z"}));
}

// Computed from the published algorithm, and seen in what limit_ratio() of Prometheus 3.5 takes.
TEST(UpstreamHash, IsThatOfUpstreamsLabels) {
  EXPECT_EQ(UpstreamHash({{"__name__", "up"}, {"job", "node"}}), 0x169f7118f8936ba5u);
  EXPECT_EQ(UpstreamHash({{"__name__", "r"}, {"n", std::string(300, 'x')}}), 0x70194182b609e175u);
}

}  // namespace
}  // namespace narthex
