#include "base/http_connection.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/http_status.h"
#include "base/strings.h"

namespace narthex {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

constexpr size_t kMaxQueuedBytes = 256 << 10;  // a streaming handler blocks beyond this
constexpr size_t kFrameBytes = 64 << 10;       // read or written at once with HTTP/2, and of a body
constexpr size_t kHeadBytes = 4 << 10;         // read at once otherwise
constexpr int64_t kWriteTimeoutMs = 300'000;
constexpr unsigned char kTlsAlert = 0x15;  // first byte of a record that ends a connection

template <typename Buffers>
void DropFirst(size_t bytes, Buffers* buffers) {
  auto left = buffers->begin();
  for (; left != buffers->end() && bytes >= left->size(); ++left) bytes -= left->size();
  if (left != buffers->end()) *left += bytes;
  buffers->erase(buffers->begin(), left);
}

}  // namespace

bool HttpShared::RunOnWorker(std::function<void()> job) {
  ++handlers;
  bool accepted = workers->Submit([this, job = std::move(job)] {
    job();
    EndHandler();
  });
  if (!accepted) EndHandler();
  return accepted;
}

void HttpShared::EndHandler() {
  // Who waits for the last one looks again whenever the mutex was held.
  if (--handlers > 0 || !stopping) return;
  MutexLock lock(&mutex);
}

HttpConnection::HttpConnection(Socket socket, std::shared_ptr<HttpShared> shared)
    : socket_(std::move(socket)),
      shared_(std::move(shared)),
      reader_(shared_->options.max_header_bytes, shared_->options.max_body_bytes) {
  ++shared_->connections;
  Error error;
  auto endpoint = socket_.remote_endpoint(error);
  if (!error) remote_ = StrCat(endpoint.address().to_string(), ":", endpoint.port());
  request_.remote_address = remote_;
  MutexLock lock(&shared_->mutex);
  place_ = shared_->all.insert(shared_->all.end(), this);
}

HttpConnection::~HttpConnection() {
  {
    MutexLock lock(&shared_->mutex);
    shared_->all.erase(place_);
  }
  --shared_->connections;
  StopListening();
  // The last owner may be a worker: the server is told on the loop.
  if (!shared_->stopping) asio::post(socket_.get_executor(), [shared = shared_] { shared->on_free(); });
}

void HttpConnection::StartListening() {
  if (listed_) return;
  shared_->listening.splice(shared_->listening.end(), self_);
  listed_ = true;
}

void HttpConnection::StopListening() {
  if (!listed_) return;
  self_.splice(self_.end(), shared_->listening, self_place_);
  listed_ = false;
}

void HttpConnection::ExpireIn(int64_t ms) {
  deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  shared_->on_deadline(deadline_);
}

HttpTime HttpConnection::Expire(HttpTime now) {
  if (gone_) return HttpTime::max();
  if (now < deadline_) return deadline_;
  Close();
  return HttpTime::max();
}

bool HttpConnection::Enqueue(std::string bytes) {
  if (bytes.empty()) return !gone_;
  ExpectLong();  // there has to be a loop that makes room
  MutexLock lock(&mutex_);
  auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return queued_bytes_ < kMaxQueuedBytes || gone_;
  };
  mutex_.Await(Condition(&has_room));
  if (gone_) return false;
  queued_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->WriteNext(); });
  return true;
}

bool HttpConnection::EnqueueLast(std::string bytes) {
  MutexLock lock(&mutex_);
  if (gone_) return false;
  queued_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
  return true;
}

void HttpConnection::ExpectLong() {
  if (!on_loop_) return;
  on_loop_ = false;
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->WatchForDisconnect(); });
  shared_->hand_over();
}

bool HttpConnection::RunJob(std::function<void()> job) {
  return shared_->RunOnWorker([self = shared_from_this(), job = std::move(job)] { job(); });
}

void HttpConnection::WakeUp() {
  if (wake_posted_.exchange(true)) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->wake_posted_ = false;
    self->WriteFrames();
  });
}

void HttpConnection::Begin() {
  Error ignored;
  socket_.non_blocking(true, ignored);
  if (!shared_->options.tls_context) return Listen();
  std::shared_ptr<ssl_ctx_st> native = shared_->options.tls_context();
  if (native == nullptr) return Close();
  SSL_CTX_up_ref(native.get());
  asio::ssl::context context(native.get());
  tls_ = std::make_unique<TlsStream>(socket_, context);
  StartListening();
  ExpireIn(shared_->options.header_timeout_ms);
  tls_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](Error error) {
    self->StopListening();
    if (error) return self->Close();
    if (self->ChoseHttp2()) return self->ServeHttp2();
    self->Listen();
  });
}

