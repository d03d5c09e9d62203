#include "scraper/scrape_loop.h"

#include <cstdio>
#include <fstream>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/sample.h"
#include "scraper/text_util.h"
#include "tests/support/memory_db.h"
#include "tests/support/proto_writer.h"

namespace narthex::scraper {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kStart = 1'700'000'000'000;

class ScrapeLoopTest : public ::testing::Test {
 protected:
  ScrapeLoopTest() {
    config_.job_name = "j";
    config_.scrape_interval_ms = 10000;
    config_.scrape_timeout_ms = 10000;
  }

  ManagerOptions Options() {
    ManagerOptions options;
    options.db = db_.get();
    options.clock = &clock_;
    options.logger = &logger_;
    options.metrics = &registry_;
    return options;
  }

  ScrapeLoop& Loop() {
    if (loop_ == nullptr) {
      auto target = MakeTarget(DiscoveredLabels({{"__address__", "h:1"}}, {}, config_), config_);
      loop_ = std::make_unique<ScrapeLoop>(&context_, std::make_shared<ScrapeConfig>(config_), **target);
    }
    return *loop_;
  }

  // One scrape now, then the clock moves on by the interval.
  void Scrape(std::string body, std::string type = "text/plain", int status = 200) {
    HttpClientResponse response;
    response.status = status;
    response.content_type = std::move(type);
    response.body = std::move(body);
    Finish(std::move(response));
  }
  void Finish(absl::StatusOr<HttpClientResponse> response) {
    Loop().Process(std::move(response), clock_.NowMs(), clock_.MonotonicNs());
    clock_.AdvanceMs(10000);
  }

  // Samples of the series, oldest first, "stale" for markers.
  std::vector<std::string> Samples(const Labels& labels) {
    Matchers matchers;
    for (LabelView l : labels) matchers.push_back(Matcher::Equal(l.name, l.value));
    auto querier = db_->NewQuerier(0, kStart * 2);
    auto set = (*querier)->Select(matchers, 0, kStart * 2, {});
    std::vector<std::string> out;
    for (size_t i = 0; i < (*set)->size(); ++i) {
      if ((*set)->labels(i) != labels) continue;
      std::vector<tsdb::Row> rows;
      EXPECT_TRUE((*set)->ReadBlock(i, 1, &rows).ok());
      for (size_t k = 0; k < rows[0].t.size(); ++k) {
        std::string value = IsStale(rows[0].v[k]) ? "stale" : StrCat(rows[0].v[k]);
        out.push_back(StrCat((rows[0].t[k] - kStart) / 1000, ":", value));
      }
    }
    return out;
  }
  std::vector<std::string> Samples(std::string_view name) {
    return Samples(Labels({{"__name__", name}, {"instance", "h:1"}, {"job", "j"}}));
  }

  FakeClock clock_{kStart};
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &clock_, [](std::string_view) {}};
  MetricsRegistry registry_;
  std::unique_ptr<tsdb::Db> db_ = testing::NewMemoryDb();
  ScrapeContext context_{Options()};
  ScrapeConfig config_;
  std::unique_ptr<ScrapeLoop> loop_;
};

using Strings = std::vector<std::string>;

TEST_F(ScrapeLoopTest, AppendsSeriesAndReport) {
  Scrape("a 1\nb 2\n");
  Scrape("a 3\nb 4\n");
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:3"}));
  EXPECT_EQ(Samples("up"), (Strings{"0:1", "10:1"}));
  EXPECT_EQ(Samples("scrape_samples_scraped"), (Strings{"0:2", "10:2"}));
  EXPECT_EQ(Samples("scrape_series_added"), (Strings{"0:2", "10:0"}));
  EXPECT_EQ(Loop().State().health, "up");
}

TEST_F(ScrapeLoopTest, VanishedAndReorderedSeries) {
  Scrape("a 1\nb 2\nc 3\n");
  Scrape("c 4\na 5\n");
  Scrape("b 6\na 7\nc 8\n");
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:5", "20:7"}));
  EXPECT_EQ(Samples("b"), (Strings{"0:2", "10:stale", "20:6"}));
  EXPECT_EQ(Samples("c"), (Strings{"0:3", "10:4", "20:8"}));
  EXPECT_EQ(Samples("scrape_series_added"), (Strings{"0:3", "10:0", "20:1"}));
}

