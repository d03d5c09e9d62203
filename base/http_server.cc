#include "base/http_server.h"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <list>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "base/clock.h"
#include "base/elastic_pool.h"
#include "base/http2_session.h"
#include "base/http_client.h"
#include "base/http_response.h"
#include "base/http_status.h"
#include "base/mutex.h"
#include "base/strings.h"

namespace narthex {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using TlsStream = beast::ssl_stream<beast::tcp_stream&>;

constexpr size_t kMaxQueuedBytes = 256 << 10;  // a streaming handler blocks beyond this
constexpr size_t kFrameBytes = 64 << 10;       // read or written at once with HTTP/2
constexpr auto kWriteTimeout = std::chrono::minutes(5);
constexpr unsigned char kTlsAlert = 0x15;  // first byte of a record that ends a connection

class Connection;

// What all connections of a server share. The list is the I/O thread's.
struct Shared {
  HttpServerOptions options;
  HttpHandler handler;
  ElasticPool* workers;
  std::function<void()> on_free;     // a connection ended or became idle
  std::list<Connection*> listening;  // connections that wait for a request, the longest waiting first
  std::atomic<int> connections{0};
  std::atomic<bool> stopping{false};
};

// One connection. All socket work happens on the I/O thread; the handler runs on a worker and hands bytes
// over through a bounded queue. Kept alive by the pending operation or the running handler.
class Connection : public ByteSink,
                   public Http2Session::Host,
                   public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    ++shared_->connections;
    beast::error_code error;
    auto endpoint = stream_.socket().remote_endpoint(error);
    if (!error) remote_ = StrCat(endpoint.address().to_string(), ":", endpoint.port());
  }
  ~Connection() override {
    --shared_->connections;
    StopListening();
    // The last owner may be a worker: the server is told on its own thread.
    if (!shared_->stopping) asio::post(stream_.get_executor(), [shared = shared_] { shared->on_free(); });
  }

  void Begin();
  // Ends a connection that serves no request: somebody else needs its place.
  void Evict() { Close(); }

  // Called by the response writer on a worker.
  bool Enqueue(std::string bytes) override {
    if (bytes.empty()) return !gone_;
    MutexLock lock(&mutex_);
    auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return queued_bytes_ < kMaxQueuedBytes || gone_;
    };
    mutex_.Await(Condition(&has_room));
    if (gone_) return false;
    queued_bytes_ += bytes.size();
    queue_.push_back(std::move(bytes));
    asio::post(stream_.get_executor(), [self = shared_from_this()] { self->WriteNext(); });
    return true;
  }

  // Finish() comes right behind: the I/O thread is woken once for both.
  bool EnqueueLast(std::string bytes) override {
    MutexLock lock(&mutex_);
    if (gone_) return false;
    queued_bytes_ += bytes.size();
    queue_.push_back(std::move(bytes));
    return true;
  }

  // Of HTTP/2: the session's jobs keep the connection.
  bool RunJob(std::function<void()> job) override {
    return shared_->workers->Submit([self = shared_from_this(), job = std::move(job)] { job(); });
  }
  void WakeUp() override {
    if (wake_posted_.exchange(true)) return;
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
      self->wake_posted_ = false;
      self->WriteFrames();
    });
  }

 private:
  // The answer is complete: read the next request once everything is written, or close.
  void Finish(bool keep_alive) {
    asio::post(stream_.get_executor(), [self = shared_from_this(), keep_alive] {
      self->finished_ = true;
      self->keep_alive_ = keep_alive;
      self->WriteNext();
    });
  }
  template <typename Operation>
  void OnStream(const Operation& operation) {  // TLS or not
    if (tls_) {
      operation(*tls_);
    } else {
      operation(stream_);
    }
  }
  void Listen();
  void ReadHeader();
  void ReadBody();
  void OnReadError(beast::error_code error);
  void SendError(int status, std::string_view text);
  void Dispatch();
  void WatchForDisconnect();
  void WriteNext();
  void MarkGone();
  void Close();
  bool ChoseHttp2();
  void ServeHttp2();
  void ReadFrames();
  void WriteFrames();
  void WatchTime();
  void StartListening() {
    if (listed_) return;
    place_ = shared_->listening.insert(shared_->listening.end(), this);
    listed_ = true;
  }
  void StopListening() {
    if (!listed_) return;
    shared_->listening.erase(place_);
    listed_ = false;
  }
  void ExpireIn(int64_t ms) { stream_.expires_after(std::chrono::milliseconds(ms)); }

  beast::tcp_stream stream_;
  std::unique_ptr<TlsStream> tls_;
  std::shared_ptr<Shared> shared_;
  std::string remote_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
  std::list<Connection*>::iterator place_;
  bool listed_ = false;
  bool writing_ = false, finished_ = false, keep_alive_ = false;  // I/O thread
  std::atomic<bool> gone_{false};
  std::unique_ptr<Http2Session> http2_;  // null: HTTP/1.1
  std::optional<asio::steady_timer> http2_timer_;
  std::atomic<bool> wake_posted_{false};
  Mutex mutex_;
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

