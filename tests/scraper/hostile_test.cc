// Targets that misbehave: each leaves `up 0` with the error that Prometheus would show, and the next good
// page is taken as if nothing had been.
#include <zlib.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/sample.h"
#include "scraper/scrape_loop.h"
#include "scraper/text_util.h"
#include "tests/support/memory_db.h"
#include "tests/support/raw_server.h"

namespace narthex::scraper {
namespace {

using testing::Certificate;
using ::testing::HasSubstr;
using testing::MakeCertificate;
using testing::RawServer;
using ::testing::StartsWith;

constexpr int64_t kStart = 1'700'000'000'000;
constexpr std::string_view kText = "text/plain; version=0.0.4";

std::string Gzip(std::string_view text) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

class HostileTest : public ::testing::Test {
 protected:
  HostileTest() {
    config_.job_name = "j";
    config_.scrape_interval_ms = 10'000;
    config_.scrape_timeout_ms = 10'000;
    config_.http = std::make_shared<HttpClientConfig>();
  }

  ManagerOptions Options() {
    ManagerOptions options;
    options.db = db_.get();
    options.clock = &clock_;
    options.logger = &logger_;
    options.metrics = &registry_;
    return options;
  }

  // Scrapes the address once; last_error and up are then what the target left.
  void Scrape(const std::string& address) {
    if (loop_ == nullptr || address != address_) {
      address_ = address;
      auto target = MakeTarget(DiscoveredLabels({{"__address__", address}}, {}, config_), config_);
      ASSERT_TRUE(target.ok()) << target.status();
      loop_ = std::make_unique<ScrapeLoop>(&context_, std::make_shared<ScrapeConfig>(config_), **target);
    }
    const int64_t start_ms = clock_.NowMs(), start_ns = clock_.MonotonicNs();
    loop_->Process(http_.Fetch(loop_->Request()), start_ms, start_ns);
    error_ = loop_->State().last_error;
    clock_.AdvanceMs(10'000);
  }

  // The last value of a series of the target; NaN if there is none, "stale" counts as such.
  double Last(std::string_view name) {
    auto querier = db_->NewQuerier(0, kStart * 2);
    auto set = (*querier)->Select({Matcher::Equal("__name__", name), Matcher::Equal("instance", address_)}, 0,
                                  kStart * 2, {});
    std::vector<tsdb::Row> rows;
    if ((*set)->size() == 0 || !(*set)->ReadBlock(0, 1, &rows).ok() || rows[0].v.empty()) return NAN;
    return rows[0].v.back();
  }

  // A bad answer after a good one: `up` goes to 0 with the error, the series ends, and comes back with the
  // next good page.
  void ExpectRefused(RawServer::Handler bad, const ::testing::Matcher<std::string>& error) {
    int n = 0;
    RawServer server([&](RawServer::Connection& c) {
      if (++n == 2) return bad(c);
      c.Answer(200, kText, StrCat("good ", n, "\n"));
    });
    Scrape(server.address());
    EXPECT_EQ(error_, "");
    EXPECT_EQ(Last("good"), 1);
    Scrape(server.address());
    EXPECT_THAT(error_, error);
    EXPECT_EQ(Last("up"), 0);
    EXPECT_TRUE(IsStale(Last("good")));
    Scrape(server.address());
    EXPECT_EQ(error_, "");
    EXPECT_EQ(Last("good"), n);
    EXPECT_EQ(Last("up"), 1);
  }
  std::string Url() const { return StrCat("http://", address_, "/metrics"); }

  FakeClock clock_{kStart};
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &clock_, [](std::string_view) {}};
  MetricsRegistry registry_;
  std::unique_ptr<tsdb::Db> db_ = testing::NewMemoryDb();
  HttpClient http_;
  ScrapeContext context_{Options()};
  ScrapeConfig config_;
  std::string address_, error_;
  std::unique_ptr<ScrapeLoop> loop_;
};

TEST_F(HostileTest, GzipBombIsStoppedAtTheLimit) {
  config_.body_size_limit = 1 << 20;
  const std::string bomb = Gzip(std::string(200 << 20, '\n'));
  ASSERT_LT(bomb.size(), 1u << 20);
  ExpectRefused([&](auto& c) { c.Answer(200, kText, bomb, "Content-Encoding: gzip\r\n"); },
                "body size limit exceeded");
  EXPECT_EQ(context_.metrics.exceeded_body_size_limit->value(), 1);
}

TEST_F(HostileTest, ABodyOfExactlyTheLimitIsTooLarge) {
  config_.body_size_limit = 10;
  ExpectRefused([&](auto& c) { c.Answer(200, kText, "abcdefg 1\n"); }, "body size limit exceeded");
}

TEST_F(HostileTest, EndlessBodyIsStoppedAtTheLimit) {
  config_.body_size_limit = 1 << 20;
  ExpectRefused(
      [](auto& c) {
        c.Send(StrCat("HTTP/1.1 200 OK\r\nContent-Type: ", kText, "\r\n\r\n"));
        while (c.Send(std::string(10'000, '\n'))) {
        }
      },
      "body size limit exceeded");
}

TEST_F(HostileTest, BrokenGzip) {
  const std::string page = Gzip("good 7\nother 8\n");
  auto answer = [](std::string body) {
    return [body](RawServer::Connection& c) { c.Answer(200, kText, body, "Content-Encoding: gzip\r\n"); };
  };
  ExpectRefused(answer("good 7\n"), "gzip: invalid header");
  ExpectRefused(answer(page.substr(0, page.size() - 10)), "unexpected EOF");
  std::string flipped = page;
  flipped[flipped.size() - 6] ^= 1;
  ExpectRefused(answer(flipped), "gzip: invalid checksum");
}

TEST_F(HostileTest, NoAnswerUntilTheTimeout) {
  config_.scrape_timeout_ms = 200;
  RawServer server([](auto& c) { c.WaitForClient(); });
  Scrape(server.address());
  EXPECT_EQ(error_, StrCat("Get \"", Url(), "\": context deadline exceeded"));
  EXPECT_EQ(Last("up"), 0);
}

TEST_F(HostileTest, SlowBodyUntilTheTimeout) {
  config_.scrape_timeout_ms = 200;
  RawServer server([](auto& c) {
    c.Send(StrCat("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: ", kText, "\r\n\r\ngood 1\n"));
    c.WaitForClient();
  });
  Scrape(server.address());
  EXPECT_EQ(error_, "context deadline exceeded");
  EXPECT_EQ(Last("up"), 0);
}

TEST_F(HostileTest, TruncatedBodies) {
  ExpectRefused(
      [](auto& c) {
        c.Send(StrCat("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: ", kText, "\r\n\r\ngood 1\n"));
      },
      "unexpected EOF");
  ExpectRefused(
      [](auto& c) {
        c.Send(StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: ", kText,
                      "\r\n\r\n7\r\ngood 1\n\r\n"));
      },
      "unexpected EOF");
}

TEST_F(HostileTest, ChunkedBodiesAreRead) {
  RawServer server([](auto& c) {
    c.Send(StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: ", kText,
                  "\r\n\r\n3\r\ngoo\r\n5;x=y\r\nd 42\n\r\n0\r\n\r\n"));
  });
  Scrape(server.address());
  EXPECT_EQ(error_, "");
  EXPECT_EQ(Last("good"), 42);
}

TEST_F(HostileTest, ClosedAndResetConnections) {
  RawServer closing([](auto& c) {});
  Scrape(closing.address());
  EXPECT_EQ(error_, StrCat("Get \"", Url(), "\": EOF"));
  RawServer resetting([](auto& c) {
    c.Send("HTTP/1.1 200 OK\r\nContent-Le");
    c.ResetOnClose();
  });
  Scrape(resetting.address());
  EXPECT_THAT(error_, StartsWith(StrCat("Get \"", Url(), "\": read tcp 127.0.0.1:")));
  EXPECT_THAT(error_, HasSubstr(StrCat("->", address_, ": read: connection reset by peer")));
  EXPECT_EQ(Last("up"), 0);
}

TEST_F(HostileTest, NotHttpAtAll) {
  RawServer server([](auto& c) { c.Send("SSH-2.0-OpenSSH_9.2\r\n"); });
  Scrape(server.address());
  EXPECT_THAT(error_, HasSubstr("malformed HTTP response"));
  EXPECT_EQ(Last("up"), 0);
}

TEST_F(HostileTest, RedirectsAndLoops) {
  ExpectRefused([](auto& c) { c.Answer(302, kText, "", "Location: http://127.0.0.1:1/elsewhere\r\n"); },
                "Get \"http://127.0.0.1:1/elsewhere\": dial tcp 127.0.0.1:1: connect: connection refused");
  RawServer loop([](auto& c) { c.Answer(301, kText, "", "Location: /metrics\r\n"); });
  Scrape(loop.address());
  EXPECT_EQ(error_, "Get \"/metrics\": stopped after 10 redirects");
  EXPECT_EQ(loop.requests(), 10);
  auto no_follow = std::make_shared<HttpClientConfig>();
  no_follow->follow_redirects = false;
  config_.http = no_follow;
  loop_.reset();
  Scrape(loop.address());
  EXPECT_EQ(error_, "server returned HTTP status 301 Moved Permanently");
}

TEST_F(HostileTest, StatusCodes) {
  ExpectRefused([](auto& c) { c.Answer(401, kText, "good 9\n"); },
                "server returned HTTP status 401 Unauthorized");
  ExpectRefused([](auto& c) { c.Answer(500, kText, ""); },
                "server returned HTTP status 500 Internal Server Error");
  ExpectRefused([](auto& c) { c.Answer(204, kText, ""); }, "server returned HTTP status 204 No Content");
  // The words are the server's own, if it has any.
  ExpectRefused([](auto& c) { c.Send("HTTP/1.1 503 Too Hot\r\nContent-Length: 0\r\n\r\n"); },
                "server returned HTTP status 503 Too Hot");
  ExpectRefused([](auto& c) { c.Send("HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n"); },
                "server returned HTTP status 503");
}

TEST_F(HostileTest, TwoLengthsAreNone) {
  ExpectRefused([](auto& c) { c.Answer(200, kText, "good 9\n", "Content-Length: 3\r\n"); },
                HasSubstr("http: message cannot contain multiple Content-Length headers; got [\""));
}

TEST_F(HostileTest, BrokenChunks) {
  ExpectRefused(
      [](auto& c) {
        c.Send(StrCat("HTTP/1.1 200 OK\r\nContent-Type: ", kText,
                      "\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ngood 9\n\r\nzz\r\n"));
      },
      "invalid byte in chunk length");
}

TEST_F(HostileTest, PortThatIsNone) {
  Scrape("127.0.0.1:99999");
  EXPECT_EQ(error_, StrCat("Get \"", Url(), "\": dial tcp: address 99999: invalid port"));
}

TEST_F(HostileTest, WrongContentTypes) {
  const std::string none = " and no fallback_scrape_protocol specified for target";
  ExpectRefused([](auto& c) { c.Answer(200, "text/html", "<html>"); },
                StrCat("received unsupported Content-Type \"text/html\"", none));
  ExpectRefused([](auto& c) { c.Answer(200, "", "good 1\n"); },
                StrCat("non-compliant scrape target sending blank Content-Type", none));
  ExpectRefused([](auto& c) { c.Answer(200, "application/vnd.google.protobuf", "good 1\n"); },
                "clientpb: insufficient length of buffer, expected at least 104 bytes, got 7 bytes");
  ExpectRefused([](auto& c) { c.Answer(200, "application/openmetrics-text", "good 1\n"); },
                "data does not end with # EOF");
}

TEST_F(HostileTest, BrokenPages) {
  ExpectRefused([](auto& c) { c.Answer(200, kText, "good 1\nbad{x=\"\xff\"} 1\n"); },
                "invalid UTF-8 label value: \"\\\"\\xff\\\"\"");
  ExpectRefused(
      [](auto& c) { c.Answer(200, kText, "good 1\nbad{x=\"1\n"); },
      "expected label value, got \"\\\"1\\n\\n\" (\"INVALID\") while parsing: \"bad{x=\\\"1\\n\\n\"");
  ExpectRefused([](auto& c) { c.Answer(200, kText, "good 1\nbad{x=\"1\",x=\"2\"} 1\n"); },
                "label name \"x\" is not unique: invalid sample");
}

TEST_F(HostileTest, DuplicateLinesKeepTheFirstValueAndAreCounted) {
  RawServer server([](auto& c) { c.Answer(200, kText, "good 1\ngood 2\n"); });
  Scrape(server.address());
  EXPECT_EQ(error_, "");
  EXPECT_EQ(Last("good"), 1);
  EXPECT_EQ(context_.metrics.duplicate_timestamp->value(), 1);
}

TEST_F(HostileTest, AHundredThousandLines) {
  std::string page;
  for (int i = 0; i < 100'000; ++i) StrAppend(&page, "m{i=\"", i, "\"} ", i, "\n");
  RawServer server([&](auto& c) { c.Answer(200, kText, page); });
  for (int round = 0; round < 2; ++round) {
    Scrape(server.address());
    EXPECT_EQ(error_, "");
    EXPECT_EQ(Last("scrape_samples_scraped"), 100'000);
    EXPECT_EQ(Last("scrape_series_added"), round == 0 ? 100'000 : 0);
  }
  config_.sample_limit = 99'999;
  loop_.reset();
  Scrape(server.address());
  EXPECT_EQ(error_, "sample limit exceeded");
  EXPECT_EQ(Last("scrape_samples_scraped"), 100'000);
}

TEST_F(HostileTest, TlsFailures) {
  const Certificate certificate = MakeCertificate("DNS:elsewhere.example");
  RawServer server([](auto& c) { c.Answer(200, kText, "good 1\n"); }, &certificate);
  RawServer plain([](auto& c) { c.Answer(200, kText, "good 1\n"); });
  config_.scheme = "https";
  Scrape(server.address());
  EXPECT_EQ(error_, StrCat("Get \"https://", address_,
                           "/metrics\": tls: failed to verify certificate: x509: "
                           "certificate signed by unknown authority"));
  EXPECT_EQ(Last("up"), 0);
  config_.http->tls.ca = certificate.cert;
  loop_.reset();
  Scrape(server.address());
  EXPECT_THAT(error_,
              HasSubstr("x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any "
                        "IP SANs"));
  config_.http->tls.server_name = "elsewhere.example";
  loop_.reset();
  Scrape(server.address());
  EXPECT_EQ(error_, "");
  EXPECT_EQ(Last("up"), 1);
}

TEST_F(HostileTest, UnreachableTargets) {
  Scrape("127.0.0.1:1");
  EXPECT_EQ(error_, "Get \"http://127.0.0.1:1/metrics\": dial tcp 127.0.0.1:1: connect: connection refused");
  Scrape("nowhere.invalid:80");
  EXPECT_THAT(error_,
              StartsWith("Get \"http://nowhere.invalid:80/metrics\": dial tcp: lookup nowhere.invalid"));
  EXPECT_THAT(error_, ::testing::EndsWith(": no such host"));
  EXPECT_EQ(Last("up"), 0);
}

}  // namespace
}  // namespace narthex::scraper