TEST_F(ScrapeLoopTest, FailedScrapeEndsAllSeries) {
  Scrape("a 1\n");
  Finish(absl::UnavailableError("connection refused"));
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:stale"}));
  EXPECT_EQ(Samples("up"), (Strings{"0:1", "10:0"}));
  EXPECT_EQ(Loop().State().last_error, "connection refused");
  EXPECT_EQ(Loop().State().health, "down");
}

TEST_F(ScrapeLoopTest, FailuresGoToTheFailureLog) {
  const std::string path = ::testing::TempDir() + "narthex_scrape_failures.json";
  std::remove(path.c_str());
  config_.scrape_failure_log_file = path;
  Scrape("a 1\n");
  Scrape("", "text/plain", 503);
  context_.failures.Reopen();
  Scrape("a b\n");
  std::ifstream in(path);
  std::string first, second, third;
  std::getline(in, first);
  std::getline(in, second);
  EXPECT_FALSE(std::getline(in, third));
  EXPECT_EQ(first, R"({"time":"2023-11-14T22:13:30.000Z","level":"ERROR",)"
                   R"("msg":"server returned HTTP status 503 Service Unavailable","job_name":"j",)"
                   R"("target":"http://h:1/metrics"})");
  EXPECT_THAT(second, HasSubstr("strconv.ParseFloat"));
  std::remove(path.c_str());
}

TEST_F(ScrapeLoopTest, BrokenExpositionKeepsNothingOfTheRound) {
  Scrape("a 1\n");
  Scrape("a 2\nb true\n");
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:stale"}));
  EXPECT_EQ(Samples("up"), (Strings{"0:1", "10:0"}));
  EXPECT_THAT(Loop().State().last_error, HasSubstr("strconv.ParseFloat: parsing \"true\": invalid syntax"));
}

TEST_F(ScrapeLoopTest, HttpStatusAndContentTypeErrors) {
  Scrape("", "text/plain", 404);
  EXPECT_EQ(Loop().State().last_error, "server returned HTTP status 404 Not Found");
  Scrape("a 1\n", "text/html");
  EXPECT_EQ(
      Loop().State().last_error,
      "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target");
}

TEST_F(ScrapeLoopTest, HonorLabelsDecidesCollisions) {
  Scrape("m{job=\"exposed\"} 1\n");
  EXPECT_EQ(
      Samples(Labels({{"__name__", "m"}, {"exported_job", "exposed"}, {"instance", "h:1"}, {"job", "j"}})),
      (Strings{"0:1"}));
  loop_.reset();
  config_.honor_labels = true;
  Scrape("m{job=\"exposed\",instance=\"\"} 2\n");
  EXPECT_EQ(Samples(Labels({{"__name__", "m"}, {"job", "exposed"}})), (Strings{"10:2"}));
}

TEST_F(ScrapeLoopTest, MetricRelabellingDropsSeries) {
  RelabelConfig drop;
  drop.source_labels = {"__name__"};
  drop.regex = *Regex::Compile("b.*");
  drop.action = RelabelAction::kDrop;
  config_.metric_relabel_configs = {drop};
  Scrape("a 1\nb 2\n");
  Scrape("a 1\nb 2\n");
  EXPECT_EQ(Samples("b"), Strings{});
  EXPECT_EQ(Samples("scrape_samples_scraped"), (Strings{"0:2", "10:2"}));
  EXPECT_EQ(Samples("scrape_samples_post_metric_relabeling"), (Strings{"0:1", "10:1"}));
}

TEST_F(ScrapeLoopTest, SampleLimitRefusesTheScrape) {
  config_.sample_limit = 2;
  Scrape("a 1\nb 2\n");
  Scrape("a 1\nb 2\nc 3\n");
  EXPECT_EQ(Loop().State().last_error, "sample limit exceeded");
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:stale"}));
  EXPECT_EQ(Samples("scrape_samples_scraped"), (Strings{"0:2", "10:3"}));
  EXPECT_EQ(Samples("scrape_series_added"), (Strings{"0:2", "10:0"}));
  loop_.reset();
  Scrape("d 1\ne 2\nf 3\n");
  EXPECT_EQ(Samples("scrape_series_added").back(), "20:2") << "those before the limit";
}

TEST_F(ScrapeLoopTest, ASeriesIsAddedOnceASampleOfItIsTaken) {
  Scrape(StrCat("a 1 ", kStart + 3'600'000, "\nb 1\n"));
  EXPECT_EQ(Samples("a"), Strings{});
  EXPECT_EQ(Samples("scrape_series_added"), Strings{"0:1"});
}

TEST_F(ScrapeLoopTest, LinesThatRelabellingMakesOneSeriesGiveTheFirstValue) {
  RelabelConfig unite;
  unite.action = RelabelAction::kLabelDrop;
  unite.regex = *Regex::Compile("x");
  config_.metric_relabel_configs = {unite};
  Scrape("a{x=\"1\"} 1\na{x=\"2\"} 2\n");
  EXPECT_EQ(Samples("a"), Strings{"0:1"});
}

TEST_F(ScrapeLoopTest, LabelLimitsNameTheCulprit) {
  config_.label_value_length_limit = 5;
  Scrape("a{x=\"toolong\"} 1\n");
  EXPECT_EQ(Loop().State().last_error,
            "label_value_length_limit exceeded (metric: a, label name: x, value: \"toolong\", length: 7, "
            "limit: 5)");
}

TEST_F(ScrapeLoopTest, ExplicitTimestampsAreHonoredAndNotEndedByStaleness) {
  Scrape(StrCat("a 1 ", kStart - 5000, "\n"));
  Scrape("b 1\n");
  EXPECT_EQ(Samples("a"), (Strings{"-5:1"}));
  loop_.reset();
  config_.honor_timestamps = false;
  Scrape(StrCat("c 1 ", kStart - 5000, "\n"));
  EXPECT_EQ(Samples("c"), (Strings{"20:1"}));
}

TEST_F(ScrapeLoopTest, SecondValueOfASeriesInOneScrapeIsADuplicate) {
  Scrape("a 1\na 2\n");
  EXPECT_EQ(Samples("a"), (Strings{"0:1"}));
  EXPECT_EQ(context_.metrics.duplicate_timestamp->value(), 1);
}

TEST_F(ScrapeLoopTest, TimestampsWithinToleranceAreAligned) {
  Scrape("a 1\n");
  clock_.AdvanceMs(1);
  Scrape("a 2\n");
  clock_.AdvanceMs(50);
  Scrape("a 3\n");
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:2", "20:3"}));
  EXPECT_EQ(Loop().State().last_scrape_ms, kStart + 20051);
}

TEST_F(ScrapeLoopTest, ReloadForgetsKnownSeriesButNotTheirStaleness) {
  Scrape("a 1\nb 1\n");
  RelabelConfig drop;
  drop.source_labels = {"__name__"};
  drop.regex = *Regex::Compile("b");
  drop.action = RelabelAction::kDrop;
  config_.metric_relabel_configs = {drop};
  Loop().Reconfigure(std::make_shared<ScrapeConfig>(config_), Loop().target());
  Scrape("a 2\nb 2\n");
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:2"}));
  EXPECT_EQ(Samples("b"), (Strings{"0:1", "10:stale"}));
}

TEST_F(ScrapeLoopTest, RemovedTargetGetsStaleMarkers) {
  Scrape("a 1\n");
  Loop().WriteStaleMarkers();
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:stale"}));
  EXPECT_EQ(Samples("up"), (Strings{"0:1", "10:stale"}));
}

TEST_F(ScrapeLoopTest, KeepsMetadata) {
  Scrape("# HELP a Some help.\n# TYPE a gauge\na 1\n");
  std::vector<std::pair<Labels, TargetMetadata>> found;
  Loop().Metadata("a", &found);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].second.help, "Some help.");
  EXPECT_EQ(found[0].second.type, "gauge");
}

