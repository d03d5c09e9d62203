// Remote read: what is answered, in both forms, and what is asked of others.
#include <gtest/gtest.h>
#include <snappy.h>

#include <bit>

#include "base/http_server.h"
#include "base/strings.h"
#include "read.pb.h"
#include "remote/chunks.h"
#include "remote/read_query.h"
#include "remote/remote.h"
#include "tests/support/memory_db.h"

namespace narthex::remote {
namespace {

class Sink : public HttpResponseWriter {
 public:
  void SetHeader(std::string_view name, std::string_view value) override {
    headers[std::string(name)] = value;
  }
  void Send(int code, std::string_view content_type, std::string text) override {
    status = code;
    type = content_type;
    body = std::move(text);
  }
  absl::Status Start(int code, std::string_view content_type) override {
    status = code;
    type = content_type;
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view piece) override {
    body += piece;
    ++pieces;
    return absl::OkStatus();
  }
  void BreakOff() override {}
  int status = 0, pieces = 0;
  std::string type, body;
  std::map<std::string, std::string> headers;
};

// Bits as XorChunkWriter wrote them, read by the book.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}
  uint64_t Bits(int count) {
    uint64_t out = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      out = out << 1 | (static_cast<uint8_t>(bytes_[at_ / 8]) >> (7 - at_ % 8) & 1);
    }
    return out;
  }
  uint64_t Uvarint() {
    uint64_t out = 0;
    for (int shift = 0;; shift += 7) {
      uint64_t byte = Bits(8);
      out |= (byte & 0x7f) << shift;
      if (byte < 0x80) return out;
    }
  }
  int64_t Varint() {
    uint64_t raw = Uvarint();
    return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

int64_t Signed(uint64_t raw, int bits) {
  if (bits == 64) return static_cast<int64_t>(raw);
  return raw > uint64_t{1} << (bits - 1) ? static_cast<int64_t>(raw) - (int64_t{1} << bits)
                                         : static_cast<int64_t>(raw);
}

std::vector<FloatPoint> DecodeXor(std::string_view chunk) {
  std::vector<FloatPoint> out;
  BitReader bits(chunk);
  size_t count = bits.Bits(16);
  int64_t t = 0, delta = 0;
  uint64_t v = 0;
  int leading = 0, trailing = 0;
  for (size_t i = 0; i < count; ++i) {
    if (i == 0) {
      t = bits.Varint();
      v = bits.Bits(64);
    } else {
      if (i == 1) {
        delta = static_cast<int64_t>(bits.Uvarint());
      } else if (bits.Bits(1)) {
        int size = !bits.Bits(1) ? 14 : !bits.Bits(1) ? 17 : !bits.Bits(1) ? 20 : 64;
        delta += Signed(bits.Bits(size), size);
      }
      t += delta;
      if (bits.Bits(1)) {
        if (bits.Bits(1)) {
          leading = static_cast<int>(bits.Bits(5));
          int significant = static_cast<int>(bits.Bits(6));
          trailing = 64 - leading - (significant == 0 ? 64 : significant);
        }
        v ^= bits.Bits(64 - leading - trailing) << trailing;
      }
    }
    out.push_back({t, std::bit_cast<double>(v)});
  }
  return out;
}

TEST(ChunkTest, XorChunksReadBackAsTheyWere) {
  const std::vector<std::pair<int64_t, double>> kPoints = {{-5, 1.5},
                                                           {1000, 1.5},
                                                           {2000, 1.25},
                                                           {3001, -0.0},
                                                           {20'000, 1e300},
                                                           {9'000'000, NormalNan()},
                                                           {9'000'001, 7},
                                                           {9'000'002, 7},
                                                           {1'000'000'000'000, 0.1},
                                                           {1'000'000'000'001, 1e-300},
                                                           {1'000'000'008'194, 3},
                                                           {1'000'000'024'580, StaleNan()},
                                                           {1'000'000'600'000, 5}};
  XorChunkWriter writer;
  for (const auto& [t, v] : kPoints) writer.Append(t, v);
  std::vector<FloatPoint> read = DecodeXor(writer.Finish());
  ASSERT_EQ(read.size(), kPoints.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].t, kPoints[i].first);
    EXPECT_EQ(std::bit_cast<uint64_t>(read[i].v), std::bit_cast<uint64_t>(kPoints[i].second)) << i;
  }
}

TEST(ChunkTest, HistogramsOfAnotherLayoutNeedANewChunk) {
  FloatHistogram h;
  h.count = 2;
  h.positive_spans = {{0, 1}};
  h.positive_buckets = {2};
  HistogramChunkWriter writer;
  EXPECT_TRUE(writer.Append(1, h));
  h.positive_buckets = {3};
  EXPECT_TRUE(writer.Append(2, h));
  h.positive_spans = {{0, 2}};
  h.positive_buckets = {3, 1};
  EXPECT_FALSE(writer.Append(3, h));
  FloatHistogram stale;
  stale.sum = StaleNan();
  EXPECT_FALSE(writer.Append(3, stale));
  EXPECT_EQ(writer.count(), 2);
}

class ReadTest : public ::testing::Test {
 protected:
  ReadTest() {
    for (int i = 0; i < 300; ++i) Append({{"__name__", "a"}, {"x", "1"}}, i * 1000, i);
    Append({{"__name__", "b"}}, 5000, 7);
    options_.storage = db_.get();
    options_.external_labels = {{"site", "here"}};
  }
  void Append(const Labels& labels, int64_t t, double v) {
    auto appender = db_->NewAppender();
    tsdb::SeriesRef ref = 0;
    ASSERT_TRUE(appender->Append(&ref, labels, {t, v, nullptr, 0}).ok());
    ASSERT_TRUE(appender->Commit().ok());
  }
  Sink Ask(int64_t start, int64_t end, const Matchers& matchers, std::vector<int> types = {}) {
    prompb::ReadRequest request;
    prompb::Query* query = request.add_queries();
    query->set_start_timestamp_ms(start);
    query->set_end_timestamp_ms(end);
    WriteMatchers(matchers, query);
    for (int type : types)
      request.add_accepted_response_types(static_cast<prompb::ReadRequest::ResponseType>(type));
    Sink sink;
    EXPECT_TRUE(HandleRead(options_, Snappy(request.SerializeAsString()), &sink).ok());
    return sink;
  }

