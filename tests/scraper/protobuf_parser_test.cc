#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/labels.h"
#include "scraper/parser.h"
#include "scraper/text_util.h"
#include "tests/support/proto_writer.h"

namespace narthex::scraper {
namespace {

using ::testing::ElementsAre;
using testing::ProtoPair;
using testing::ProtoWriter;

enum Type { kCounter, kGauge, kSummary, kUntyped, kHistogram, kGaugeHistogram };

ProtoWriter Family(std::string_view name, Type type) {
  return ProtoWriter().Bytes(1, name).Bytes(2, "help").Int(3, type);
}

// Entries as lines: "name{labels} value", "name{labels} {histogram}"; an error is the last line.
std::vector<std::string> Lines(std::string_view body, ParserOptions options = {}, bool convert = false) {
  auto parser = NewProtobufParser(body, options);
  if (convert) parser = NewHistogramConverter(std::move(parser), options);
  std::vector<std::string> out;
  std::set<std::string> keys;
  while (true) {
    auto kind = parser->Next();
    if (!kind.ok()) {
      out.emplace_back(Message(kind.status()));
      return out;
    }
    if (*kind == EntryKind::kEnd) return out;
    if (*kind != EntryKind::kSeries && *kind != EntryKind::kHistogram) continue;
    EXPECT_TRUE(keys.emplace(parser->series()).second) << "series() must tell series apart";
    LabelPairs pairs;
    parser->BuildLabels(&pairs);
    std::string line = Labels::FromPairs(pairs).ToString();
    if (*kind == EntryKind::kSeries) {
      StrAppend(&line, " ", parser->value());
    } else {
      StrAppend(&line, " ", parser->Histogram()->TestExpression());
    }
    if (parser->has_timestamp()) StrAppend(&line, " @", parser->timestamp());
    if (parser->StartTimestamp() != 0) StrAppend(&line, " st=", parser->StartTimestamp());
    if (parser->has_exemplar()) {
      for (const ParsedExemplar& e : parser->Exemplars()) {
        StrAppend(&line, " # ", Labels::FromPairs(e.labels).ToString(), " ", e.value, e.has_t ? " @" : "",
                  e.has_t ? StrCat(e.t) : "");
      }
    }
    out.push_back(std::move(line));
  }
}

ProtoWriter Timestamp(int64_t seconds, int64_t nanos) { return ProtoWriter().Int(1, seconds).Int(2, nanos); }
ProtoWriter Exemplar(std::string_view id, double value) {
  return ProtoWriter().Bytes(1, ProtoPair("id", id)).Double(2, value);
}
ProtoWriter Bucket(uint64_t count, double bound) { return ProtoWriter().Int(1, count).Double(2, bound); }
ProtoWriter Span(int64_t offset, uint64_t length) { return ProtoWriter().Signed(1, offset).Int(2, length); }

TEST(ProtobufParser, ReadsCountersGaugesAndUntyped) {
  ProtoWriter counter = ProtoWriter().Double(1, 5).Bytes(2, Exemplar("x", 0.5)).Bytes(3, Timestamp(12, 5e8));
  std::string body =
      Family("c_total", kCounter)
          .Bytes(4, ProtoWriter().Bytes(1, ProtoPair("a", "b")).Bytes(3, counter).Int(6, 1500))
          .Delimited() +
      Family("g", kGauge).Bytes(4, ProtoWriter().Bytes(2, ProtoWriter().Double(1, -0.5))).Delimited() +
      Family("u", kUntyped).Bytes(4, ProtoWriter().Bytes(5, ProtoWriter().Double(1, 7))).Delimited();
  EXPECT_THAT(Lines(body),
              ElementsAre("c_total{a=\"b\"} 5 @1500 st=12500 # {id=\"x\"} 0.5", "g -0.5", "u 7"));
}

TEST(ProtobufParser, ReadsMetadataOfEachFamily) {
  std::string body = Family("g_seconds", kGauge)
                         .Bytes(5, "seconds")
                         .Bytes(4, ProtoWriter().Bytes(2, ProtoWriter().Double(1, 1)))
                         .Delimited();
  auto parser = NewProtobufParser(body, {});
  ASSERT_EQ(*parser->Next(), EntryKind::kHelp);
  EXPECT_EQ(parser->metric(), "g_seconds");
  EXPECT_EQ(parser->help(), "help");
  ASSERT_EQ(*parser->Next(), EntryKind::kUnit);
  EXPECT_EQ(parser->text(), "seconds");
  ASSERT_EQ(*parser->Next(), EntryKind::kType);
  EXPECT_EQ(parser->type(), "gauge");
  ASSERT_EQ(*parser->Next(), EntryKind::kSeries);
  ASSERT_EQ(*parser->Next(), EntryKind::kEnd);
  EXPECT_THAT(Lines(body, {.type_and_unit_labels = true}),
              ElementsAre("g_seconds{__type__=\"gauge\", __unit__=\"seconds\"} 1"));
}

TEST(ProtobufParser, ReadsSummaries) {
  ProtoWriter summary =
      ProtoWriter().Int(1, 10).Double(2, 2.5).Bytes(3, ProtoWriter().Double(1, 1).Double(2, 9));
  ProtoWriter bare = ProtoWriter().Int(1, 3).Double(2, 4);
  std::string body = Family("s", kSummary)
                         .Bytes(4, ProtoWriter().Bytes(4, summary))
                         .Bytes(4, ProtoWriter().Bytes(1, ProtoPair("a", "b")).Bytes(4, bare))
                         .Delimited();
  EXPECT_THAT(Lines(body), ElementsAre("s_count 10", "s_sum 2.5", "s{quantile=\"1.0\"} 9",
                                       "s_count{a=\"b\"} 3", "s_sum{a=\"b\"} 4"));
}

ProtoWriter Classic() {
  return ProtoWriter().Int(1, 5).Double(2, 2.5).Bytes(3, Bucket(2, 0.5).Bytes(3, Exemplar("e", 0.25)));
}

TEST(ProtobufParser, ClassicHistogramsGetAnInfBucketIfNoneIsSent) {
  std::string body = Family("h", kHistogram).Bytes(4, ProtoWriter().Bytes(7, Classic())).Delimited();
  EXPECT_THAT(Lines(body), ElementsAre("h_count 5", "h_sum 2.5", "h_bucket{le=\"0.5\"} 2 # {id=\"e\"} 0.25",
                                       "h_bucket{le=\"+Inf\"} 5"));
}

// Integer counts as deltas, both zero bucket and spans.
ProtoWriter Native() {
  return Classic()
      .Signed(5, 3)
      .Double(6, 0.001)
      .Int(7, 1)
      .Bytes(12, Span(-2, 2))
      .Bytes(12, Span(1, 1))
      .PackedSigned(13, {1, 1, -1})
      .Bytes(9, Span(0, 1))
      .Signed(10, 2);
}

TEST(ProtobufParser, NativeHistogramsReplaceTheClassicOnesUnlessBothAreWanted) {
  std::string body = Family("h", kHistogram).Bytes(4, ProtoWriter().Bytes(7, Native())).Delimited();
  const std::string native =
      "h {{schema:3 count:5 sum:2.5 z_bucket:1 z_bucket_w:0.001 offset:-2 buckets:[1 2 0 1] n_buckets:[2]}}";
  EXPECT_THAT(Lines(body), ElementsAre(native));
  const std::vector<std::string> classic = {
      "h_count 5", "h_sum 2.5", "h_bucket{le=\"0.5\"} 2 # {id=\"e\"} 0.25", "h_bucket{le=\"+Inf\"} 5"};
  EXPECT_EQ(Lines(body, {.native_histograms = false}), classic);
  std::vector<std::string> both = classic;
  both.insert(both.begin(), native);
  EXPECT_EQ(Lines(body, {.keep_classic = true}), both);
}

TEST(ProtobufParser, FloatAndGaugeHistograms) {
  ProtoWriter h = ProtoWriter()
                      .Double(4, 3.5)
                      .Double(2, 1)
                      .Double(8, 0.5)
                      .Bytes(12, Span(0, 2))
                      .PackedDouble(14, {1.5, 1.5})
                      .Bytes(16, Exemplar("timed", 1).Bytes(3, Timestamp(2, 0)))
                      .Bytes(16, Exemplar("untimed", 2));
  std::string body = Family("h", kGaugeHistogram).Bytes(4, ProtoWriter().Bytes(7, h)).Delimited();
  EXPECT_THAT(Lines(body),
              ElementsAre("h {{count:3.5 sum:1 z_bucket:0.5 counter_reset_hint:gauge buckets:[1.5 1.5]}} # "
                          "{id=\"timed\"} 1 @2000"));
}

TEST(ProtobufParser, TypeMayFollowTheMetricsAndEmptyFamiliesAreSkipped) {
  std::string body = ProtoWriter().Bytes(1, "empty").Int(3, 99).Delimited() +
                     ProtoWriter()
                         .Bytes(4, ProtoWriter().Bytes(2, ProtoWriter().Double(1, 3)))
                         .Bytes(1, "g")
                         .Int(3, kGauge)
                         .Delimited();
  EXPECT_THAT(Lines(body), ElementsAre("g 3"));
}

TEST(ProtobufParser, RefusesWhatIsBroken) {
  ProtoWriter gauge = ProtoWriter().Bytes(2, ProtoWriter().Double(1, 1));
  std::string good = Family("g", kGauge).Bytes(4, gauge).Delimited();
  EXPECT_THAT(Lines(good.substr(0, good.size() - 1)),
              ElementsAre(StrCat("clientpb: insufficient length of buffer, expected at least ", good.size(),
                                 " bytes, got ", good.size() - 1, " bytes")));
  EXPECT_THAT(Lines("\xff\xff\xff\xff\xff\xff"), ElementsAre("clientpb: invalid varint encountered"));
  EXPECT_THAT(Lines(Family("", kGauge).Bytes(4, gauge).Delimited()), ElementsAre("invalid metric name: "));
  EXPECT_THAT(Lines(ProtoWriter().Bytes(1, "g").Int(3, 99).Bytes(4, gauge).Delimited()),
              ElementsAre("unknown metric type for metric \"g\": 99"));
  EXPECT_THAT(Lines(Family("g", kGauge).Bytes(5, "bytes").Bytes(4, gauge).Delimited()),
              ElementsAre("unit \"bytes\" not a suffix of metric \"g\""));
  EXPECT_THAT(Lines(Family("g", kGauge).Bytes(4, "\x0a\x7f").Delimited()), ElementsAre("unexpected EOF"));
  EXPECT_THAT(
      Lines(Family("g", kGauge).Bytes(4, ProtoWriter(gauge).Bytes(1, ProtoPair("a", "\xff"))).Delimited()),
      ElementsAre("invalid label value: \xff"));
}

TEST(HistogramConverter, ConvertsClassicHistogramsOfProtobufButNotNativeOnes) {
  std::string classic = Family("h", kHistogram).Bytes(4, ProtoWriter().Bytes(7, Classic())).Delimited();
  const std::string converted =
      "h {{schema:-53 count:5 sum:2.5 custom_values:[0.5] buckets:[2 3]}} # {id=\"e\"} 0.25";
  EXPECT_THAT(Lines(classic, {}, true), ElementsAre(converted));
  EXPECT_THAT(Lines(classic, {.keep_classic = true}, true),
              ElementsAre("h_count 5", "h_sum 2.5", "h_bucket{le=\"0.5\"} 2 # {id=\"e\"} 0.25",
                          "h_bucket{le=\"+Inf\"} 5", converted));
  std::string native = Family("h", kHistogram).Bytes(4, ProtoWriter().Bytes(7, Native())).Delimited();
  EXPECT_EQ(Lines(native, {.keep_classic = true}, true), Lines(native, {.keep_classic = true}));
  EXPECT_THAT(Lines(native, {.native_histograms = false}, true), ElementsAre(converted));
}

}  // namespace
}  // namespace narthex::scraper
