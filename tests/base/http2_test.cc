// HTTP/2: the session against nghttp2's client, the server against libcurl.
#include <curl/curl.h>
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "base/http2_session.h"
#include "base/strings.h"
#include "base/web_config.h"
#include "tests/support/raw_server.h"

namespace narthex {
namespace {

// Runs jobs on threads of their own, as the server's workers do.
class ThreadHost : public Http2Session::Host {
 public:
  ~ThreadHost() override { Join(); }
  bool RunJob(std::function<void()> job) override {
    if (refuse) return false;
    threads_.emplace_back(std::move(job));
    return true;
  }
  void WakeUp() override {
    MutexLock lock(&mutex_);
    woken_ = true;
  }
  void AwaitWakeUp() {
    MutexLock lock(&mutex_);
    mutex_.Await(Condition(&woken_));
    woken_ = false;
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  bool refuse = false;

 private:
  std::vector<std::thread> threads_;
  Mutex mutex_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

struct Answer {
  std::map<std::string, std::string> headers;
  std::string body;
  bool closed = false;
  uint32_t reset_code = 0;
};

struct Body {
  std::string rest;
  bool goes_on = false;  // more will come, but never does
};

// The client's side; what it sends is kept until taken.
class Client {
 public:
  explicit Client(bool takes_by_itself = true) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t n,
                      const uint8_t* value, size_t v, uint8_t, void* self) {
          auto text = [](const uint8_t* data, size_t size) {
            return std::string(reinterpret_cast<const char*>(data), size);
          };
          static_cast<Client*>(self)->answers[frame->hd.stream_id].headers[text(name, n)] = text(value, v);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
          static_cast<Client*>(self)->answers[id].body.append(reinterpret_cast<const char*>(data), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t code, void* self) {
          static_cast<Client*>(self)->answers[id].closed = true;
          static_cast<Client*>(self)->answers[id].reset_code = code;
          return 0;
        });
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, takes_by_itself ? 0 : 1);
    nghttp2_session_client_new2(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Client() { nghttp2_session_del(session_); }

  int32_t Request(const std::string& method, const std::string& path,
                  std::vector<std::pair<std::string, std::string>> headers = {}, std::string body = "",
                  bool goes_on = false) {
    headers.insert(headers.begin(),
                   {{":method", method}, {":scheme", "https"}, {":authority", "box"}, {":path", path}});
    std::vector<nghttp2_nv> pairs;
    for (auto& [name, value] : headers) {
      pairs.push_back({reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()),
                       name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    if (body.empty())
      return nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(), nullptr, nullptr);
    bodies_.push_back(std::make_unique<Body>(Body{std::move(body), goes_on}));
    nghttp2_data_provider provider{};
    provider.source.ptr = bodies_.back().get();
    provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t length, uint32_t* flags,
                                nghttp2_data_source* source, void*) {
      auto* body = static_cast<Body*>(source->ptr);
      size_t n = std::min(length, body->rest.size());
      if (n == 0 && body->goes_on) return ssize_t{NGHTTP2_ERR_DEFERRED};
      std::copy_n(body->rest.begin(), n, to);
      body->rest.erase(0, n);
      if (body->rest.empty() && !body->goes_on) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(n);
    };
    return nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(), &provider, nullptr);
  }
  void Reset(int32_t id) { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL); }
  // Makes room for what arrived, with takes_by_itself = false.
  void Consume(int32_t id, size_t bytes) { nghttp2_session_consume(session_, id, bytes); }
  std::string Output() {
    std::string out;
    const uint8_t* data = nullptr;
    for (ssize_t n; (n = nghttp2_session_mem_send(session_, &data)) > 0;)
      out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
    return out;
  }
  void Receive(std::string_view bytes) {
    nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }

  std::map<int32_t, Answer> answers;

 private:
  nghttp2_session* session_ = nullptr;
  std::vector<std::unique_ptr<Body>> bodies_;
};

class Http2SessionTest : public ::testing::Test {
 protected:
  void Open(HttpHandler handler) {
    handler_ = std::move(handler);
    session_ = std::make_unique<Http2Session>(&host_, &options_, &handler_, &clock_, "1.2.3.4:5");
  }
  ~Http2SessionTest() override {
    if (session_) session_->Abort();
    host_.Join();
  }
  // Carries bytes both ways until neither side has any.
  void Exchange(Client* client) {
    for (bool moved = true; moved;) {
      std::string up = client->Output();
      if (!up.empty()) alive_ = session_->Receive(up);
      std::string down = session_->Output(1 << 16);
      if (!down.empty()) client->Receive(down);
      moved = !up.empty() || !down.empty();
    }
  }
  void ExchangeUntil(Client* client, const std::function<bool()>& done) {
    for (Exchange(client); !done(); Exchange(client)) host_.AwaitWakeUp();
  }

