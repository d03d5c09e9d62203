// Requests that come again and again leave libcurl's way after the first, and nobody can tell but by the
// connections.
#include "base/direct_http.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/http1_answer.h"
#include "base/mutex.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raw_server.h"

namespace narthex {
namespace {

using ::testing::HasSubstr;
using testing::RawServer;
using ::testing::StartsWith;

constexpr std::string_view kGood = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";

HttpClientRequest Request(const std::string& url, bool repeated = true) {
  HttpClientRequest request;
  request.url = url;
  request.repeated = repeated;
  request.timeout_ms = 20'000;
  return request;
}

std::string Text(const absl::StatusOr<HttpClientResponse>& answer) {
  return answer.ok() ? StrCat(answer->StatusLine(), "|", answer->content_type, "|", answer->body)
                     : std::string(answer.status().message());
}

// `text` without its ports, which differ from server to server.
std::string WithoutPorts(std::string text) {
  for (size_t at = text.find("127.0.0.1:"); at != text.npos; at = text.find("127.0.0.1:", at + 1)) {
    const size_t digits = at + 10;
    size_t end = digits;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
    text.erase(digits, end - digits);
  }
  return text;
}

TEST(DirectHttpTest, OneConnectionAfterTheFirstRequest) {
  RawServer server([](RawServer::Connection& c) { c.Answer(200, "text/x", c.head()); });
  HttpClient client;
  HttpClientRequest request = Request(StrCat("http://", server.address(), "/a?b=c"));
  request.headers = {{"Accept", "text/x"}, {"X-Mine", "1"}};
  std::string first = Text(client.Fetch(request));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Text(client.Fetch(request)), first) << "the request is another one";
  EXPECT_THAT(first, HasSubstr("GET /a?b=c HTTP/1.1\r\nHost: " + server.address() + "\r\n"));
  EXPECT_EQ(server.requests(), 5);
  EXPECT_EQ(server.connections(), 2);
}

TEST(DirectHttpTest, WhatIsNotPlainStaysWithLibcurl) {
  RawServer server([](RawServer::Connection& c) { c.Answer(200, "", c.header("authorization")); });
  HttpClient client;
  auto config = std::make_shared<HttpClientConfig>();
  config->has_basic_auth = true;
  config->basic_user = "u";
  HttpClientRequest request = Request(StrCat("http://", server.address()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Fetch(request)->body, "");
  request.config = config;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Fetch(request)->body, "Basic dTo=");
}

// What each server does with the second request, and after it all is well again.
struct Answer {
  const char* name;
  RawServer::Handler handler;
};
std::vector<Answer> Answers() {
  auto send = [](std::string bytes) { return [bytes](RawServer::Connection& c) { c.Send(bytes); }; };
  auto then_reset = [](std::string bytes) {
    return [bytes](RawServer::Connection& c) {
      c.Send(bytes);
      c.ResetOnClose();
    };
  };
  return {
      {"no words", send("HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n")},
      {"other words", send("HTTP/1.1 503 Too Hot\r\nContent-Length: 2\r\n\r\nab")},
      {"no body", send("HTTP/1.1 204 No Content\r\n\r\n")},
      {"lines end in LF", send("HTTP/1.1 200 OK\nContent-Type: text/y\nContent-Length: 3\n\nabc")},
      {"chunks",
       send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")},
      {"until it closes", send("HTTP/1.0 200 OK\r\nContent-Type: text/y\r\n\r\nabc")},
      {"another answer before", send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + std::string(kGood))},
      {"too much", send(std::string(kGood) + "more")},
      {"two lengths", send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 3\r\n\r\ngood")},
      {"the same length twice",
       send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\ngood")},
      {"not HTTP", send("SSH-2.0-OpenSSH_9.2\r\n")},
      {"cut", send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")},
      {"cut chunks", send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")},
      {"broken chunks", send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")},
      {"reset in the body", then_reset("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")},
      {"reset in the head", then_reset("HTTP/1.1 200 OK\r\nContent-Le")},
      {"no gzip", send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")},
      {"cut gzip",
       send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08")},
      {"over the limit", send("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n" + std::string(60, 'x'))},
      {"nowhere", send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n")},
      {"no location", send("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")},
      {"in a circle", [](RawServer::Connection& c) { c.Answer(301, "", "", "Location: /metrics\r\n"); }},
  };
}

TEST(DirectHttpTest, SaysWhatLibcurlSays) {
  for (const Answer& answer : Answers()) {
    std::string texts[2];
    int requests[2] = {};
    for (bool repeated : {false, true}) {
      std::atomic<bool> bad = false;
      RawServer server(
          [&](RawServer::Connection& c) { bad ? answer.handler(c) : c.Answer(200, "", "good"); });
      HttpClient client;
      HttpClientRequest request = Request(StrCat("http://", server.address(), "/metrics"), repeated);
      request.max_body_bytes = 50;
      EXPECT_EQ(Text(client.Fetch(request)), "200 OK||good");
      EXPECT_EQ(Text(client.Fetch(request)), "200 OK||good");
      bad = true;
      texts[repeated] = WithoutPorts(Text(client.Fetch(request)));
      bad = false;
      EXPECT_EQ(Text(client.Fetch(request)), "200 OK||good") << answer.name;
      requests[repeated] = server.requests();
    }
    EXPECT_EQ(texts[1], texts[0]) << answer.name;
    EXPECT_EQ(requests[1], requests[0]) << answer.name;
  }
}

TEST(DirectHttpTest, AConnectionThatEndedIsReplaced) {
  std::atomic<bool> end = false;
  RawServer server([&](RawServer::Connection& c) {
    if (!end) c.Answer(200, "", "good");
    end = false;
  });
  HttpClient client;
  const HttpClientRequest request = Request(StrCat("http://", server.address()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Text(client.Fetch(request)), "200 OK||good");
  end = true;  // without an answer: the request is sent again
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Text(client.Fetch(request)), "200 OK||good");
}

TEST(DirectHttpTest, AServerThatIsGone) {
  auto server = std::make_unique<RawServer>([](RawServer::Connection& c) { c.Send(kGood); });
  const std::string url = StrCat("http://", server->address(), "/");
  HttpClient client;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Text(client.Fetch(Request(url))), "200 OK||good");
  const std::string address = server->address();
  server.reset();
  EXPECT_EQ(Text(client.Fetch(Request(url))),
            StrCat("Get \"", url, "\": dial tcp ", address, ": connect: connection refused"));
}

TEST(DirectHttpTest, TimeRunsOut) {
  std::atomic<int> silent = 0;
  RawServer server([&](RawServer::Connection& c) {
    if (silent == 0) return c.Answer(200, "", "good");
    if (silent == 2) c.Send(kGood.substr(0, kGood.size() - 1));
    c.WaitForClient();
  });
  HttpClient client;
  HttpClientRequest request = Request(StrCat("http://", server.address(), "/"));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Text(client.Fetch(request)), "200 OK||good");
  request.timeout_ms = 50;
  silent = 1;
  EXPECT_EQ(Text(client.Fetch(request)), StrCat("Get \"", request.url, "\": context deadline exceeded"));
  silent = 2;
  EXPECT_EQ(Text(client.Fetch(request)), "context deadline exceeded");
  EXPECT_EQ(server.connections(), 3);
}

TEST(DirectHttpTest, LongBodiesComeInPieces) {
  const std::string body = std::string(5'000'000, '0') + "end";
  RawServer server([&](RawServer::Connection& c) { c.Answer(200, "text/x", body); });
  HttpClient client;
  HttpClientRequest request = Request(StrCat("http://", server.address()));
  for (bool at_once : {true, false}) {
    size_t total = 0;
    std::vector<std::thread> workers;
    request.piece_bytes = 1 << 20;
    request.on_piece = [&](HttpClientResponse piece, std::function<void()> resume) {
      EXPECT_EQ(piece.status, 200);
      EXPECT_EQ(piece.content_type, "text/x");
      EXPECT_LE(piece.body.size(), (1u << 20) + (128u << 10));
      total += piece.body.size();
      if (at_once) return resume();
      workers.emplace_back(resume);
    };
    for (int i = 0; i < 2; ++i) {
      total = 0;
      auto answer = client.Fetch(request);
      ASSERT_TRUE(answer.ok()) << answer.status();
      EXPECT_TRUE(answer->body.ends_with("end"));
      EXPECT_EQ(total + answer->body.size(), body.size());
    }
    for (std::thread& worker : workers) worker.join();
  }
}

TEST(HttpClientTickerTest, TicksWhenItIsTimeAndWhenWoken) {
  HttpClient client;
  std::atomic<int> ticks = 0;
  Notification thrice, woken;
  const int id = client.AddTicker([&]() -> int64_t {
    const int n = ++ticks;
    if (n == 3) thrice.Notify();
    if (n == 4) woken.Notify();
    return n < 3 ? 1'000'000 : INT64_MAX;
  });
  thrice.WaitForNotification();
  client.Wake();
  woken.WaitForNotification();
  client.RemoveTicker(id);
  const int before = ticks;
  client.Wake();
  RawServer server([](RawServer::Connection& c) { c.Send(kGood); });
  EXPECT_EQ(Text(client.Fetch(Request(StrCat("http://", server.address())))), "200 OK||good");
  EXPECT_EQ(ticks, before);
}

// However the bytes are cut, the answer is the same.
TEST(Http1AnswerTest, AnyCut) {
  struct Sink final : Http1Events {
    void OnHead(const Head& head) override {
      StrAppend(&text, head.status, " ", head.reason, " ", head.location);
    }
    void OnBody(std::string_view bytes) override { body += bytes; }
    std::string text, body;
  };
  const std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\nLocation: /x\nTransfer-Encoding: chunked\n\n"
      "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    for (size_t step : {size_t{1}, size_t{5}, bytes.size()}) {
      Sink sink;
      Http1Answer answer(&sink);
      answer.Begin();
      Http1Answer::State state = answer.Add(std::string_view(bytes).substr(0, cut));
      for (size_t at = cut; at < bytes.size(); at += step) {
        ASSERT_EQ(state, Http1Answer::State::kMore) << cut << " " << answer.error();
        state = answer.Add(std::string_view(bytes).substr(at, step));
      }
      EXPECT_EQ(state, Http1Answer::State::kDone) << cut;
      EXPECT_TRUE(answer.keep_alive());
      EXPECT_EQ(sink.text, "302 Found /x");
      EXPECT_EQ(sink.body, "abcdefg");
    }
  }
}

}  // namespace
}  // namespace narthex