  std::unique_ptr<tsdb::Db> db_ = testing::NewMemoryDb();
  ReadOptions options_;
};

TEST_F(ReadTest, SamplesComeWithExternalLabels) {
  Sink sink = Ask(2000, 4000, {Matcher::Equal("x", "1"), Matcher::Equal("site", "here")});
  EXPECT_EQ(sink.status, 200);
  EXPECT_EQ(sink.type, "application/x-protobuf");
  EXPECT_EQ(sink.headers["Content-Encoding"], "snappy");
  prompb::ReadResponse response;
  ASSERT_TRUE(response.ParseFromString(*Unsnappy(sink.body, 1 << 20)));
  ASSERT_EQ(response.results_size(), 1);
  ASSERT_EQ(response.results(0).timeseries_size(), 1);
  const prompb::TimeSeries& series = response.results(0).timeseries(0);
  ASSERT_EQ(series.samples_size(), 3);
  EXPECT_EQ(series.samples(2).timestamp(), 4000);
  EXPECT_EQ(series.samples(2).value(), 4);
  ASSERT_EQ(series.labels_size(), 3);
  EXPECT_EQ(series.labels(1).name(), "site");
}

TEST_F(ReadTest, ChunksAreStreamedInFrames) {
  options_.max_bytes_in_frame = 300;
  Sink sink = Ask(0, 299'000, {Matcher::Equal("__name__", "a")}, {1, 0});
  EXPECT_EQ(sink.type, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
  EXPECT_GT(sink.pieces, 1);
  std::vector<FloatPoint> all;
  std::string_view rest = sink.body;
  while (!rest.empty()) {
    uint64_t size = static_cast<uint8_t>(rest[0]);
    size_t head = 1;
    if (size >= 0x80) size = (size & 0x7f) | static_cast<uint64_t>(static_cast<uint8_t>(rest[head++])) << 7;
    prompb::ChunkedReadResponse frame;
    ASSERT_TRUE(frame.ParseFromString(std::string(rest.substr(head + 4, size))));
    rest.remove_prefix(head + 4 + size);
    for (const prompb::Chunk& chunk : frame.chunked_series(0).chunks()) {
      EXPECT_EQ(chunk.type(), prompb::Chunk::XOR);
      std::vector<FloatPoint> points = DecodeXor(chunk.data());
      EXPECT_EQ(points.front().t, chunk.min_time_ms());
      EXPECT_EQ(points.back().t, chunk.max_time_ms());
      EXPECT_LE(points.size(), 120u);
      all.insert(all.end(), points.begin(), points.end());
    }
  }
  ASSERT_EQ(all.size(), 300u);
  EXPECT_EQ(all[299].v, 299);
}

TEST_F(ReadTest, TooManySamplesAreRefused) {
  options_.sample_limit = 10;
  Sink sink = Ask(0, 299'000, {Matcher::Equal("__name__", "a")});
  EXPECT_EQ(sink.status, 400);
  EXPECT_EQ(sink.body, "exceeded sample limit (10)\n");
}

TEST_F(ReadTest, BadRequestsAreNamed) {
  Sink sink;
  EXPECT_TRUE(HandleRead(options_, "\xff", &sink).ok());
  EXPECT_EQ(sink.body, "snappy: corrupt input\n");
  EXPECT_EQ(sink.status, 400);
  sink = Ask(0, 1, {}, {7});
  EXPECT_EQ(sink.body,
            "server does not support any of the requested response types: [7]; supported: map[SAMPLES:{} "
            "STREAMED_XOR_CHUNKS:{}]\n");
}

// A far side that HandleRead plays, in front of a near one.
class ReadStorageTest : public ReadTest {
 protected:
  ReadStorageTest() {
    HttpServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    server_ = *HttpServer::Start(options, [this](const HttpRequest& request, HttpResponseWriter& out) {
      ++asked_;
      if (broken_) return out.Send(500, "text/plain", "broken");
      (void)HandleRead(options_, request.body, &out);
    });
    config_.url = StrCat("http://127.0.0.1:", server_->ports()[0], "/");
    config_.http = std::make_shared<HttpClientConfig>();
    config_.read_recent = true;
    auto appender = near_->NewAppender();
    tsdb::SeriesRef ref = 0;
    EXPECT_TRUE(appender->Append(&ref, Labels({{"__name__", "a"}, {"x", "1"}}), {2000, 20, nullptr, 0}).ok());
    ref = 0;
    EXPECT_TRUE(appender->Append(&ref, Labels({{"__name__", "c"}}), {2000, 3, nullptr, 0}).ok());
    EXPECT_TRUE(appender->Commit().ok());
  }
  std::vector<std::string> Select(const Matchers& matchers) {
    storage_->Apply({config_}, {{"site", "here"}});
    auto querier = storage_->NewQuerier(0, 3000);
    auto set = (*querier)->Select(matchers, 0, 3000, {});
    EXPECT_TRUE(set.ok()) << set.status();
    std::vector<tsdb::Row> rows;
    EXPECT_TRUE((*set)->ReadBlock(0, (*set)->size(), &rows).ok());
    std::vector<std::string> out;
    for (size_t i = 0; i < (*set)->size(); ++i) {
      std::string line = (*set)->labels(i).ToString();
      for (size_t k = 0; k < rows[i].t.size(); ++k) StrAppend(&line, " ", rows[i].v[k], "@", rows[i].t[k]);
      out.push_back(line);
    }
    return out;
  }

  FakeClock clock_{0};
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &clock_, [](std::string_view) {}};
  HttpClient http_;
  std::unique_ptr<tsdb::Db> near_ = testing::NewMemoryDb();
  std::unique_ptr<ReadStorage> storage_ = ReadStorage::Create(near_.get(), &http_, &logger_);
  RemoteReadConfig config_;
  std::atomic<int> asked_{0};
  std::atomic<bool> broken_{false};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ReadStorageTest, NearAndFarSamplesAreOneSeries) {
  EXPECT_EQ(Select({*Matcher::Create(MatchOp::kRegex, "__name__", "a|c")}),
            (std::vector<std::string>{"a{x=\"1\"} 0@0 1@1000 20@2000 3@3000", "c 3@2000"}));
}

TEST_F(ReadStorageTest, AFarSideThatFailsLeavesTheNearAnswer) {
  broken_ = true;
  EXPECT_EQ(Select({Matcher::Equal("__name__", "c")}), (std::vector<std::string>{"c 3@2000"}));
}

TEST_F(ReadStorageTest, RequiredMatchersDecideWhetherToAsk) {
  config_.required_matchers = {{"x", "1"}};
  Select({Matcher::Equal("__name__", "a")});
  EXPECT_EQ(asked_, 0);
  Select({Matcher::Equal("x", "1")});
  EXPECT_EQ(asked_, 1);
}

}  // namespace
}  // namespace narthex::remote