  HttpServerOptions options_;
  HttpHandler handler_;
  FakeClock clock_{1'700'000'000'000};
  ThreadHost host_;
  std::unique_ptr<Http2Session> session_;
  bool alive_ = true;
};

TEST_F(Http2SessionTest, HandsOverTheRequestAndCarriesTheAnswer) {
  Open([](const HttpRequest& request, HttpResponseWriter& out) {
    out.SetHeader("X-Mode", "on");
    out.Send(201, "text/plain",
             StrCat(request.method, " ", request.path, " ", request.query, " ", request.Header("host"), " ",
                    request.Header("x-a"), " ", request.body, " ", request.remote_address));
  });
  Client client;
  int32_t id = client.Request("POST", "/a/b?c=d", {{"x-a", "1"}}, "hello");
  ExchangeUntil(&client, [&] { return client.answers[id].closed; });
  Answer& answer = client.answers[id];
  EXPECT_EQ(answer.headers[":status"], "201");
  EXPECT_EQ(answer.headers["content-type"], "text/plain");
  EXPECT_EQ(answer.headers["x-mode"], "on");
  EXPECT_EQ(answer.headers["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
  EXPECT_EQ(answer.headers["content-length"], StrCat(answer.body.size()));
  EXPECT_EQ(answer.body, "POST /a/b c=d box 1 hello 1.2.3.4:5");
}

TEST_F(Http2SessionTest, HeadHasTheLengthAndNoBody) {
  Open([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "12345"); });
  Client client;
  int32_t id = client.Request("HEAD", "/");
  ExchangeUntil(&client, [&] { return client.answers[id].closed; });
  EXPECT_EQ(client.answers[id].headers["content-length"], "5");
  EXPECT_EQ(client.answers[id].body, "");
}

TEST_F(Http2SessionTest, LongAnswersAreCompressedForThoseWhoAsk) {
  Open([](const HttpRequest&, HttpResponseWriter& out) {
    (void)out.Start(200, "text/plain");
    for (int i = 0; i < 1000; ++i) (void)out.Write("the same again and again");
  });
  Client client;
  int32_t id = client.Request("GET", "/", {{"accept-encoding", "gzip"}});
  ExchangeUntil(&client, [&] { return client.answers[id].closed; });
  EXPECT_EQ(client.answers[id].headers["content-encoding"], "gzip");
  EXPECT_LT(client.answers[id].body.size(), 2000u);
  EXPECT_EQ(client.answers[id].body.substr(0, 2), "\x1f\x8b");
}

TEST_F(Http2SessionTest, ManyStreamsAtOnceEachGetTheirOwnAnswer) {
  Open([](const HttpRequest& request, HttpResponseWriter& out) {
    (void)out.Start(200, "text/plain");
    for (int i = 0; i < 500; ++i) (void)out.Write(request.path);
  });
  Client client;
  std::map<int32_t, std::string> asked;
  for (int i = 0; i < 120; ++i) {
    std::string path = StrCat("/", i, "-", std::string(static_cast<size_t>(i), 'x'));
    asked[client.Request("GET", path)] = path;
  }
  ExchangeUntil(&client, [&] {
    return std::all_of(asked.begin(), asked.end(),
                       [&](auto& one) { return client.answers[one.first].closed; });
  });
  for (auto& [id, path] : asked) {
    std::string expected;
    for (int i = 0; i < 500; ++i) expected += path;
    EXPECT_EQ(client.answers[id].body, expected) << path;
  }
  EXPECT_TRUE(session_->idle());
}

TEST_F(Http2SessionTest, AStreamedAnswerWaitsForItsReader) {
  std::atomic<size_t> written{0};
  Open([&](const HttpRequest&, HttpResponseWriter& out) {
    (void)out.Start(200, "text/plain");
    for (int i = 0; i < 640 && out.Write(std::string(16 << 10, 'y')).ok(); ++i) written += 16 << 10;
  });
  Client client(false);
  int32_t id = client.Request("GET", "/");
  ExchangeUntil(&client, [&] { return client.answers[id].body.size() == 65535; });  // its window
  // The window, what is queued, and one piece more.
  EXPECT_LE(written, 65535u + (64u << 10) + (16u << 10));
  size_t consumed = 0;
  ExchangeUntil(&client, [&] {
    size_t have = client.answers[id].body.size();
    if (have > consumed) {
      client.Consume(id, have - consumed);
      consumed = have;
      host_.WakeUp();
    }
    return client.answers[id].closed;
  });
  EXPECT_EQ(client.answers[id].body.size(), 640u * (16 << 10));
}

TEST_F(Http2SessionTest, AnAnswerThatIsBrokenOffIsResetAndTheConnectionLives) {
  Open([](const HttpRequest& request, HttpResponseWriter& out) {
    if (request.path == "/whole") return out.Send(200, "text/plain", "x");
    (void)out.Start(200, "text/plain");
    (void)out.Write("the first part");
    out.BreakOff();
  });
  Client client;
  int32_t broken = client.Request("GET", "/broken");
  ExchangeUntil(&client, [&] { return client.answers[broken].closed; });
  EXPECT_NE(client.answers[broken].reset_code, 0u);
  int32_t whole = client.Request("GET", "/whole");
  ExchangeUntil(&client, [&] { return client.answers[whole].closed; });
  EXPECT_EQ(client.answers[whole].reset_code, 0u);
  EXPECT_EQ(client.answers[whole].body, "x");
}

TEST_F(Http2SessionTest, AResetStreamCancelsItsHandler) {
  std::atomic<bool> seen{false}, failed{false};
  Open([&](const HttpRequest& request, HttpResponseWriter& out) {
    (void)out.Start(200, "text/plain");
    while (out.Write(std::string(16 << 10, 'y')).ok()) continue;
    failed = true;
    seen = request.cancelled->load();
  });
  Client client(false);
  int32_t id = client.Request("GET", "/");
  ExchangeUntil(&client, [&] { return client.answers[id].body.size() == 65535; });
  client.Reset(id);
  ExchangeUntil(&client, [&] { return failed.load(); });
  host_.Join();
  EXPECT_TRUE(seen);
  EXPECT_TRUE(session_->idle());
  EXPECT_TRUE(alive_);
}

TEST_F(Http2SessionTest, OneConnectionGetsHalfOfTheWorkers) {
  options_.workers = 4;
  std::atomic<int> running{0}, most{0};
  std::atomic<bool> go{false};
  Mutex mutex;
  Open([&](const HttpRequest&, HttpResponseWriter& out) {
    most = std::max(most.load(), ++running);
    while (!go) std::this_thread::yield();
    --running;
    out.Send(200, "text/plain", "x");
  });
  Client client;
  std::vector<int32_t> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(client.Request("GET", "/"));
  Exchange(&client);
  go = true;
  ExchangeUntil(&client, [&] {
    return std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return client.answers[id].closed; });
  });
  EXPECT_LE(most, 2);
}