void Connection::Begin() {
  if (!shared_->options.tls_context) return Listen();
  std::shared_ptr<ssl_ctx_st> native = shared_->options.tls_context();
  if (native == nullptr) return Close();
  SSL_CTX_up_ref(native.get());
  asio::ssl::context context(native.get());
  tls_ = std::make_unique<TlsStream>(stream_, context);
  StartListening();
  ExpireIn(shared_->options.header_timeout_ms);
  tls_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](beast::error_code error) {
    self->StopListening();
    if (error) return self->Close();
    if (self->ChoseHttp2()) return self->ServeHttp2();
    self->Listen();
  });
}

// Waits for the first byte of a request as long as reading may take; from then on the header has to come
// quickly, so that slow clients cannot hold all places.
void Connection::Listen() {
  if (buffer_.size() > 0) return ReadHeader();
  StartListening();
  if (shared_->on_free) shared_->on_free();
  ExpireIn(shared_->options.read_timeout_ms);
  OnStream([this](auto& stream) {
    stream.async_read_some(buffer_.prepare(4096),
                           [self = shared_from_this()](beast::error_code error, size_t bytes) {
                             if (error) return self->OnReadError(error);
                             self->buffer_.commit(bytes);
                             self->ReadHeader();
                           });
  });
}

void Connection::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(shared_->options.max_header_bytes));
  parser_->body_limit(static_cast<uint64_t>(shared_->options.max_body_bytes));
  ExpireIn(std::min(shared_->options.read_timeout_ms, shared_->options.header_timeout_ms));
  OnStream([this](auto& stream) {
    http::async_read_header(stream, buffer_, *parser_,
                            [self = shared_from_this()](beast::error_code error, size_t) {
                              self->StopListening();
                              if (error) return self->OnReadError(error);
                              self->ReadBody();
                            });
  });
}

void Connection::ReadBody() {
  auto& head = parser_->get();
  if (beast::iequals(head[http::field::expect], "100-continue")) {
    Enqueue("HTTP/1.1 100 Continue\r\n\r\n");
  }
  ExpireIn(shared_->options.read_timeout_ms);
  OnStream([this](auto& stream) {
    http::async_read(stream, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (error) return self->OnReadError(error);
      self->Dispatch();
    });
  });
}

void Connection::OnReadError(beast::error_code error) {
  StopListening();
  if (error == http::error::header_limit) return SendError(431, "request header is too large");
  if (error == http::error::body_limit) return SendError(413, "http: request body too large");
  bool malformed = error.category() == http::make_error_code(http::error::bad_method).category() &&
                   error != http::error::end_of_stream && error != http::error::partial_message;
  if (malformed) return SendError(400, "400 Bad Request");
  Close();
}

