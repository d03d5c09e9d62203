// A client that goes away: its query stops before it reads anything more.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "base/mutex.h"
#include "tests/api/fixture.h"
#include "tests/support/stub_queryable.h"

namespace narthex::api {
namespace {

// So many series that the query is far from its end; `on_read` is called for every block.
class EndlessStore : public narthex::testing::StubQueryable {
 public:
  class Set : public tsdb::SeriesSet {
   public:
    explicit Set(const EndlessStore* store) : store_(store) {}
    size_t size() const override { return 100'000; }
    const Labels& labels(size_t) const override { return store_->labels; }
    absl::Status ReadBlock(size_t, size_t count, std::vector<tsdb::Row>* rows) override {
      store_->on_read();
      rows->assign(count, {});
      return absl::OkStatus();
    }

   private:
    const EndlessStore* const store_;
  };
  EndlessStore() : StubQueryable([this](const tsdb::SelectHints&) { return std::make_unique<Set>(this); }) {}

  const Labels labels{{"__name__", "m"}};
  std::function<void()> on_read;
};

class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void Send(std::string_view text) {
    EXPECT_EQ(::send(socket_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  void Leave() { ::close(socket_); }

 private:
  const int socket_;
};

class DisconnectTest : public ApiTest, public ::testing::WithParamInterface<bool> {};

TEST_P(DisconnectTest, AClientThatLeavesStopsItsQuery) {
  EndlessStore store;
  options.storage = &store;
  HttpHandler handle = NewHandler(options);
  narthex::Notification reading, over;
  std::shared_ptr<std::atomic<bool>> left;  // set before the first read
  std::atomic<int> reads = 0, reads_after = 0;
  store.on_read = [&] {
    if (*left) ++reads_after;
    if (++reads > 1) return;
    reading.Notify();
    // Goes on as soon as the server has noticed. Had it to finish the query for that, this would never end.
    while (!*left) std::this_thread::yield();
  };
  HttpServerOptions http;
  http.listen_addresses = {"127.0.0.1:0"};
  if (GetParam()) http.is_light = LightRequests("/");
  auto server = HttpServer::Start(http, [&](const HttpRequest& request, HttpResponseWriter& out) {
    left = request.cancelled;
    handle(request, out);
    over.Notify();
  });
  ASSERT_TRUE(server.ok()) << server.status();
  Client client((*server)->ports()[0]);
  client.Send("GET /api/v1/query?query=sum(m) HTTP/1.1\r\nHost: x\r\n\r\n");
  reading.WaitForNotification();
  client.Leave();
  over.WaitForNotification();
  EXPECT_EQ(reads, 1);
  EXPECT_EQ(reads_after, 0);
  EXPECT_EQ(engine->memory_used(), 0);
}

INSTANTIATE_TEST_SUITE_P(OnAWorkerAndWhereItWasRead, DisconnectTest, ::testing::Bool());

TEST_F(ApiTest, LightAreQueriesAndLookupsAndTheHealthChecks) {
  const std::function<bool(const HttpRequest&)> is_light = LightRequests("/prom");
  HttpRequest request;
  for (const char* path : {"/prom/api/v1/query", "/prom/api/v1/query_range", "/prom/api/v1/label/job/values",
                           "/prom/-/healthy"}) {
    request.path = path;
    EXPECT_TRUE(is_light(request)) << path;
  }
  for (const char* path : {"/prom/api/v1/series", "/prom/api/v1/write", "/prom/federate", "/prom/-/reload",
                           "/prom/metrics", "/", "/prom", ""}) {
    request.path = path;
    EXPECT_FALSE(is_light(request)) << path;
  }
}

TEST_F(ApiTest, LightRequestsTellWhenTheyAreNot) {
  for (int i = 0; i < 5000; ++i) Append({{"__name__", "many"}, {"i", StrCat(i)}}, kNow, i);
  Append({{"__name__", "few"}}, kNow, 1);
  Do("GET", "/api/v1/query?query=few");
  EXPECT_EQ(answer.long_expected, 0);
  Do("GET", "/api/v1/query?query=sum(many)");
  EXPECT_EQ(answer.long_expected, 1);
  Do("GET", "/api/v1/label/i/values");
  EXPECT_EQ(answer.long_expected, 0);
  Do("GET", "/api/v1/label/i/values?match[]=many");
  EXPECT_GT(answer.long_expected, 0);
}

}  // namespace
}  // namespace narthex::api