TEST_F(Http2SessionTest, TooLongHeadersAndBodiesAreRefusedAndTheConnectionLives) {
  options_.max_header_bytes = 2000;
  options_.max_body_bytes = 100'000;
  Open([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "taken"); });
  Client client;
  int32_t header = client.Request("GET", "/", {{"x-long", std::string(3000, 'a')}});
  ExchangeUntil(&client, [&] { return client.answers[header].closed; });
  EXPECT_EQ(client.answers[header].headers[":status"], "431");
  int32_t body = client.Request("POST", "/", {}, std::string(3'000'000, 'b'));
  ExchangeUntil(&client, [&] { return client.answers[body].closed; });
  EXPECT_EQ(client.answers[body].headers[":status"], "413");
  int32_t fine = client.Request("POST", "/", {}, std::string(90'000, 'b'));
  ExchangeUntil(&client, [&] { return client.answers[fine].closed; });
  EXPECT_EQ(client.answers[fine].body, "taken");
}

TEST_F(Http2SessionTest, ManyBodiesTogetherAreLimitedToo) {
  options_.max_body_bytes = 100'000;
  Open([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "taken"); });
  Client client;
  std::vector<int32_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(client.Request("POST", "/", {}, std::string(90'000, 'b'), true));
  Exchange(&client);
  int refused = 0;
  for (int32_t id : ids) refused += client.answers[id].reset_code == NGHTTP2_ENHANCE_YOUR_CALM;
  EXPECT_EQ(refused, 3) << "two of them fit";
}

TEST_F(Http2SessionTest, AStoppingServerSaysSo) {
  host_.refuse = true;
  Open([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "x"); });
  Client client;
  int32_t id = client.Request("GET", "/");
  ExchangeUntil(&client, [&] { return client.answers[id].closed; });
  EXPECT_EQ(client.answers[id].headers[":status"], "503");
}

TEST_F(Http2SessionTest, AnIdleConnectionEndsAfterTheReadTimeout) {
  Open([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "x"); });
  Client client;
  Exchange(&client);
  clock_.AdvanceMs(options_.read_timeout_ms - 1000);
  session_->Tick();
  Exchange(&client);
  EXPECT_FALSE(session_->over());
  clock_.AdvanceMs(2000);
  session_->Tick();
  Exchange(&client);
  EXPECT_TRUE(session_->over());
}

TEST_F(Http2SessionTest, AHeaderThatDoesNotEndEndsTheConnection) {
  Open([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "x"); });
  Client client;
  Exchange(&client);
  client.Request("GET", "/", {{"x-a", std::string(200, 'a')}});
  std::string frames = client.Output();
  ASSERT_TRUE(session_->Receive(frames.substr(0, frames.size() - 5)));
  clock_.AdvanceMs(options_.header_timeout_ms + 1000);
  session_->Tick();
  Exchange(&client);
  EXPECT_TRUE(session_->over());
}

