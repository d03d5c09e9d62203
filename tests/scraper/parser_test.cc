#include "scraper/parser.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

struct Parsed {
  std::vector<std::string> series;
  std::vector<double> values;
  std::vector<LabelPairs> labels;
  std::vector<int64_t> start_times;
  std::string error;
};

Parsed ReadAll(ExpositionParser* parser) {
  Parsed out;
  while (true) {
    auto kind = parser->Next();
    if (!kind.ok()) {
      out.error = Message(kind.status());
      return out;
    }
    if (*kind == EntryKind::kEnd) return out;
    if (*kind != EntryKind::kSeries) continue;
    out.series.emplace_back(parser->series());
    out.values.push_back(parser->value());
    out.labels.emplace_back();
    parser->BuildLabels(&out.labels.back());
    out.start_times.push_back(parser->StartTimestamp());
  }
}

Parsed Text(std::string body) { return ReadAll(NewTextParser(&body, {}).get()); }
Parsed OpenMetrics(std::string_view body, bool skip_created = false) {
  return ReadAll(NewOpenMetricsParser(body, {skip_created, false}).get());
}

TEST(TextParser, ReadsSeriesAndNormalisesBuckets) {
  Parsed p =
      Text("# TYPE h histogram\nh_bucket{le=\"1\"} 3\nh_bucket { le = \"+Inf\" , } 4 1500\nplain\t-0.5\n");
  ASSERT_EQ(p.error, "");
  ASSERT_EQ(p.series.size(), 3u);
  EXPECT_EQ(p.series[1], "h_bucket { le = \"+Inf\" , }");
  EXPECT_EQ(p.labels[0], (LabelPairs{{"__name__", "h_bucket"}, {"le", "1.0"}}));
  EXPECT_EQ(p.values[2], -0.5);
}

TEST(TextParser, ReadsQuotedNamesAndEscapes) {
  Parsed p = Text("{\"a.b\",\"x y\"=\"q\\\"\\n\\\\\"} 1\n");
  ASSERT_EQ(p.error, "");
  EXPECT_EQ(p.labels[0], (LabelPairs{{"__name__", "a.b"}, {"x y", "q\"\n\\"}}));
}

TEST(TextParser, ErrorsAreUpstreams) {
  EXPECT_EQ(Text("a").error,
            "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: \"a\\n\"");
  EXPECT_EQ(Text("a true\n").error,
            "strconv.ParseFloat: parsing \"true\": invalid syntax while parsing: \"a true\"");
  EXPECT_EQ(Text("{a=\"ok\"} 1").error, "metric name not set while parsing: \"{a=\\\"ok\\\"} 1\"");
}

TEST(TextParser, PredictedSeriesIsTakenOnlyOnAnExactPlainLine) {
  std::string body = "a{x=\"1\"} 5\na{x=\"1\"} 6 100\na{x=\"12\"} 7\n";
  auto parser = NewTextParser(&body, {});
  EXPECT_FALSE(parser->TrySeries(PageText::Of("b")));
  ASSERT_TRUE(parser->TrySeries(PageText::Of("a{x=\"1\"}")));
  EXPECT_EQ(parser->value(), 5);
  EXPECT_FALSE(parser->TrySeries(PageText::Of("a{x=\"1\"}"))) << "the line has a timestamp";
  ASSERT_TRUE(parser->Next().ok());
  EXPECT_EQ(parser->timestamp(), 100);
  EXPECT_FALSE(parser->TrySeries(PageText::Of("a{x=\"1")));
  ASSERT_TRUE(parser->Next().ok());
  EXPECT_EQ(parser->value(), 7);
}

TEST(TextParser, SkippedMetadataIsReadWhenItIsNeeded) {
  std::string body = "# TYPE h histogram\n# HELP h H.\n\nh_count 1\nh_bucket{le=\"1\"} 1\n# TYPE g gauge\n";
  auto parser = NewTextParser(&body, {});
  EXPECT_FALSE(parser->TryMetadata(PageText::Of("# TYPE h histogran\n")));
  const size_t begin = parser->Position();
  ASSERT_TRUE(parser->TryMetadata(PageText::Of("# TYPE h histogram\n# HELP h H.\n\n")));
  ASSERT_TRUE(parser->TrySeries(PageText::Of("h_count")));
  EXPECT_EQ(parser->Before(begin), "# TYPE h histogram\n# HELP h H.\n\n");
  ASSERT_EQ(*parser->Next(), EntryKind::kSeries);
  LabelPairs labels;
  parser->BuildLabels(&labels);
  EXPECT_EQ(labels, (LabelPairs{{"__name__", "h_bucket"}, {"le", "1.0"}}));
  ASSERT_TRUE(parser->TryMetadata(PageText::Of("# TYPE g gauge\n")));
  parser->CatchUp();
  EXPECT_EQ(parser->metric(), "g");
  EXPECT_EQ(parser->type(), "gauge");
  EXPECT_EQ(*parser->Next(), EntryKind::kEnd);
}

TEST(OpenMetricsParser, WantsEof) {
  EXPECT_EQ(OpenMetrics("a 1\n").error, "data does not end with # EOF");
  EXPECT_EQ(OpenMetrics("a 1\n# EOF\n").error, "");
  EXPECT_EQ(OpenMetrics("# EOF\na 1").error, "unexpected data after # EOF");
}

TEST(OpenMetricsParser, ReadsExemplars) {
  auto parser = NewOpenMetricsParser("c_total 1 2.5 # {id=\"x\"} 4 1.5\n# EOF\n", {});
  ASSERT_EQ(*parser->Next(), EntryKind::kSeries);
  EXPECT_EQ(parser->timestamp(), 2500);
  ASSERT_TRUE(parser->has_exemplar());
  ParsedExemplar e = parser->Exemplars().at(0);
  EXPECT_EQ(e.labels, (LabelPairs{{"id", "x"}}));
  EXPECT_EQ(e.value, 4);
  EXPECT_EQ(e.t, 1500);
}

TEST(OpenMetricsParser, CreatedLinesAreSeriesOrStartTimestamps) {
  const std::string_view body = "# TYPE c counter\nc_total{a=\"1\"} 5\nc_created{a=\"1\"} 12.5\n# EOF\n";
  EXPECT_EQ(OpenMetrics(body, false).series.size(), 2u);
  Parsed p = OpenMetrics(body, true);
  ASSERT_EQ(p.series.size(), 1u);
  EXPECT_EQ(p.start_times[0], 12500);
}

TEST(ContentType, FallbackTurnsErrorsIntoWarnings) {
  auto none = ChooseFormat("text/html", "");
  EXPECT_EQ(
      Message(none.status()),
      "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target");
  auto fallback = ChooseFormat("", "OpenMetricsText1.0.0");
  ASSERT_TRUE(fallback.ok());
  EXPECT_EQ(fallback->format, Format::kOpenMetrics);
  EXPECT_NE(fallback->warning, "");
  EXPECT_EQ(ChooseFormat("text/plain; version=0.0.4", "")->format, Format::kText);
}

}  // namespace
}  // namespace narthex::scraper
