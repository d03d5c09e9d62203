// OTLP in: names, labels, points, and what is refused. Requests are JSON here; one goes through protobuf.
#include <gtest/gtest.h>
#include <zlib.h>

#include "base/strings.h"
#include "model/histogram.h"
#include "remote/otlp_names.h"
#include "remote/remote.h"
#include "tests/remote/fixture.h"
#include "tests/support/memory_db.h"

namespace narthex::remote {
namespace {

TEST(OtlpNamesTest, SuffixesOfUnitAndType) {
  struct Case {
    const char *name, *unit;
    OtlpKind kind;
    const char *escaped, *bare, *utf8;
  };
  const Case kCases[] = {
      {"http.server.duration", "ms", OtlpKind::kOther, "http_server_duration_milliseconds",
       "http_server_duration", "http.server.duration_milliseconds"},
      {"requests", "1", OtlpKind::kMonotonicCounter, "requests_total", "requests", "requests_total"},
      {"requests_total", "", OtlpKind::kMonotonicCounter, "requests_total", "requests_total",
       "requests_total"},
      {"cpu.use", "1", OtlpKind::kGauge, "cpu_use_ratio", "cpu_use", "cpu.use_ratio"},
      {"net.io", "By/s", OtlpKind::kGauge, "net_io_bytes_per_second", "net_io", "net.io_bytes_per_second"},
      {"memory.bytes", "By", OtlpKind::kGauge, "memory_bytes", "memory_bytes", "memory.bytes"},
      {"packets", "{packet}", OtlpKind::kMonotonicCounter, "packets_total", "packets", "packets_total"},
      {"2xx", "", OtlpKind::kGauge, "_2xx", "_2xx", "2xx"},
      {"a:b", "", OtlpKind::kGauge, "a:b", "a:b", "a:b"}};
  for (const Case& c : kCases) {
    OtlpConfig config;
    EXPECT_EQ(OtlpMetricName(config, c.name, c.unit, c.kind), c.escaped);
    config.strategy = "UnderscoreEscapingWithoutSuffixes";
    EXPECT_EQ(OtlpMetricName(config, c.name, c.unit, c.kind), c.bare);
    config.strategy = "NoUTF8EscapingWithSuffixes";
    EXPECT_EQ(OtlpMetricName(config, c.name, c.unit, c.kind), c.utf8);
    config.strategy = "NoTranslation";
    EXPECT_EQ(OtlpMetricName(config, c.name, c.unit, c.kind), c.name);
  }
}

TEST(OtlpNamesTest, LabelNames) {
  OtlpConfig config;
  EXPECT_EQ(OtlpLabelName(config, "http.method"), "http_method");
  EXPECT_EQ(OtlpLabelName(config, "a..b"), "a__b");
  EXPECT_EQ(OtlpLabelName(config, "_a"), "key_a");
  EXPECT_EQ(OtlpLabelName(config, "__a"), "__a");
  EXPECT_EQ(OtlpLabelName(config, "1a"), "key_1a");
  EXPECT_EQ(OtlpLabelName(config, "\xc3\xa4"), "key_");
  config.preserve_underscores = false;
  EXPECT_EQ(OtlpLabelName(config, "a..b"), "a_b");
  config.sanitize_underscore = false;
  EXPECT_EQ(OtlpLabelName(config, "_a"), "_a");
  config.strategy = "NoTranslation";
  EXPECT_EQ(OtlpLabelName(config, "http.method"), "http.method");
}

class OtlpTest : public ::testing::Test {
 protected:
  WriteOutcome Send(std::string_view body, std::string_view type = "application/json",
                    std::string_view encoding = "") {
    return HandleOtlp({db_.get(), &clock_, &metrics_}, config_, body, type, encoding);
  }
  // A request of one resource and one scope.
  static std::string Request(const std::string& metrics, const std::string& attributes = kAttributes) {
    return StrCat(R"({"resourceMetrics":[{"resource":{"attributes":[)", attributes,
                  R"(]},"scopeMetrics":[{"scope":{"name":"lib","version":"1"},"metrics":[)", metrics,
                  "]}]}]}");
  }
  std::vector<std::string> Stored() { return StoredIn(*db_); }