// Metadata that the last page had at the same place is skipped; nothing that depends on it may go wrong.
class SkippedMetadataTest : public ScrapeLoopTest {
 protected:
  std::string Known() {
    std::vector<std::pair<Labels, TargetMetadata>> found;
    Loop().Metadata("", &found);
    std::string text;
    for (const auto& [labels, m] : found) StrAppend(&text, m.metric, "=", m.type, "/", m.help, " ");
    return text;
  }

  void Check(const std::string& type, const std::string& end) {
    const std::string gauge = "# HELP a A.\n# TYPE a gauge\na 1\n";
    const std::string other_help = "# HELP a B.\n# TYPE a gauge\na 1\n";
    const std::string histogram = "# TYPE h histogram\nh_count 1\n";
    // Longer than metadata outlives its metric.
    for (int i = 0; i < 12; ++i) Scrape(gauge + histogram + end, type);
    EXPECT_EQ(Known(), "a=gauge/A. h=histogram/ ");
    // A new series: how its bucket is called depends on the type.
    Scrape(gauge + histogram + "h_bucket{le=\"2\"} 1\n" + end, type);
    const Labels bucket({{"__name__", "h_bucket"}, {"instance", "h:1"}, {"job", "j"}, {"le", "2.0"}});
    EXPECT_EQ(Samples(bucket).size(), 1u);
    Scrape(other_help + histogram + end, type);
    EXPECT_EQ(Known(), "a=gauge/B. h=histogram/ ");
    Scrape("# TYPE n counter\nn_total 1\n" + other_help + histogram + end, type);
    EXPECT_EQ(Known(), "a=gauge/B. h=histogram/ n=counter/ ");
    for (int i = 0; i < 25; ++i) Scrape(histogram + end, type);
    EXPECT_EQ(Known(), "h=histogram/ ");
    EXPECT_EQ(Loop().State().last_error, "");
  }
};

