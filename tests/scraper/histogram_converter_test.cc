#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scraper/histogram_limits.h"
#include "scraper/parser.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Convert(std::string body, bool openmetrics, bool keep_classic) {
  ParserOptions options{.skip_created = true, .keep_classic = keep_classic};
  auto inner = openmetrics ? NewOpenMetricsParser(body, options) : NewTextParser(&body, options);
  auto parser = NewHistogramConverter(std::move(inner), options);
  std::vector<std::string> out;
  while (true) {
    auto kind = parser->Next();
    EXPECT_TRUE(kind.ok()) << kind.status();
    if (!kind.ok() || *kind == EntryKind::kEnd) return out;
    if (*kind != EntryKind::kSeries && *kind != EntryKind::kHistogram) continue;
    LabelPairs pairs;
    parser->BuildLabels(&pairs);
    std::string line = Labels::FromPairs(pairs).ToString();
    StrAppend(&line, " ",
              *kind == EntryKind::kSeries ? StrCat(parser->value()) : parser->Histogram()->TestExpression());
    if (parser->has_timestamp()) StrAppend(&line, " @", parser->timestamp());
    if (parser->StartTimestamp() != 0) StrAppend(&line, " st=", parser->StartTimestamp());
    if (parser->has_exemplar()) StrAppend(&line, " exemplars=", parser->Exemplars().size());
    out.push_back(std::move(line));
  }
}
std::vector<std::string> Text(std::string body) { return Convert(std::move(body), false, false); }

constexpr std::string_view kPage = R"(# TYPE h histogram
h_bucket{a="1",le="0.5"} 2
h_bucket{a="1",le="+Inf"} 5
h_sum{a="1"} 2.5
h_count{a="1"} 5
h_bucket{a="2",le="0.5"} 1
h_bucket{a="2",le="+Inf"} 1
h_sum{a="2"} 0.25
h_count{a="2"} 1
# TYPE g gauge
g 7
)";

TEST(HistogramConverter, EachLabelSetBecomesOneHistogram) {
  EXPECT_THAT(
      Text(std::string(kPage)),
      ElementsAre("h{a=\"1\"} {{schema:-53 count:5 sum:2.5 custom_values:[0.5] buckets:[2 3]}}",
                  "h{a=\"2\"} {{schema:-53 count:1 sum:0.25 custom_values:[0.5] buckets:[1]}}", "g 7"));
}

TEST(HistogramConverter, ClassicSeriesStayIfWanted) {
  std::vector<std::string> lines = Convert(std::string(kPage), false, true);
  EXPECT_EQ(lines.size(), 11u);
  EXPECT_EQ(lines[0], "h_bucket{a=\"1\", le=\"0.5\"} 2");
  EXPECT_THAT(lines[4], HasSubstr("schema:-53"));
}

TEST(HistogramConverter, BucketsMayComeInAnyOrderAndTheInfBucketMayBeMissing) {
  EXPECT_THAT(Text("# TYPE h histogram\nh_count 9\nh_bucket{le=\"2\"} 6\nh_bucket{le=\"1\"} 4\nh_sum 3\n"),
              ElementsAre("h {{schema:-53 count:9 sum:3 custom_values:[1 2] buckets:[4 2 3]}}"));
}

TEST(HistogramConverter, ContradictingSeriesMakeNoHistogram) {
  EXPECT_THAT(Text("# TYPE h histogram\nh_bucket{le=\"1\"} 4\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nh_sum 1\n"),
              ElementsAre());
  EXPECT_THAT(Text("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_count 4\nh_sum 1\n"), ElementsAre());
}

TEST(HistogramConverter, OtherSeriesPassUnchanged) {
  EXPECT_THAT(
      Text("x_bucket{le=\"1\"} 4\nx_count 4\n# TYPE h histogram\nh_bucket{le=\"nonsense\"} 1\nother 2\n"),
      ElementsAre("x_bucket{le=\"1\"} 4", "x_count 4", "h_bucket{le=\"nonsense\"} 1", "other 2"));
}

TEST(HistogramConverter, KeepsTimestampsStartTimesAndExemplarsOfOpenMetrics) {
  EXPECT_THAT(
      Convert("# TYPE h histogram\nh_bucket{le=\"1\"} 1 3 # {id=\"a\"} 0.5\nh_bucket{le=\"+Inf\"} 2 3 # "
              "{id=\"b\"} "
              "4\nh_count 2 3\nh_sum 4.5 3\nh_created 2\n# EOF\n",
              true, false),
      ElementsAre(
          "h {{schema:-53 count:2 sum:4.5 custom_values:[1] buckets:[1 1]}} @3000 st=2000 exemplars=2"));
}

HistogramPtr Fine() {
  auto h = std::make_shared<FloatHistogram>();
  h->schema = 2;
  h->count = 6;
  h->positive_spans = {{0, 6}};
  h->positive_buckets = {1, 1, 1, 1, 1, 1};
  return h;
}

TEST(HistogramLimits, TooManyBucketsLowerTheResolution) {
  ScrapeConfig config;
  config.native_histogram_bucket_limit = 4;
  auto reduced = LimitHistogram(Fine(), config);
  ASSERT_TRUE(reduced.ok());
  EXPECT_EQ((*reduced)->schema, 1);
  EXPECT_EQ((*reduced)->positive_buckets, (std::vector<double>{1, 2, 2, 1}));
}

TEST(HistogramLimits, CustomBucketsAndTheCoarsestSchemaCannotBeReduced) {
  ScrapeConfig config;
  config.native_histogram_bucket_limit = 1;
  auto wide = std::make_shared<FloatHistogram>();
  wide->schema = -4;
  wide->positive_spans = {{0, 1}, {10, 1}};
  wide->positive_buckets = {1, 1};
  wide->count = 2;
  EXPECT_EQ(Message(LimitHistogram(wide, config).status()), "histogram bucket limit exceeded");
  auto custom = std::make_shared<FloatHistogram>();
  custom->schema = kCustomBucketsSchema;
  custom->custom_values = {1};
  custom->positive_spans = {{0, 2}};
  custom->positive_buckets = {1, 1};
  custom->count = 2;
  EXPECT_TRUE(absl::IsResourceExhausted(LimitHistogram(custom, config).status()));
}

TEST(HistogramLimits, TheBucketFactorBoundsTheSchema) {
  EXPECT_EQ(SchemaForFactor(0), 8);
  EXPECT_EQ(SchemaForFactor(1.1), 2);
  EXPECT_EQ(SchemaForFactor(2), 0);
  EXPECT_EQ(SchemaForFactor(1e9), -4);
  ScrapeConfig config;
  config.native_histogram_min_bucket_factor = 2;
  EXPECT_EQ((*LimitHistogram(Fine(), config))->schema, 0);
}

TEST(HistogramLimits, ImpossibleHistogramsAreRefused) {
  auto h = std::make_shared<FloatHistogram>(*Fine());
  h->schema = 9;
  EXPECT_THAT(Message(LimitHistogram(h, {}).status()), HasSubstr("invalid schema"));
  h->schema = 0;
  h->positive_spans = {{0, 9}};
  EXPECT_FALSE(LimitHistogram(h, {}).ok());
}

}  // namespace
}  // namespace narthex::scraper