  static constexpr const char* kAttributes = R"({"key":"service.name","value":{"stringValue":"shop"}},)"
                                             R"({"key":"service.namespace","value":{"stringValue":"web"}},)"
                                             R"({"key":"service.instance.id","value":{"stringValue":"i1"}})";
  std::unique_ptr<tsdb::Db> db_ = testing::NewMemoryDb();
  MetricsRegistry metrics_;
  FakeClock clock_{10'000};
  OtlpConfig config_;
};

TEST_F(OtlpTest, SumsAndGauges) {
  WriteOutcome out = Send(Request(
      R"({"name":"requests","unit":"1","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[)"
      R"({"timeUnixNano":"5000000000","asInt":"7","attributes":[{"key":"http.code","value":{"intValue":"200"}}]}]}},)"
      R"({"name":"temp","unit":"Cel","gauge":{"dataPoints":[{"timeUnixNano":"5000000000","asDouble":21.5},)"
      R"({"timeUnixNano":"6000000000","flags":1}]}})"));
  EXPECT_EQ(out.http_status, 200) << out.error;
  std::vector<std::string> stored = Stored();
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_EQ(stored[0], "requests_total{http_code=\"200\", instance=\"i1\", job=\"web/shop\"} 7@5000");
  EXPECT_EQ(stored[1].find("temp_celsius{instance=\"i1\", job=\"web/shop\"} 21.5@5000 nan@6000"), 0u)
      << stored[1];
}

TEST_F(OtlpTest, HistogramsAreClassicOrNative) {
  const std::string histogram =
      R"({"name":"lat","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"5000000000",)"
      R"("count":"6","sum":3.5,"bucketCounts":["1","2","3"],"explicitBounds":[0.1,1]}]}})";
  EXPECT_EQ(Send(Request(histogram, "")).http_status, 200);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"lat_seconds_bucket{le=\"+Inf\"} 6@5000",
                                                "lat_seconds_bucket{le=\"0.1\"} 1@5000",
                                                "lat_seconds_bucket{le=\"1\"} 3@5000",
                                                "lat_seconds_count 6@5000", "lat_seconds_sum 3.5@5000"}));
  db_ = testing::NewMemoryDb();
  config_.convert_histograms = true;
  EXPECT_EQ(Send(Request(histogram, "")).http_status, 200);
  EXPECT_EQ(
      Stored(),
      (std::vector<std::string>{"lat_seconds {count:6, sum:3.5, [-Inf,0.1]:1, (0.1,1]:2, (1,+Inf]:3}@5000"}));
}

TEST_F(OtlpTest, ExponentialHistogramsAreNative) {
  const std::string head =
      R"({"name":"lat","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[)";
  EXPECT_EQ(
      Send(Request(head + R"({"timeUnixNano":"5000000000","count":"6","sum":3.5,"scale":0,"zeroCount":"1",)"
                          R"("positive":{"offset":0,"bucketCounts":["2","3"]}}]}})",
                   ""))
          .http_status,
      200);
  EXPECT_EQ(Stored(),
            (std::vector<std::string>{"lat {count:6, sum:3.5, [-1e-128,1e-128]:1, (1,2]:2, (2,4]:3}@5000"}));
  for (const char* scale : {"-5", "2000000000"}) {
    EXPECT_EQ(
        Send(Request(head + R"({"timeUnixNano":"6000000000","scale":)" + scale + "}]}}", "")).http_status,
        400);
  }
}

TEST_F(OtlpTest, Summaries) {
  EXPECT_EQ(
      Send(Request(R"({"name":"s","summary":{"dataPoints":[{"timeUnixNano":"5000000000","count":"2","sum":3,)"
                   R"("quantileValues":[{"quantile":0.5,"value":1.5}]}]}})",
                   ""))
          .http_status,
      200);
  EXPECT_EQ(Stored(),
            (std::vector<std::string>{"s{quantile=\"0.5\"} 1.5@5000", "s_count 2@5000", "s_sum 3@5000"}));
}

TEST_F(OtlpTest, ResourceAttributesArePromotedOrGoToTargetInfo) {
  config_.promote = {"region"};
  config_.promote_scope = true;
  std::string attributes = StrCat(kAttributes, R"(,{"key":"region","value":{"stringValue":"eu"}})",
                                  R"(,{"key":"host.name","value":{"stringValue":"h1"}})");
  EXPECT_EQ(
      Send(Request(R"({"name":"up","gauge":{"dataPoints":[{"timeUnixNano":"5000000000","asInt":"1"}]}})",
                   attributes))
          .http_status,
      200);
  EXPECT_EQ(Stored(),
            (std::vector<std::string>{
                "target_info{host_name=\"h1\", instance=\"i1\", job=\"web/shop\", region=\"eu\"} 1@5000",
                "up{instance=\"i1\", job=\"web/shop\", otel_scope_name=\"lib\", otel_scope_version=\"1\", "
                "region=\"eu\"} 1@5000"}));
}