TEST_F(SkippedMetadataTest, InText) { Check("text/plain", ""); }
TEST_F(SkippedMetadataTest, InOpenMetrics) { Check("application/openmetrics-text", "# EOF\n"); }

TEST_F(ScrapeLoopTest, StoresExemplars) {
  Scrape("# TYPE c counter\nc_total 1 # {id=\"x\"} 0.5\n# EOF\n", "application/openmetrics-text");
  ASSERT_EQ(Loop().State().last_error, "");
  auto found = db_->SelectExemplars({{Matcher::Equal("__name__", "c_total")}}, 0, kStart * 2);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].exemplars[0].value, 0.5);
}

// A page in pieces is the same page, wherever it is cut.
TEST_F(ScrapeLoopTest, PiecesMakeOnePage) {
  const std::string page =
      "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n# TYPE g "
      "gauge\ng 7\n";
  Scrape(page);
  for (size_t cut = 0; cut <= page.size(); ++cut) {
    HttpClientResponse piece;
    piece.status = 200;
    piece.content_type = "text/plain";
    piece.body = page.substr(0, cut);
    Loop().ProcessPiece(piece, clock_.NowMs(), clock_.MonotonicNs());
    Scrape(page.substr(cut));
    ASSERT_EQ(Loop().State().last_error, "") << cut;
    ASSERT_EQ(Samples("scrape_series_added").back(), StrCat(10 * (cut + 1), ":0")) << cut;
    ASSERT_EQ(Samples("scrape_samples_scraped").back(), StrCat(10 * (cut + 1), ":5")) << cut;
  }
  EXPECT_EQ(Samples("g").size(), page.size() + 2);
}