void Connection::SendError(int status, std::string_view text) {
  std::string body = StrCat(text, "\n");
  Enqueue(StrCat("HTTP/1.1 ", HttpReason(status), "\r\nContent-Type: text/plain; charset=utf-8\r\n",
                 "Connection: close\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  Finish(false);
}

void Connection::Dispatch() {
  auto message = std::make_shared<http::request<http::string_body>>(parser_->release());
  auto request = std::make_shared<HttpRequest>();
  request->method = std::string(message->method_string());
  std::string target(message->target());
  size_t question = target.find('?');
  request->path = target.substr(0, question);
  if (question != target.npos) request->query = target.substr(question + 1);
  for (const auto& field : *message) {
    auto name = field.name_string();
    request->headers.emplace_back(absl::AsciiStrToLower(absl::string_view(name.data(), name.size())),
                                  std::string(field.value()));
  }
  request->body = std::move(message->body());
  request->remote_address = remote_;
  cancelled_ = request->cancelled = std::make_shared<std::atomic<bool>>(false);
  ResponseShape shape;
  shape.head = request->method == "HEAD";
  shape.gzip = AcceptsGzip(*request);
  shape.keep_alive = message->keep_alive() && !shared_->stopping;
  shape.http11 = message->version() >= 11;
  shape.now_ms = SystemClock().NowMs();
  finished_ = false;
  stream_.expires_never();
  WatchForDisconnect();
  bool accepted = shared_->workers->Submit([self = shared_from_this(), request, shape] {
    ResponseWriter writer(self.get(), shape);
    self->shared_->handler(*request, writer);
    self->Finish(writer.Complete());
  });
  if (!accepted) SendError(503, "the server is stopping");
}

// While the handler runs nothing is read, so a closed connection would go unnoticed: wait for readability and
// peek.
void Connection::WatchForDisconnect() {
  stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this(),
                                                       flag = cancelled_](beast::error_code error) {
    if (error || self->finished_) return;
    unsigned char byte = 0;
    beast::error_code peek_error;
    self->stream_.socket().non_blocking(true, peek_error);
    size_t n = self->stream_.socket().receive(asio::buffer(&byte, 1), tcp::socket::message_peek, peek_error);
    if (peek_error == asio::error::would_block) return;
    if (n == 0 || peek_error || (self->tls_ && byte == kTlsAlert)) {
      *flag = true;
      self->MarkGone();
    }
  });
}

void Connection::MarkGone() {
  gone_ = true;
  if (cancelled_) *cancelled_ = true;
  MutexLock lock(&mutex_);  // wakes a writer that waits for room
  queue_.clear();
  queued_bytes_ = 0;
}

void Connection::Close() {
  MarkGone();
  if (http2_) http2_->Abort();
  if (http2_timer_) http2_timer_->cancel();
  StopListening();
  beast::error_code ignored;
  stream_.socket().close(ignored);
}

void Connection::WriteNext() {
  if (writing_ || gone_) return;
  auto bytes = std::make_shared<std::string>();
  {
    MutexLock lock(&mutex_);
    if (queue_.size() == 1) {
      *bytes = std::move(queue_.front());
    } else {
      for (std::string& piece : queue_) *bytes += piece;
    }
    queue_.clear();
    queued_bytes_ = 0;
  }
  if (bytes->empty()) {
    if (!finished_) return;
    finished_ = false;
    beast::error_code ignored;
    stream_.socket().cancel(ignored);  // the wait for a disconnect
    if (keep_alive_) return Listen();
    if (tls_) SSL_shutdown(tls_->native_handle());
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    return;
  }
  writing_ = true;
  stream_.expires_after(kWriteTimeout);
  OnStream([this, &bytes](auto& stream) {
    asio::async_write(stream, asio::buffer(*bytes),
                      [self = shared_from_this(), bytes](beast::error_code error, size_t) {
                        self->writing_ = false;
                        if (error) return self->MarkGone();
                        self->WriteNext();
                      });
  });
}

bool Connection::ChoseHttp2() {
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(tls_->native_handle(), &chosen, &length);
  return std::string_view(reinterpret_cast<const char*>(chosen), length) == "h2";
}

void Connection::ServeHttp2() {
  http2_ =
      std::make_unique<Http2Session>(this, &shared_->options, &shared_->handler, &SystemClock(), remote_);
  http2_timer_.emplace(stream_.get_executor());
  WatchTime();
  WriteFrames();
  ReadFrames();
}

void Connection::ReadFrames() {
  if (gone_) return;
  stream_.expires_never();  // the session has its own limits
  tls_->async_read_some(buffer_.prepare(kFrameBytes),
                        [self = shared_from_this()](beast::error_code error, size_t bytes) {
                          if (error) return self->Close();
                          self->buffer_.commit(bytes);
                          auto* data = static_cast<const char*>(self->buffer_.data().data());
                          bool taken = self->http2_->Receive({data, bytes});
                          self->buffer_.consume(bytes);
                          if (!taken) return self->Close();
                          self->WriteFrames();
                          self->ReadFrames();
                        });
}