// Waits for the first byte of a request as long as reading may take; from then on the header has to come
// quickly, so that slow clients cannot hold all places.
void HttpConnection::Listen() {
  reader_.Begin(&request_);
  phase_ = Phase::kIdle;
  StartListening();
  if (shared_->on_free) shared_->on_free();
  // Of many requests that come at once, each waits its turn.
  if (buffer_.size() > 0)
    return asio::post(socket_.get_executor(), [self = shared_from_this()] { self->Parse(); });
  if (buffer_.capacity() > kHeadBytes) buffer_.shrink_to_fit();
  ExpireIn(shared_->options.read_timeout_ms);
  Read();
}

void HttpConnection::Read() {
  const size_t most = phase_ == Phase::kBody ? kFrameBytes : kHeadBytes;
  OnStream([this, most](auto& stream) {
    stream.async_read_some(buffer_.prepare(most), [self = shared_from_this()](Error error, size_t bytes) {
      if (error) return self->Close();
      self->buffer_.commit(bytes);
      self->Parse();
    });
  });
}

void HttpConnection::Parse() {
  if (gone_) return;
  std::string_view bytes(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  const Http1Request::State state = reader_.Add(&bytes);
  buffer_.consume(buffer_.size() - bytes.size());
  if (state == Http1Request::State::kMore) return Await();
  StopListening();
  if (state == Http1Request::State::kDone) return Dispatch();
  Refuse(state);
}

// The rest of the request.
void HttpConnection::Await() {
  if (phase_ != Phase::kBody && reader_.in_body()) {
    phase_ = Phase::kBody;
    StopListening();
    ExpireIn(shared_->options.read_timeout_ms);
    if (reader_.expects_continue()) Enqueue("HTTP/1.1 100 Continue\r\n\r\n");
  } else if (phase_ == Phase::kIdle) {
    phase_ = Phase::kHead;
    ExpireIn(std::min(shared_->options.read_timeout_ms, shared_->options.header_timeout_ms));
  }
  Read();
}

void HttpConnection::Refuse(Http1Request::State state) {
  if (state == Http1Request::State::kHeaderTooLarge) return SendError(431, "request header is too large");
  if (state == Http1Request::State::kBodyTooLarge) return SendError(413, "http: request body too large");
  SendError(400, "400 Bad Request");
}

void HttpConnection::SendError(int status, std::string_view text) {
  std::string body = StrCat(text, "\n");
  EnqueueLast(StrCat("HTTP/1.1 ", HttpReason(status), "\r\nContent-Type: text/plain; charset=utf-8\r\n",
                     "Connection: close\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  Finish(false);
}

void HttpConnection::Dispatch() {
  ResponseShape shape;
  shape.head = request_.method == "HEAD";
  shape.gzip = AcceptsGzip(request_);
  shape.keep_alive = reader_.keep_alive() && !shared_->stopping;
  shape.http11 = reader_.http11();
  shape.now_ms = SystemClock().NowMs();
  finished_ = false;
  ExpireNever();
  // Somebody may still look at the last request's.
  if (request_.cancelled.use_count() == 1) {
    *request_.cancelled = false;
  } else {
    request_.cancelled = std::make_shared<std::atomic<bool>>(false);
  }
  const HttpServerOptions& options = shared_->options;
  bool here = options.is_light && shared_->handlers < options.workers && !shared_->stopping;
  if (here && options.is_light(request_)) return RunHere(shape);
  WatchForDisconnect();
  bool accepted = shared_->RunOnWorker([self = shared_from_this(), shape] {
    ResponseWriter writer(self.get(), shape);
    self->shared_->handler(self->request_, writer);
    self->Finish(writer.Complete());
  });
  if (!accepted) SendError(503, "the server is stopping");
}

void HttpConnection::RunHere(const ResponseShape& shape) {
  ++shared_->handlers;
  on_loop_ = true;
  ResponseWriter writer(this, shape);
  shared_->handler(request_, writer);
  const bool keep_alive = writer.Complete();
  if (std::exchange(on_loop_, false)) {
    finished_ = true;
    keep_alive_ = keep_alive;
    WriteNext();
  } else {
    Finish(keep_alive);
  }
  shared_->EndHandler();
}

// While the handler runs nothing is read, so a closed connection would go unnoticed: wait for readability and
// peek.
void HttpConnection::WatchForDisconnect() {
  watching_ = true;
  socket_.async_wait(Tcp::socket::wait_read, [self = shared_from_this()](Error error) {
    if (error || self->finished_) return;
    unsigned char byte = 0;
    Error peek_error;
    size_t n = self->socket_.receive(asio::buffer(&byte, 1), Tcp::socket::message_peek, peek_error);
    if (peek_error == asio::error::would_block) return;
    if (n == 0 || peek_error || (self->tls_ && byte == kTlsAlert)) self->MarkGone();
  });
}

void HttpConnection::Finish(bool keep_alive) {
  asio::post(socket_.get_executor(), [self = shared_from_this(), keep_alive] {
    self->finished_ = true;
    self->keep_alive_ = keep_alive;
    self->WriteNext();
  });
}

void HttpConnection::MarkGone() {
  gone_ = true;
  if (request_.cancelled) *request_.cancelled = true;
  MutexLock lock(&mutex_);  // wakes a writer that waits for room
  queue_.clear();
  queued_bytes_ = 0;
}

void HttpConnection::Close() {
  MarkGone();
  if (http2_) http2_->Abort();
  if (http2_timer_) http2_timer_->cancel();
  StopListening();
  Error ignored;
  socket_.close(ignored);
}

bool HttpConnection::TakeQueued() {
  sending_.clear();
  MutexLock lock(&mutex_);
  std::swap(sending_, queue_);
  queued_bytes_ = 0;
  return !sending_.empty();
}

void HttpConnection::WriteNext() {
  if (writing_ || gone_) return;
  while (TakeQueued()) {
    Buffers rest;
    for (const std::string& piece : sending_) rest.push_back(asio::buffer(piece));
    Error error;  // mostly the socket takes it all at once
    if (!tls_) DropFirst(socket_.write_some(rest, error), &rest);
    if (error && error != asio::error::would_block) return MarkGone();
    if (!rest.empty()) return WriteRest(rest);
  }
  if (finished_) AfterAnswer();
}

void HttpConnection::WriteRest(const Buffers& rest) {
  writing_ = true;
  ExpireIn(kWriteTimeoutMs);
  OnStream([this, &rest](auto& stream) {
    asio::async_write(stream, rest, [self = shared_from_this()](Error error, size_t) {
      self->writing_ = false;
      self->ExpireNever();
      if (error) return self->MarkGone();
      self->WriteNext();
    });
  });
}

void HttpConnection::AfterAnswer() {
  finished_ = false;
  Error ignored;
  if (std::exchange(watching_, false)) socket_.cancel(ignored);
  if (keep_alive_) return Listen();
  if (tls_) SSL_shutdown(tls_->native_handle());
  socket_.shutdown(Tcp::socket::shutdown_send, ignored);
}

bool HttpConnection::ChoseHttp2() {
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(tls_->native_handle(), &chosen, &length);
  return std::string_view(reinterpret_cast<const char*>(chosen), length) == "h2";
}

void HttpConnection::ServeHttp2() {
  http2_ =
      std::make_unique<Http2Session>(this, &shared_->options, &shared_->handler, &SystemClock(), remote_);
  http2_timer_.emplace(socket_.get_executor());
  WatchTime();
  WriteFrames();
  ReadFrames();
}

void HttpConnection::ReadFrames() {
  if (gone_) return;
  ExpireNever();  // the session has its own limits
  tls_->async_read_some(buffer_.prepare(kFrameBytes), [self = shared_from_this()](Error error, size_t bytes) {
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

void HttpConnection::WriteFrames() {
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
  ExpireIn(kWriteTimeoutMs);
  asio::async_write(*tls_, asio::buffer(*bytes), [self = shared_from_this(), bytes](Error error, size_t) {
    self->writing_ = false;
    if (error) return self->Close();
    self->WriteFrames();
  });
}

void HttpConnection::WatchTime() {
  http2_timer_->expires_after(std::chrono::seconds(1));
  http2_timer_->async_wait([weak = weak_from_this()](Error error) {
    std::shared_ptr<HttpConnection> self = weak.lock();
    if (error || self == nullptr || self->gone_) return;
    self->http2_->Tick();
    self->WriteFrames();
    self->WatchTime();
  });
}

}  // namespace narthex