TEST_F(ScrapeLoopTest, PiecesOfOpenMetricsAndProtobuf) {
  auto pieces = [&](const std::string& page, const std::string& type) {
    for (size_t cut = 1; cut < page.size(); ++cut) {
      HttpClientResponse piece;
      piece.status = 200;
      piece.content_type = type;
      piece.body = page.substr(0, cut);
      Loop().ProcessPiece(piece, clock_.NowMs(), clock_.MonotonicNs());
      Scrape(page.substr(cut), type);
      ASSERT_EQ(Loop().State().last_error, "") << cut;
    }
  };
  const std::string text = "# TYPE a counter\na_total 1\na_total{x=\"y\"} 2\n# EOF\n";
  pieces(text, "application/openmetrics-text");
  EXPECT_EQ(Samples("a_total").size(), text.size() - 1);
  auto family = [](std::string_view name) {
    testing::ProtoWriter metric = testing::ProtoWriter().Bytes(2, testing::ProtoWriter().Double(1, 1));
    return testing::ProtoWriter().Bytes(1, name).Int(3, 1).Bytes(4, metric).Delimited();
  };
  loop_.reset();
  const std::string proto = family("p") + family("q");
  pieces(proto, "application/vnd.google.protobuf");
  EXPECT_EQ(Samples("q").size(), proto.size() - 1);
}

TEST_F(ScrapeLoopTest, ABrokenPieceRefusesThePage) {
  Scrape("a 1\n");
  HttpClientResponse piece;
  piece.status = 200;
  piece.content_type = "text/plain";
  piece.body = "a 2\nb true\n";
  Loop().ProcessPiece(piece, clock_.NowMs(), clock_.MonotonicNs());
  Scrape("c 3\n");
  EXPECT_THAT(Loop().State().last_error, HasSubstr("parsing \"true\": invalid syntax"));
  EXPECT_EQ(Samples("a"), (Strings{"0:1", "10:stale"}));
  EXPECT_EQ(Samples("c"), Strings{});
}

TEST_F(ScrapeLoopTest, SeriesBeyondTheLimitAreRefusedAndKnownOnesGoOn) {
  Scrape("a 1\nb 1\n");
  Scrape("new1 1\na 2\nnew2 1\nb 2\n");
  EXPECT_EQ(Samples("new1"), (Strings{"10:1"})) << "no limit";
  ManagerOptions options = Options();
  options.job_series_limit = 3;
  MetricsRegistry registry;
  options.metrics = &registry;
  ScrapeContext limited(options);
  auto config = std::make_shared<ScrapeConfig>(config_);
  ScrapeLoop one(&limited, config, Loop().target());
  auto scrape = [&](ScrapeLoop* loop, std::string body) {
    HttpClientResponse response;
    response.status = 200;
    response.content_type = "text/plain";
    response.body = std::move(body);
    loop->Process(std::move(response), clock_.NowMs(), clock_.MonotonicNs());
    clock_.AdvanceMs(10000);
    EXPECT_EQ(loop->State().last_error, "");
  };
  loop_->ReleaseGroup();
  scrape(&one, "x 1\ny 1\nz 1\nrefused 1\n");
  scrape(&one, "refused 1\nz 2\ny 2\nx 2\n");
  EXPECT_EQ(Samples("refused"), Strings{});
  EXPECT_EQ(Samples("x"), (Strings{"20:1", "30:2"}));
  EXPECT_EQ(Samples("z"), (Strings{"20:1", "30:2"}));
  EXPECT_EQ(limited.metrics.series_refused->value(), 2);
  EXPECT_EQ(one.State().refused_series, 1);
  one.Reconfigure(config, one.target());
  scrape(&one, "refused 1\nx 3\n");
  EXPECT_EQ(Samples("x").back(), "40:3") << "a reload takes no series' place";
  scrape(&one, "x 4\nlate 1\n");
  EXPECT_EQ(one.State().refused_series, 0);
  EXPECT_EQ(Samples("late"), (Strings{"50:1"})) << "series that ended make place";
}