TEST_F(OtlpTest, ASeriesThatThereIsNoMemoryForDoesNotStopTheOthers) {
  db_ = testing::NewMemoryDb(/*max_series=*/1);
  const std::string known =
      R"({"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"5000000000","asDouble":1}]}})";
  EXPECT_EQ(Send(Request(known, "")).http_status, 200);
  WriteOutcome out =
      Send(Request(R"({"name":"new","gauge":{"dataPoints":[{"timeUnixNano":"6000000000","asDouble":1}]}},)"
                   R"({"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"6000000000","asDouble":2}]}})",
                   ""));
  EXPECT_EQ(out.http_status, 429);
  EXPECT_EQ(out.error, R"(new series refused for series {__name__="new"})");
  EXPECT_EQ(Stored(), (std::vector<std::string>{"g 1@5000 2@6000"}));
}

TEST_F(OtlpTest, DeltaIsRefusedAndTheRestIsStored) {
  WriteOutcome out = Send(Request(
      R"({"name":"d","sum":{"isMonotonic":true,"aggregationTemporality":1,"dataPoints":[{"asInt":"1"}]}},)"
      R"({"name":"good","gauge":{"dataPoints":[{"timeUnixNano":"5000000000","asInt":"1"}]}})",
      ""));
  EXPECT_EQ(out.http_status, 400);
  EXPECT_EQ(out.error, "invalid temporality and type combination for metric \"d\"");
  EXPECT_EQ(Stored(), (std::vector<std::string>{"good 1@5000"}));
}

TEST_F(OtlpTest, ExemplarsKeepTheirTrace) {
  EXPECT_EQ(
      Send(
          Request(
              R"({"name":"c","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[)"
              R"({"timeUnixNano":"5000000000","asInt":"1","exemplars":[{"timeUnixNano":"4000000000",)"
              R"("asDouble":0.5,"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"051581bf3cb55c13"}]}]}})",
              ""))
          .http_status,
      200);
  auto found = db_->SelectExemplars({Matchers{}}, 0, 10'000);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].exemplars[0].labels,
            Labels({{"trace_id", "5b8aa5a2d2c872e8321cf37308d69df2"}, {"span_id", "051581bf3cb55c13"}}));
}

TEST_F(OtlpTest, AttributesThatCollideAreJoined) {
  EXPECT_EQ(
      Send(Request(
               R"({"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"5000000000","asInt":"1","attributes":[)"
               R"({"key":"a.b","value":{"stringValue":"1"}},{"key":"a_b","value":{"boolValue":true}},)"
               R"({"key":"l","value":{"arrayValue":{"values":[{"intValue":"1"},{"doubleValue":2.5}]}}}]}]}})",
               ""))
          .http_status,
      200);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"g{a_b=\"1;true\", l=\"[1,2.5]\"} 1@5000"}));
}

TEST_F(OtlpTest, EncodingsAndContentTypes) {
  EXPECT_EQ(Send("", "text/plain").error,
            "unsupported content type: text/plain, supported: [application/json, application/x-protobuf]");
  EXPECT_EQ(Send("", "application/x-protobuf", "zstd").error,
            "unsupported compression: zstd. Only \"gzip\" or no compression supported");
  EXPECT_EQ(Send("", "application/x-protobuf").http_status, 200);
  EXPECT_EQ(Send("{", "application/json").http_status, 400);
  EXPECT_EQ(Send("\xff", "application/x-protobuf").http_status, 400);
  EXPECT_EQ(Send("no gzip", "application/x-protobuf", "gzip").http_status, 400);
  // One gauge `g` with the value 1, in protobuf, gzip around it.
  const std::string point = std::string("\x19", 1) + std::string("\x00\xf2\x05\x2a\x01\x00\x00\x00", 8) +
                            std::string("\x31", 1) + std::string("\x01\x00\x00\x00\x00\x00\x00\x00", 8);
  auto wrap = [](char tag, const std::string& text) {
    return std::string(1, tag) + static_cast<char>(text.size()) + text;
  };
  const std::string metric = wrap(0x0a, "g") + wrap(0x2a, wrap(0x0a, point));
  const std::string request = wrap(0x0a, wrap(0x12, wrap(0x12, metric)));
  std::string zipped(1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(request.data()));
  stream.avail_in = static_cast<uInt>(request.size());
  stream.next_out = reinterpret_cast<Bytef*>(zipped.data());
  stream.avail_out = static_cast<uInt>(zipped.size());
  deflate(&stream, Z_FINISH);
  zipped.resize(zipped.size() - stream.avail_out);
  deflateEnd(&stream);
  EXPECT_EQ(Send(zipped, "application/x-protobuf", "gzip").http_status, 200);
  EXPECT_EQ(Stored(), (std::vector<std::string>{"g 1@5000"}));
}

}  // namespace
}  // namespace narthex::remote
