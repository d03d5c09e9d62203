#include "base/http_server.h"

#include <zlib.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "base/http_client.h"
#include "base/mutex.h"
#include "base/strings.h"
#include "base/thread_pool.h"

namespace narthex {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

constexpr size_t kMinGzipBytes = 1024;
constexpr size_t kMaxQueuedBytes = 256 << 10;  // a streaming handler blocks beyond this

// Gzip at the fast level. Not thread-safe.
class Gzip {
 public:
  Gzip() { deflateInit2(&stream_, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY); }
  ~Gzip() { deflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;

  std::string Compress(std::string_view piece, bool finish) {
    std::string out;
    char buffer[16384];
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream_.avail_in = static_cast<uInt>(piece.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer);
      stream_.avail_out = sizeof buffer;
      deflate(&stream_, finish ? Z_FINISH : Z_NO_FLUSH);
      out.append(buffer, sizeof buffer - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return out;
  }

 private:
  z_stream stream_{};
};

std::string_view StatusText(int status) {
  auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

struct Shared {
  HttpServerOptions options;
  HttpHandler handler;
  ThreadPool* workers;
  std::atomic<int> connections{0};
  std::atomic<bool> stopping{false};
};

// One connection. All socket work happens on the I/O thread; the handler runs on a worker and hands bytes
// over through a bounded queue. Kept alive by the pending operation or the running handler.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    ++shared_->connections;
    beast::error_code error;
    auto endpoint = stream_.socket().remote_endpoint(error);
    if (!error) remote_ = StrCat(endpoint.address().to_string(), ":", endpoint.port());
  }
  ~Connection() { --shared_->connections; }

  void Read() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(shared_->options.max_header_bytes));
    parser_->body_limit(static_cast<uint64_t>(shared_->options.max_body_bytes));
    stream_.expires_after(std::chrono::milliseconds(shared_->options.read_timeout_ms));
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code error, size_t) { self->OnRead(error); });
  }

  // Called by the response writer on a worker. False if the client is gone.
  bool Enqueue(std::string bytes) {
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

  // The answer is complete: read the next request once everything is written, or close.
  void Finish(bool keep_alive) {
    asio::post(stream_.get_executor(), [self = shared_from_this(), keep_alive] {
      self->finished_ = true;
      self->keep_alive_ = keep_alive;
      self->WriteNext();
    });
  }

 private:
  void OnRead(beast::error_code error);
  void SendError(int status, std::string_view text);
  void Dispatch();
  void WatchForDisconnect();
  void WriteNext();
  void MarkGone();

  beast::tcp_stream stream_;
  std::shared_ptr<Shared> shared_;
  std::string remote_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
  bool writing_ = false, finished_ = false, keep_alive_ = false;  // I/O thread
  std::atomic<bool> gone_{false};
  Mutex mutex_;
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

bool AcceptsGzip(const HttpRequest& request) {
  std::string_view accept = request.Header("accept-encoding");
  size_t at = accept.find("gzip");
  return at != accept.npos && !accept.substr(at).starts_with("gzip;q=0,") && accept.substr(at) != "gzip;q=0";
}

// Lives on the worker while the handler runs.
class Writer : public HttpResponseWriter {
 public:
  Writer(Connection* connection, const HttpRequest& request, bool keep_alive, bool http11)
      : connection_(connection),
        head_(request.method == "HEAD"),
        gzip_ok_(AcceptsGzip(request)),
        keep_alive_(keep_alive),
        http11_(http11) {}

  void SetHeader(std::string_view name, std::string_view value) override {
    headers_.emplace_back(name, value);
  }

  void Send(int status, std::string_view content_type, std::string body) override {
    if (started_) return;
    started_ = done_ = true;
    if (gzip_ok_ && body.size() >= kMinGzipBytes && !HasHeader("Content-Encoding")) {
      body = Gzip().Compress(body, true);
      SetHeader("Content-Encoding", "gzip");
    }
    std::string out = Head(status, content_type);
    if (status != 204 && status != 304) StrAppend(&out, "Content-Length: ", body.size(), "\r\n");
    out += "\r\n";
    if (!head_) out += body;
    connection_->Enqueue(std::move(out));
  }

  absl::Status Start(int status, std::string_view content_type) override {
    started_ = true;
    if (!http11_) keep_alive_ = false;  // HTTP/1.0 has no chunks: the end of the connection ends the body
    if (gzip_ok_) {
      gzip_ = std::make_unique<Gzip>();
      SetHeader("Content-Encoding", "gzip");
    }
    std::string out = Head(status, content_type);
    if (http11_) out += "Transfer-Encoding: chunked\r\n";
    return Result(connection_->Enqueue(out + "\r\n"));
  }

  absl::Status Write(std::string_view piece) override {
    if (head_) return absl::OkStatus();
    return WriteRaw(gzip_ ? gzip_->Compress(piece, false) : std::string(piece));
  }

  // Ends the answer; true if the connection may be used again.
  bool Complete() {
    if (!started_) Send(500, "text/plain; charset=utf-8", "no answer\n");
    if (!done_ && !head_) {
      if (gzip_) (void)WriteRaw(gzip_->Compress("", true));
      if (http11_) connection_->Enqueue("0\r\n\r\n");
    }
    return keep_alive_;
  }

 private:
  static absl::Status Result(bool ok) {
    return ok ? absl::OkStatus() : absl::CancelledError("the client went away");
  }
  bool HasHeader(std::string_view name) const {
    for (const auto& header : headers_) {
      if (header.first == name) return true;
    }
    return false;
  }
  absl::Status WriteRaw(std::string bytes) {
    if (bytes.empty()) return absl::OkStatus();
    if (!http11_) return Result(connection_->Enqueue(std::move(bytes)));
    return Result(connection_->Enqueue(StrCat(absl::Hex(bytes.size()), "\r\n", bytes, "\r\n")));
  }
  std::string Head(int status, std::string_view content_type) {
    std::string out = StrCat("HTTP/1.1 ", status, " ", StatusText(status), "\r\n");
    if (!content_type.empty()) StrAppend(&out, "Content-Type: ", content_type, "\r\n");
    for (const auto& [name, value] : headers_) StrAppend(&out, name, ": ", value, "\r\n");
    if (gzip_ok_) out += "Vary: Accept-Encoding\r\n";
    if (!keep_alive_) out += "Connection: close\r\n";
    return out;
  }

  Connection* const connection_;
  const bool head_, gzip_ok_;
  bool keep_alive_;
  const bool http11_;
  bool started_ = false, done_ = false;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::unique_ptr<Gzip> gzip_;
};

void Connection::OnRead(beast::error_code error) {
  if (error == http::error::header_limit) return SendError(431, "request header is too large");
  if (error == http::error::body_limit) return SendError(413, "http: request body too large");
  if (error == http::error::end_of_stream || error == beast::error::timeout ||
      (error && error.category() == asio::error::get_system_category())) {
    return MarkGone();
  }
  if (error) return error == asio::error::operation_aborted ? MarkGone() : SendError(400, "400 Bad Request");
  Dispatch();
}

void Connection::SendError(int status, std::string_view text) {
  std::string body = StrCat(text, "\n");
  Enqueue(StrCat("HTTP/1.1 ", status, " ", StatusText(status),
                 "\r\nContent-Type: text/plain; charset=utf-8\r\n",
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
  bool keep_alive = message->keep_alive() && !shared_->stopping, http11 = message->version() >= 11;
  finished_ = false;
  stream_.expires_never();
  WatchForDisconnect();
  bool accepted = shared_->workers->Submit([self = shared_from_this(), request, keep_alive, http11] {
    Writer writer(self.get(), *request, keep_alive, http11);
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
    char byte;
    beast::error_code peek_error;
    self->stream_.socket().non_blocking(true, peek_error);
    size_t n = self->stream_.socket().receive(asio::buffer(&byte, 1), tcp::socket::message_peek, peek_error);
    if (peek_error == asio::error::would_block) return;
    if (n == 0 || peek_error) {
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

void Connection::WriteNext() {
  if (writing_ || gone_) return;
  auto bytes = std::make_shared<std::string>();
  {
    MutexLock lock(&mutex_);
    for (std::string& piece : queue_) *bytes += piece;
    queue_.clear();
    queued_bytes_ = 0;
  }
  if (bytes->empty()) {
    if (!finished_) return;
    finished_ = false;
    beast::error_code ignored;
    stream_.socket().cancel(ignored);  // the wait for a disconnect
    if (keep_alive_) return Read();
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    return;
  }
  writing_ = true;
  stream_.expires_after(std::chrono::minutes(5));
  asio::async_write(stream_, asio::buffer(*bytes),
                    [self = shared_from_this(), bytes](beast::error_code error, size_t) {
                      self->writing_ = false;
                      if (error) return self->MarkGone();
                      self->WriteNext();
                    });
}

class ServerImpl : public HttpServer {
 public:
  ServerImpl(HttpServerOptions options, HttpHandler handler) : shared_(std::make_shared<Shared>()) {
    shared_->options = std::move(options);
    shared_->handler = std::move(handler);
    workers_ = std::make_unique<ThreadPool>(shared_->options.workers);
    shared_->workers = workers_.get();
  }
  ~ServerImpl() override { Stop(0); }

  absl::Status Listen() {
    for (const std::string& address : shared_->options.listen_addresses) {
      if (absl::Status s = ListenOn(address); !s.ok()) return s;
    }
    thread_ = std::thread([this] { context_.run(); });
    return absl::OkStatus();
  }

  std::vector<int> ports() const override { return ports_; }

  void Stop(int64_t grace_ms) override {
    if (shared_->stopping.exchange(true)) return;
    asio::post(context_, [this] {
      beast::error_code ignored;
      for (auto& acceptor : acceptors_) acceptor->close(ignored);
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
    Accept(acceptor.get());
    acceptors_.push_back(std::move(acceptor));
    return absl::OkStatus();
  }

  void Accept(tcp::acceptor* acceptor) {
    acceptor->async_accept([this, acceptor](beast::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor->is_open()) return;
      // Over the limit the newcomer is closed at once; Go's LimitListener would make it wait.
      if (!error && shared_->connections < shared_->options.max_connections) {
        beast::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        std::make_shared<Connection>(std::move(socket), shared_)->Read();
      }
      Accept(acceptor);
    });
  }

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<ThreadPool> workers_;
  asio::io_context context_{1};
  std::vector<std::unique_ptr<tcp::acceptor>> acceptors_;
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