TEST_F(ScrapeLoopTest, KnownSeriesGoOnWhenStorageTakesNoNewOnes) {
  const std::unique_ptr<tsdb::Db> db = testing::NewMemoryDb(/*max_series=*/8);
  ManagerOptions options = Options();
  options.db = db.get();
  MetricsRegistry registry;
  options.metrics = &registry;
  ScrapeContext limited(options);
  ScrapeLoop one(&limited, std::make_shared<ScrapeConfig>(config_), Loop().target());
  auto scrape = [&](std::string body) {
    HttpClientResponse response;
    response.status = 200;
    response.content_type = "text/plain";
    response.body = std::move(body);
    one.Process(std::move(response), clock_.NowMs(), clock_.MonotonicNs());
    clock_.AdvanceMs(10000);
    EXPECT_EQ(one.State().last_error, "");
    EXPECT_EQ(one.State().health, "up");
  };
  // Three of its own and up, scrape_duration_seconds, ...
  scrape("a 1\nb 1\nc 1\n");
  const double before = limited.metrics.series_refused->value();
  scrape("new1 1\na 2\nnew2 1\nb 2\nc 2\n");
  EXPECT_EQ(limited.metrics.series_refused->value(), before + 2);
  const auto set =
      *(*db->NewQuerier(0, INT64_MAX / 2))->Select({Matcher::Equal("__name__", "a")}, 0, INT64_MAX / 2, {});
  std::vector<tsdb::Row> rows;
  ASSERT_TRUE(set->ReadBlock(0, set->size(), &rows).ok());
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(std::vector<double>(rows[0].v.begin(), rows[0].v.end()), (std::vector<double>{1, 2}));
}

std::string NativeHistogram(std::initializer_list<int64_t> deltas) {
  testing::ProtoWriter span = testing::ProtoWriter().Signed(1, 0).Int(2, deltas.size());
  testing::ProtoWriter h =
      testing::ProtoWriter().Int(1, deltas.size()).Double(2, 1).Bytes(12, span).PackedSigned(13, deltas);
  testing::ProtoWriter metric = testing::ProtoWriter().Bytes(7, h);
  return testing::ProtoWriter().Bytes(1, "h").Int(3, 4).Bytes(4, metric).Delimited();
}

TEST_F(ScrapeLoopTest, NativeHistogramsComeByProtobuf) {
  const std::string type = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily";
  config_.scrape_native_histograms = true;
  config_.native_histogram_bucket_limit = 2;
  Scrape(NativeHistogram({1, 0}), type);
  ASSERT_EQ(Loop().State().last_error, "");
  auto querier = db_->NewQuerier(0, kStart * 2);
  auto set = (*querier)->Select({Matcher::Equal("__name__", "h")}, 0, kStart * 2, {});
  ASSERT_EQ((*set)->size(), 1u);
  std::vector<tsdb::Row> rows;
  ASSERT_TRUE((*set)->ReadBlock(0, 1, &rows).ok());
  ASSERT_EQ(rows[0].h.size(), 1u);
  EXPECT_EQ(rows[0].h[0].h->ToString(), "{count:2, sum:1, (0.5,1]:1, (1,2]:1}");
  // Buckets far apart stay too many at any resolution.
  testing::ProtoWriter h = testing::ProtoWriter().Int(1, 3).Double(2, 1);
  for (int i = 0; i < 3; ++i) {
    h.Bytes(12, testing::ProtoWriter().Signed(1, 100).Int(2, 1)).Signed(13, i == 0);
  }
  testing::ProtoWriter metric = testing::ProtoWriter().Bytes(7, h);
  Scrape(testing::ProtoWriter().Bytes(1, "h").Int(3, 4).Bytes(4, metric).Delimited(), type);
  EXPECT_EQ(Loop().State().last_error, "histogram bucket limit exceeded");
  EXPECT_EQ(context_.metrics.exceeded_bucket_limit->value(), 1);
}

TEST_F(ScrapeLoopTest, RequestCarriesTheScrapeHeaders) {
  config_.scrape_protocols = {"PrometheusText0.0.4"};
  HttpClientRequest request = Loop().Request();
  EXPECT_EQ(request.url, "http://h:1/metrics");
  std::map<std::string, std::string> headers(request.headers.begin(), request.headers.end());
  EXPECT_EQ(headers["Accept"], "text/plain;version=0.0.4;q=0.6,*/*;q=0.5");
  EXPECT_EQ(headers["X-Prometheus-Scrape-Timeout-Seconds"], "10");
  config_.scrape_protocols = {"PrometheusProto", "OpenMetricsText1.0.0"};
  loop_.reset();
  request = Loop().Request();
  EXPECT_EQ(
      request.headers[0].second,
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.4");
}

}  // namespace
}  // namespace narthex::scraper
