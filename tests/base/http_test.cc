#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/http_client.h"
#include "base/http_response.h"
#include "base/http_server.h"
#include "base/mutex.h"
#include "base/strings.h"

namespace narthex {
namespace {

class HttpTest : public ::testing::Test {
 protected:
  void Serve(HttpHandler handler, HttpServerOptions options = {}) {
    options.listen_addresses = {"127.0.0.1:0"};
    auto server = HttpServer::Start(options, std::move(handler));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Url(std::string_view path) const {
    return StrCat("http://127.0.0.1:", server_->ports()[0], path);
  }
  absl::StatusOr<HttpClientResponse> Get(std::string_view path) {
    HttpClientRequest request;
    request.url = Url(path);
    request.timeout_ms = 10'000;
    return client_.Fetch(std::move(request));
  }

  std::unique_ptr<HttpServer> server_;
  HttpClient client_;
};

TEST_F(HttpTest, AnswersRequestsOnOneConnection) {
  Serve([](const HttpRequest& request, HttpResponseWriter& out) {
    out.Send(200, "text/plain", StrCat(request.method, " ", request.path, " ", request.query));
  });
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<HttpClientResponse> answer = Get("/a/b?c=d");
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "GET /a/b c=d");
    EXPECT_EQ(answer->content_type, "text/plain");
  }
}

TEST_F(HttpTest, CompressesLongAnswersAndLeavesShortOnes) {
  std::string encoding;
  Serve([](const HttpRequest& request, HttpResponseWriter& out) {
    out.Send(200, "text/plain", std::string(request.path == "/long" ? 5000 : 10, 'x'));
  });
  auto encoding_of = [](const HttpClientResponse& r) {
    for (const auto& [name, value] : r.headers) {
      if (name == "content-encoding") return value;
    }
    return std::string();
  };
  absl::StatusOr<HttpClientResponse> answer = Get("/long");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, std::string(5000, 'x'));
  EXPECT_EQ(encoding_of(*answer), "gzip");
  answer = Get("/short");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(encoding_of(*answer), "");
}

