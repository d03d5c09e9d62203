#include "base/http_server.h"

#include <list>

#include "absl/strings/ascii.h"
#include "base/http_client.h"
#include "base/http_connection.h"
#include "base/strings.h"

namespace narthex {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Error = boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

class ServerImpl : public HttpServer {
 public:
  ServerImpl(HttpServerOptions options, HttpHandler handler)
      : workers_(options.idle_workers + 1, options.workers + 1), shared_(std::make_shared<HttpShared>()) {
    shared_->options = std::move(options);
    shared_->handler = std::move(handler);
    shared_->workers = &workers_;
    shared_->on_free = [this] { AcceptAll(); };
    shared_->on_deadline = [this](HttpTime deadline) { WakeAt(deadline); };
    shared_->hand_over = [this] { StartTerm(); };
  }
  ~ServerImpl() override { Stop(0); }

  absl::Status Listen() {
    for (const std::string& address : shared_->options.listen_addresses) {
      if (absl::Status s = ListenOn(address); !s.ok()) return s;
    }
    AcceptAll();
    StartTerm();
    return absl::OkStatus();
  }

  std::vector<int> ports() const override { return ports_; }

  void Stop(int64_t grace_ms) override {
    if (shared_->stopping.exchange(true)) return;
    asio::post(context_, [this] {
      Error ignored;
      for (Listener& listener : listeners_) listener.acceptor->close(ignored);
    });
    {
      MutexLock lock(&shared_->mutex);
      auto none_runs = [this] { return shared_->handlers == 0; };
      shared_->mutex.Await(Condition(&none_runs));
    }
    // Answers that are written but not yet sent get a moment.
    if (term_ != 0) {
      const std::chrono::milliseconds moment(std::min<int64_t>(grace_ms, 100));
      asio::post(context_, [this, moment] {
        timer_.expires_after(moment);
        timer_.async_wait([this](Error error) {
          if (error != asio::error::operation_aborted) context_.stop();
        });
      });
    }
    workers_.Stop();
  }

 private:
  struct Listener {
    std::unique_ptr<Acceptor> acceptor;
    bool accepting = false;
  };

  // A worker becomes the loop until the next one does. There is always room for it among the workers:
  // handlers run on the loop only while there are fewer of them than there may be.
  void StartTerm() {
    const uint64_t term = ++term_;
    workers_.Submit([this, term] {
      while (term_ == term && !context_.stopped()) context_.run_one();
    });
  }

  // One timer for all connections: deadlines are mostly put off before they come.
  void WakeAt(HttpTime deadline) {
    if (deadline >= wake_at_ || shared_->stopping) return;
    wake_at_ = deadline;
    timer_.expires_at(deadline);
    timer_.async_wait([this](Error error) {
      if (!error && !shared_->stopping) ExpireAll();
    });
  }

  void ExpireAll() {
    std::vector<std::shared_ptr<HttpConnection>> connections;
    {
      MutexLock lock(&shared_->mutex);
      for (HttpConnection* connection : shared_->all) {
        if (auto alive = connection->weak_from_this().lock()) connections.push_back(std::move(alive));
      }
    }
    const HttpTime now = std::chrono::steady_clock::now();
    HttpTime next = wake_at_ = HttpTime::max();
    for (const auto& connection : connections) next = std::min(next, connection->Expire(now));
    WakeAt(next);
  }

  absl::Status ListenOn(const std::string& address) {
    size_t colon = address.rfind(':');
    if (colon == address.npos)
      return absl::InvalidArgumentError(StrCat("listen tcp: address ", address, ": missing port in address"));
    std::string host = address.substr(0, colon), port = address.substr(colon + 1);
    if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
    if (host.empty()) host = "0.0.0.0";
    Error error;
    tcp::resolver resolver(context_);
    auto found = resolver.resolve(host, port, tcp::resolver::passive, error);
    if (error || found.empty())
      return absl::InvalidArgumentError(StrCat("listen tcp: lookup ", address, ": ", error.message()));
    tcp::endpoint endpoint = *found.begin();
    auto acceptor = std::make_unique<Acceptor>(context_);
    acceptor->open(endpoint.protocol(), error);
    if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor->bind(endpoint, error);
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      std::string reason = error == asio::error::address_in_use ? "address already in use" : error.message();
      return absl::UnavailableError(StrCat("listen tcp ", address, ": bind: ", reason));
    }
    ports_.push_back(acceptor->local_endpoint().port());
    listeners_.push_back({std::move(acceptor)});
    return absl::OkStatus();
  }

  // At the limit a newcomer waits in the kernel, as with Go's LimitListener, unless a connection serves no
  // request: the one that has been waiting longest makes room.
  void AcceptAll() {
    if (shared_->stopping) return;
    for (Listener& listener : listeners_) {
      bool full = shared_->connections >= shared_->options.max_connections && shared_->listening.empty();
      if (!listener.accepting && !full) Accept(&listener);
    }
  }

  void Accept(Listener* listener) {
    listener->accepting = true;
    listener->acceptor->async_accept([this, listener](Error error, HttpConnection::Socket socket) {
      listener->accepting = false;
      if (error == asio::error::operation_aborted || !listener->acceptor->is_open()) return;
      if (!error) {
        bool full = shared_->connections >= shared_->options.max_connections;
        if (full && !shared_->listening.empty()) shared_->listening.front()->Evict();
        Error ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        std::make_shared<HttpConnection>(std::move(socket), shared_)->Begin();
      }
      AcceptAll();
    });
  }

  ElasticPool workers_;
  std::shared_ptr<HttpShared> shared_;
  asio::io_context context_;
  const asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  asio::steady_timer timer_{context_};
  HttpTime wake_at_ = HttpTime::max();  // the loop's
  std::list<Listener> listeners_;
  std::vector<int> ports_;
  std::atomic<uint64_t> term_{0};
};

}  // namespace

std::string_view HttpRequest::Header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> HttpRequest::Params() const {
  std::vector<std::pair<std::string, std::string>> out;
  auto add = [&out](std::string_view text) {
    while (!text.empty()) {
      size_t end = text.find('&');
      std::string_view pair = text.substr(0, end);
      text = end == text.npos ? std::string_view() : text.substr(end + 1);
      if (pair.find(';') != pair.npos) continue;  // as Go: no separator, and not allowed bare
      size_t equals = pair.find('=');
      absl::StatusOr<std::string> key = UrlUnescape(pair.substr(0, equals));
      absl::StatusOr<std::string> value =
          UrlUnescape(equals == pair.npos ? std::string_view() : pair.substr(equals + 1));
      if (key.ok() && value.ok() && !pair.empty()) out.emplace_back(*std::move(key), *std::move(value));
    }
  };
  bool form = method != "GET" && method != "HEAD" &&
              Header("content-type").starts_with("application/x-www-form-urlencoded");
  if (form) add(body);
  add(query);
  return out;
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options,
                                                              HttpHandler handler) {
  auto server = std::make_unique<ServerImpl>(std::move(options), std::move(handler));
  if (absl::Status s = server->Listen(); !s.ok()) return s;
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace narthex