void Connection::WriteFrames() {
  if (writing_ || gone_) return;
  auto bytes = std::make_shared<std::string>(http2_->Output(kFrameBytes));
  if (!http2_->idle()) {
    StopListening();
  } else if (!listed_) {
    StartListening();
    shared_->on_free();
  }
  if (bytes->empty()) {
    if (http2_->over()) Close();
    return;
  }
  writing_ = true;
  stream_.expires_after(kWriteTimeout);
  asio::async_write(*tls_, asio::buffer(*bytes),
                    [self = shared_from_this(), bytes](beast::error_code error, size_t) {
                      self->writing_ = false;
                      if (error) return self->Close();
                      self->WriteFrames();
                    });
}

void Connection::WatchTime() {
  http2_timer_->expires_after(std::chrono::seconds(1));
  http2_timer_->async_wait([weak = weak_from_this()](beast::error_code error) {
    std::shared_ptr<Connection> self = weak.lock();
    if (error || self == nullptr || self->gone_) return;
    self->http2_->Tick();
    self->WriteFrames();
    self->WatchTime();
  });
}

class ServerImpl : public HttpServer {
 public:
  ServerImpl(HttpServerOptions options, HttpHandler handler) : shared_(std::make_shared<Shared>()) {
    shared_->options = std::move(options);
    shared_->handler = std::move(handler);
    workers_ = std::make_unique<ElasticPool>(shared_->options.idle_workers, shared_->options.workers);
    shared_->workers = workers_.get();
    shared_->on_free = [this] { AcceptAll(); };
  }
  ~ServerImpl() override { Stop(0); }

  absl::Status Listen() {
    for (const std::string& address : shared_->options.listen_addresses) {
      if (absl::Status s = ListenOn(address); !s.ok()) return s;
    }
    AcceptAll();
    thread_ = std::thread([this] { context_.run(); });
    return absl::OkStatus();
  }

  std::vector<int> ports() const override { return ports_; }

  void Stop(int64_t grace_ms) override {
    if (shared_->stopping.exchange(true)) return;
    asio::post(context_, [this] {
      beast::error_code ignored;
      for (Listener& listener : listeners_) listener.acceptor->close(ignored);
    });
    workers_->Stop();
    // Answers that are written but not yet sent get a moment.
    if (thread_.joinable()) {
      asio::steady_timer timer(context_, std::chrono::milliseconds(std::min<int64_t>(grace_ms, 100)));
      timer.async_wait([this](beast::error_code) { context_.stop(); });
      thread_.join();
    }
  }

 private:
  struct Listener {
    std::unique_ptr<tcp::acceptor> acceptor;
    bool accepting = false;
  };

  absl::Status ListenOn(const std::string& address) {
    size_t colon = address.rfind(':');
    if (colon == address.npos)
      return absl::InvalidArgumentError(StrCat("listen tcp: address ", address, ": missing port in address"));
    std::string host = address.substr(0, colon), port = address.substr(colon + 1);
    if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
    if (host.empty()) host = "0.0.0.0";
    beast::error_code error;
    tcp::resolver resolver(context_);
    auto found = resolver.resolve(host, port, tcp::resolver::passive, error);
    if (error || found.empty())
      return absl::InvalidArgumentError(StrCat("listen tcp: lookup ", address, ": ", error.message()));
    tcp::endpoint endpoint = *found.begin();
    auto acceptor = std::make_unique<tcp::acceptor>(context_);
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
    listener->acceptor->async_accept([this, listener](beast::error_code error, tcp::socket socket) {
      listener->accepting = false;
      if (error == asio::error::operation_aborted || !listener->acceptor->is_open()) return;
      if (!error) {
        bool full = shared_->connections >= shared_->options.max_connections;
        if (full && !shared_->listening.empty()) shared_->listening.front()->Evict();
        beast::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        std::make_shared<Connection>(std::move(socket), shared_)->Begin();
      }
      AcceptAll();
    });
  }

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<ElasticPool> workers_;
  asio::io_context context_{1};
  std::list<Listener> listeners_;
  std::vector<int> ports_;
  std::thread thread_;
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