TEST_F(HttpTest, StreamsPieces) {
  Serve([](const HttpRequest& request, HttpResponseWriter& out) {
    ASSERT_TRUE(out.Start(200, "text/plain").ok());
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(out.Write(std::string(10'000, static_cast<char>('a' + i % 26))).ok());
  });
  absl::StatusOr<HttpClientResponse> answer = Get("/");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body.size(), 1'000'000u);
  EXPECT_EQ(answer->body[999'999], static_cast<char>('a' + 99 % 26));
}

TEST_F(HttpTest, AnAnswerThatIsBrokenOffIsNotTakenForAWholeOne) {
  Serve([](const HttpRequest&, HttpResponseWriter& out) {
    ASSERT_TRUE(out.Start(200, "text/plain").ok());
    ASSERT_TRUE(out.Write(std::string(100'000, 'a')).ok());
    out.BreakOff();
  });
  EXPECT_FALSE(Get("/").ok());
}

TEST_F(HttpTest, RefusesBodiesOverTheLimit) {
  HttpServerOptions options;
  options.max_body_bytes = 100;
  Serve([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "ok"); }, options);
  HttpClientRequest request;
  request.method = "POST";
  request.url = Url("/");
  request.body = std::string(101, 'x');
  absl::StatusOr<HttpClientResponse> answer = client_.Fetch(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 413);
}

TEST_F(HttpTest, MergesFormAndUrlParameters) {
  Serve([](const HttpRequest& request, HttpResponseWriter& out) {
    std::string text;
    for (const auto& [name, value] : request.Params()) StrAppend(&text, name, "=", value, ";");
    out.Send(200, "text/plain", text);
  });
  HttpClientRequest request;
  request.method = "POST";
  request.url = Url("/?step=1%205");
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = "query=a%2Bb&x=";
  absl::StatusOr<HttpClientResponse> answer = client_.Fetch(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "query=a+b;x=;step=1 5;");
}

TEST_F(HttpTest, TellsTheHandlerThatTheClientWentAway) {
  Notification cancelled, started;
  Serve([&](const HttpRequest& request, HttpResponseWriter& out) {
    started.Notify();
    while (!request.cancelled->load()) std::this_thread::yield();
    cancelled.Notify();
  });
  {
    HttpClient impatient;
    HttpClientRequest request;
    request.url = Url("/");
    impatient.Start(request, [](absl::StatusOr<HttpClientResponse>) {});
    started.WaitForNotification();
  }
  EXPECT_TRUE(cancelled.WaitForNotificationWithTimeout(absl::Seconds(30)));
}

// Opens a connection and sends `text`; the socket.
int RawConnection(int port, std::string_view text) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return fd;
}

TEST_F(HttpTest, SlowClientsCannotHoldAllPlaces) {
  HttpServerOptions options;
  options.max_connections = 3;
  Serve([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "ok"); }, options);
  std::vector<int> slow;
  for (int i = 0; i < 8; ++i)
    slow.push_back(RawConnection(server_->ports()[0], i % 2 ? "" : "GET / HTTP/1.1\r\nX: "));
  absl::StatusOr<HttpClientResponse> answer = Get("/");
  EXPECT_TRUE(answer.ok()) << answer.status();
  for (int fd : slow) close(fd);
}

TEST_F(HttpTest, HeadersThatDoNotEndAreGivenUp) {
  HttpServerOptions options;
  options.header_timeout_ms = 50;
  Serve([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "ok"); }, options);
  int fd = RawConnection(server_->ports()[0], "GET / HTTP/1.1\r\nX: ");
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 0) << "the server closes";
  close(fd);
}

TEST_F(HttpTest, LongHandlersDoNotStopOthers) {
  Notification release;
  Serve([&](const HttpRequest& request, HttpResponseWriter& out) {
    if (request.path == "/long") release.WaitForNotification();
    out.Send(200, "text/plain", "ok");
  });
  std::vector<int> waiting;
  for (int i = 0; i < 20; ++i)
    waiting.push_back(RawConnection(server_->ports()[0], "GET /long HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(Get("/short").ok());
  release.Notify();
  for (int fd : waiting) {
    char byte;
    EXPECT_EQ(read(fd, &byte, 1), 1);
    close(fd);
  }
}

// All that comes until the server closes, or `enough` bytes.
std::string ReadRaw(int fd, size_t enough) {
  std::string out;
  char bytes[4096];
  for (ssize_t n = 1; n > 0 && out.size() < enough;) {
    n = read(fd, bytes, sizeof bytes);
    if (n > 0) out.append(bytes, static_cast<size_t>(n));
  }
  return out;
}

class LightHttpTest : public HttpTest {
 protected:
  void ServeLight(HttpHandler handler) {
    HttpServerOptions options;
    options.is_light = [](const HttpRequest& request) { return request.path.starts_with("/light"); };
    Serve(std::move(handler), options);
  }
};

TEST_F(LightHttpTest, LightRequestsAreAnsweredByTheThreadThatReadThem) {
  std::vector<std::thread::id> light, other;
  ServeLight([&](const HttpRequest& request, HttpResponseWriter& out) {
    (request.path == "/light" ? light : other).push_back(std::this_thread::get_id());
    out.Send(200, "text/plain", "ok");
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Get("/light").ok());
    EXPECT_TRUE(Get("/other").ok());
  }
  ASSERT_EQ(light.size(), 3u);
  EXPECT_EQ(light[1], light[0]);
  EXPECT_EQ(light[2], light[0]);
  for (std::thread::id thread : other) EXPECT_NE(thread, light[0]);
}

TEST_F(LightHttpTest, ALightHandlerThatTurnsLongStopsNobody) {
  Notification release;
  std::atomic<int> waiting = 0;
  ServeLight([&](const HttpRequest& request, HttpResponseWriter& out) {
    if (request.path == "/light/long") {
      out.ExpectLong();
      out.ExpectLong();
      ++waiting;
      release.WaitForNotification();
    }
    out.Send(200, "text/plain", request.path);
  });
  std::vector<int> long_ones;
  for (int i = 0; i < 20; ++i)
    long_ones.push_back(RawConnection(server_->ports()[0], "GET /light/long HTTP/1.0\r\n\r\n"));
  while (waiting < 20) std::this_thread::yield();  // none waits for another one
  EXPECT_TRUE(Get("/light").ok());
  EXPECT_TRUE(Get("/other").ok());
  release.Notify();
  for (int fd : long_ones) {
    EXPECT_TRUE(ReadRaw(fd, 1 << 20).ends_with("\r\n\r\n/light/long"));
    close(fd);
  }
  EXPECT_TRUE(Get("/light").ok());
}

TEST_F(LightHttpTest, NoMoreLongHandlersRunThanThereMayBe) {
  Notification release;
  std::atomic<int> running = 0, most = 0;
  std::atomic<bool> full = false;
  HttpServerOptions options;
  options.workers = 3;
  options.is_light = [](const HttpRequest&) { return true; };
  Serve(
      [&](const HttpRequest& request, HttpResponseWriter& out) {
        out.ExpectLong();
        int now = ++running;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        if (now == 3 && !full.exchange(true)) release.Notify();
        release.WaitForNotification();
        --running;
        out.Send(200, "text/plain", "ok");
      },
      options);
  std::vector<int> clients;
  for (int i = 0; i < 10; ++i)
    clients.push_back(RawConnection(server_->ports()[0], "GET / HTTP/1.0\r\n\r\n"));
  for (int fd : clients) {
    EXPECT_TRUE(ReadRaw(fd, 1 << 20).ends_with("ok"));
    close(fd);
  }
  EXPECT_EQ(most, 3);
}

TEST_F(LightHttpTest, ALightHandlerThatTurnsLongLearnsThatItsClientWentAway) {
  Notification started, cancelled;
  ServeLight([&](const HttpRequest& request, HttpResponseWriter& out) {
    out.ExpectLong();
    started.Notify();
    while (!request.cancelled->load()) std::this_thread::yield();
    cancelled.Notify();
  });
  int fd = RawConnection(server_->ports()[0], "GET /light HTTP/1.1\r\n\r\n");
  started.WaitForNotification();
  close(fd);
  EXPECT_TRUE(cancelled.WaitForNotificationWithTimeout(absl::Seconds(30)));
}

TEST_F(LightHttpTest, LightHandlersMayGiveLongAnswers) {
  std::string long_text(20'000'000, ' ');  // no two parts of it are alike
  for (size_t i = 0; i < long_text.size(); ++i)
    long_text[i] = static_cast<char>('!' + (i ^ i >> 7 ^ i >> 14) % 90);
  ServeLight([&](const HttpRequest& request, HttpResponseWriter& out) {
    if (request.path == "/light/whole") return out.Send(200, "text/plain", long_text);
    ASSERT_TRUE(out.Start(200, "text/plain").ok());
    for (int i = 0; i < 2000; ++i)
      ASSERT_TRUE(
          out.Write(std::string_view(long_text).substr(static_cast<size_t>(i) * 10'000, 10'000)).ok());
  });
  for (std::string_view path : {"/light/whole", "/light/pieces"}) {
    int fd = RawConnection(server_->ports()[0], StrCat("GET ", path, " HTTP/1.0\r\n\r\n"));
    std::string answer = ReadRaw(fd, 30'000'000);
    EXPECT_TRUE(answer.substr(answer.find("\r\n\r\n") + 4) == long_text) << path;
    close(fd);
  }
}

TEST_F(LightHttpTest, ManyRequestsAtOnceAreAnsweredInOrder) {
  ServeLight([](const HttpRequest& request, HttpResponseWriter& out) {
    if (request.query == "17") out.ExpectLong();
    out.Send(200, "text/plain", StrCat("<", request.query, ">"));
  });
  std::string requests, expected;
  for (int i = 0; i < 500; ++i) {
    StrAppend(&requests, "GET ", i % 3 == 0 ? "/other" : "/light", "?", i, " HTTP/1.1\r\n",
              i == 499 ? "Connection: close\r\n" : "", "\r\n");
    StrAppend(&expected, "<", i, ">");
  }
  int fd = RawConnection(server_->ports()[0], requests);
  std::string answers = ReadRaw(fd, 1 << 20), bodies;
  for (size_t at = answers.find('<'); at != answers.npos; at = answers.find('<', at + 1))
    bodies += answers.substr(at, answers.find('>', at) + 1 - at);
  EXPECT_EQ(bodies, expected);
  close(fd);
}

TEST_F(LightHttpTest, ABodyMayComeLateAndInPieces) {
  ServeLight(
      [](const HttpRequest& request, HttpResponseWriter& out) { out.Send(200, "text/plain", request.body); });
  const std::string body(100'000, 'b');
  int fd = RawConnection(server_->ports()[0], StrCat("POST /light HTTP/1.1\r\nExpect: 100-continue\r\n"
                                                     "Connection: close\r\nContent-Length: ",
                                                     body.size(), "\r\n\r\n"));
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(ReadRaw(fd, kContinue.size()), kContinue);
  for (size_t at = 0; at < body.size(); at += 1000) {
    EXPECT_EQ(write(fd, body.data() + at, 1000), 1000);
  }
  std::string answer = ReadRaw(fd, 1 << 20);
  EXPECT_TRUE(answer.ends_with(body)) << answer.substr(0, 200);
  close(fd);
}

TEST_F(LightHttpTest, MalformedAndTooLargeRequestsAreRefused) {
  HttpServerOptions options;
  options.max_header_bytes = 1000;
  Serve([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "ok"); }, options);
  const std::pair<std::string, std::string> cases[] = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
      {StrCat("GET / HTTP/1.1\r\nX: ", std::string(2000, 'x'), "\r\n\r\n"), "HTTP/1.1 431 "}};
  for (const auto& [request, answer] : cases) {
    int fd = RawConnection(server_->ports()[0], request);
    EXPECT_EQ(ReadRaw(fd, answer.size()).substr(0, answer.size()), answer);
    close(fd);
  }
}

TEST(HttpClientTest, ConnectionRefusedReadsAsGoSaysIt) {
  HttpClient client;
  HttpClientRequest request;
  request.url = "http://127.0.0.1:1/metrics";
  absl::Status status = client.Fetch(request).status();
  EXPECT_EQ(status.message(),
            "Get \"http://127.0.0.1:1/metrics\": dial tcp 127.0.0.1:1: connect: connection refused");
}

TEST(HttpDateTest, IsWhatTheStandardSays) {
  EXPECT_EQ(HttpDate(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(HttpDate(784'111'777'999), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(HttpDate(1'709'164'800'000), "Thu, 29 Feb 2024 00:00:00 GMT");
  EXPECT_EQ(HttpDate(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(HttpDate(INT64_MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST(UrlTest, EscapesAndUnescapes) {
  EXPECT_EQ(UrlEscape("a b+c/ü"), "a+b%2Bc%2F%C3%BC");
  EXPECT_EQ(UrlUnescape("a+b%2Bc%2f").value(), "a b+c/");
  EXPECT_FALSE(UrlUnescape("%zz").ok());
}

}  // namespace
}  // namespace narthex