TEST_F(Http2SessionTest, ABodyThatDoesNotEndAndAReaderThatStallsAreReset) {
  Open([](const HttpRequest&, HttpResponseWriter& out) {
    (void)out.Start(200, "text/plain");
    while (out.Write(std::string(16 << 10, 'y')).ok()) continue;
  });
  Client client(false);
  int32_t stalled = client.Request("GET", "/");
  ExchangeUntil(&client, [&] { return client.answers[stalled].body.size() == 65535; });
  int32_t endless = client.Request("POST", "/", {}, "only this", true);
  Exchange(&client);
  clock_.AdvanceMs(options_.read_timeout_ms + 1000);
  session_->Tick();
  ExchangeUntil(&client, [&] { return client.answers[stalled].closed; });
  EXPECT_EQ(client.answers[stalled].reset_code, uint32_t{NGHTTP2_CANCEL});
  EXPECT_EQ(client.answers[endless].reset_code, uint32_t{NGHTTP2_CANCEL});
}

TEST_F(Http2SessionTest, ARefusedRequestThatGoesOnIsStopped) {
  options_.max_body_bytes = 1000;
  Open([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "x"); });
  Client client;
  int32_t id = client.Request("POST", "/", {}, std::string(2000, 'b'), true);
  ExchangeUntil(&client, [&] { return client.answers[id].body == "http: request body too large\n"; });
  EXPECT_EQ(client.answers[id].headers[":status"], "413");
  clock_.AdvanceMs(options_.header_timeout_ms + 1000);
  session_->Tick();
  Exchange(&client);
  EXPECT_TRUE(client.answers[id].closed);
  EXPECT_EQ(client.answers[id].reset_code, uint32_t{NGHTTP2_NO_ERROR});
}

TEST_F(Http2SessionTest, OtherProtocolsAreRefused) {
  Open([](const HttpRequest&, HttpResponseWriter& out) { out.Send(200, "text/plain", "x"); });
  EXPECT_FALSE(session_->Receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

// The whole server, with TLS, against libcurl.
class Http2ServerTest : public ::testing::Test {
 protected:
  void Serve(const std::string& yaml) {
    dir_ = ::testing::TempDir() + "/narthex_http2_" +
           ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(dir_);
    testing::Certificate made = testing::MakeCertificate("DNS:localhost,IP:127.0.0.1");
    std::ofstream(dir_ + "/cert.pem") << made.cert;
    std::ofstream(dir_ + "/key.pem") << made.key;
    std::ofstream(dir_ + "/web.yml") << "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
                                     << yaml;
    gate_ = *WebGate::Open(dir_ + "/web.yml", &SystemClock(), &logger_);
    HttpServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    options.tls_context = [this] { return gate_->TlsContext(); };
    server_ =
        *HttpServer::Start(options, gate_->Guard([](const HttpRequest& request, HttpResponseWriter& out) {
          if (request.path != "/big") return out.Send(200, "text/plain", request.path);
          (void)out.Start(200, "text/plain");
          for (int i = 0; i < 2000; ++i)
            (void)out.Write(std::string(10'000, static_cast<char>('a' + i % 26)));
        }));
  }
  ~Http2ServerTest() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }

  struct Transfer {
    CURL* easy = nullptr;
    std::string body;
    long Version() const {
      long version = 0;
      curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
      return version;
    }
  };
  std::unique_ptr<Transfer> New(const std::string& path) {
    auto transfer = std::make_unique<Transfer>();
    CURL* easy = transfer->easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, StrCat("https://127.0.0.1:", server_->ports()[0], path).c_str());
    curl_easy_setopt(easy, CURLOPT_CAINFO, (dir_ + "/cert.pem").c_str());
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer->body);
    curl_easy_setopt(
        easy, CURLOPT_WRITEFUNCTION, +[](char* data, size_t, size_t size, void* to) -> size_t {
          static_cast<std::string*>(to)->append(data, size);
          return size;
        });
    return transfer;
  }

  std::string dir_;
  Logger logger_{LogLevel::kError, LogFormat::kLogfmt, &SystemClock(), [](std::string_view) {}};
  std::unique_ptr<WebGate> gate_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Http2ServerTest, IsAgreedOnByDefaultAndCarriesBigAnswers) {
  Serve("");
  auto transfer = New("/big");
  ASSERT_EQ(curl_easy_perform(transfer->easy), CURLE_OK);
  EXPECT_EQ(transfer->Version(), CURL_HTTP_VERSION_2_0);
  std::string expected;
  for (int i = 0; i < 2000; ++i) expected.append(10'000, static_cast<char>('a' + i % 26));
  EXPECT_TRUE(transfer->body == expected) << transfer->body.size();
  curl_easy_cleanup(transfer->easy);
}

TEST_F(Http2ServerTest, AnUploadThatIsTooLongGetsItsAnswer) {
  Serve("");
  auto transfer = New("/small");
  std::string body(40 << 20, 'b');
  curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, body.data());
  ASSERT_EQ(curl_easy_perform(transfer->easy), CURLE_OK);
  long status = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  EXPECT_EQ(status, 413);
  EXPECT_EQ(transfer->body, "http: request body too large\n");
  curl_easy_cleanup(transfer->easy);
}

TEST_F(Http2ServerTest, CanBeSwitchedOff) {
  Serve("http_server_config: {http2: false}\n");
  auto transfer = New("/small");
  ASSERT_EQ(curl_easy_perform(transfer->easy), CURLE_OK);
  EXPECT_EQ(transfer->Version(), CURL_HTTP_VERSION_1_1);
  EXPECT_EQ(transfer->body, "/small");
  curl_easy_cleanup(transfer->easy);
}

TEST_F(Http2ServerTest, OldCiphersGetHttp11) {
  Serve("");
  auto transfer = New("/small");
  curl_easy_setopt(transfer->easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_MAX_TLSv1_2});
  curl_easy_setopt(transfer->easy, CURLOPT_SSL_CIPHER_LIST, "ECDHE-ECDSA-AES128-SHA");
  ASSERT_EQ(curl_easy_perform(transfer->easy), CURLE_OK);
  EXPECT_EQ(transfer->Version(), CURL_HTTP_VERSION_1_1);
  curl_easy_cleanup(transfer->easy);
}

TEST_F(Http2ServerTest, ManyTransfersShareOneConnection) {
  Serve("");
  CURLM* multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, long{CURLPIPE_MULTIPLEX});
  std::vector<std::unique_ptr<Transfer>> transfers;
  for (int i = 0; i < 60; ++i) {
    transfers.push_back(New(i % 20 == 0 ? "/big" : StrCat("/", i)));
    curl_multi_add_handle(multi, transfers.back()->easy);
  }
  for (int running = 1; running > 0;) {
    ASSERT_EQ(curl_multi_perform(multi, &running), CURLM_OK);
    curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
  long connects = 0;
  for (size_t i = 0; i < transfers.size(); ++i) {
    if (i % 20 == 0) {
      EXPECT_EQ(transfers[i]->body.size(), 20'000'000u);
    } else {
      EXPECT_EQ(transfers[i]->body, StrCat("/", i));
    }
    long one = 0;
    curl_easy_getinfo(transfers[i]->easy, CURLINFO_NUM_CONNECTS, &one);
    connects += one;
    curl_multi_remove_handle(multi, transfers[i]->easy);
    curl_easy_cleanup(transfers[i]->easy);
  }
  EXPECT_EQ(connects, 1);
  curl_multi_cleanup(multi);
}

}  // namespace
}  // namespace narthex
