// One connection of the HTTP server, and what all of them share. A part of http_server.
#pragma once

#include <utility>  // Boost.Asio forgets it

#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "base/elastic_pool.h"
#include "base/http1_request.h"
#include "base/http2_session.h"
#include "base/http_response.h"
#include "base/http_server.h"
#include "base/mutex.h"

namespace narthex {

class HttpConnection;
using HttpTime = std::chrono::steady_clock::time_point;

// What the connections of a server share. "The loop" is the one thread that does the I/O at the time.
struct HttpShared {
  using Connections = std::list<HttpConnection*>;

  HttpServerOptions options;
  HttpHandler handler;
  ElasticPool* workers = nullptr;
  std::function<void()> on_free;                 // a connection ended or became idle; on the loop
  std::function<void(HttpTime)> on_deadline;     // a connection wants Expire() to be called then; on the loop
  std::function<void()> hand_over;               // another thread becomes the loop
  Connections listening;                         // wait for a request, the longest waiting first; the loop's
  std::atomic<int> connections{0}, handlers{0};  // handlers that run or wait for a worker
  std::atomic<bool> stopping{false};
  Mutex mutex;
  Connections all ABSL_GUARDED_BY(mutex);

  // False: stopped for good.
  bool RunOnWorker(std::function<void()> job);
  void EndHandler();
};

// All socket work happens on the loop. The handler runs on a worker and hands bytes over through a bounded
// queue, or, if it is light, on the loop itself until it expects to take long. Kept alive by the pending
// operation or the running handler.
class HttpConnection : public ByteSink,
                       public Http2Session::Host,
                       public std::enable_shared_from_this<HttpConnection> {
 public:
  using Socket =
      boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

  HttpConnection(Socket socket, std::shared_ptr<HttpShared> shared);
  ~HttpConnection() override;

  // On the loop.
  void Begin();
  // Ends a connection that serves no request: somebody else needs its place.
  void Evict() { Close(); }
  // Closes the connection if it is out of time; when it will be, if it is not.
  HttpTime Expire(HttpTime now);

  // Called by the response writer on the handler's thread.
  bool Enqueue(std::string bytes) override;
  // Finish() comes right behind: the loop is woken once for both.
  bool EnqueueLast(std::string bytes) override;
  void ExpectLong() override;

  // Of HTTP/2: the session's jobs keep the connection.
  bool RunJob(std::function<void()> job) override;
  void WakeUp() override;

 private:
  using TlsStream = boost::beast::ssl_stream<Socket&>;
  using Error = boost::system::error_code;
  enum class Phase { kIdle, kHead, kBody };  // of the request that is being read

  template <typename Operation>
  void OnStream(const Operation& operation) {  // TLS or not
    if (tls_) {
      operation(*tls_);
    } else {
      operation(socket_);
    }
  }
  void Listen();
  void Read();
  void Parse();
  void Await();
  void Refuse(Http1Request::State state);
  void SendError(int status, std::string_view text);
  void Dispatch();
  void RunHere(const ResponseShape& shape);
  void WatchForDisconnect();
  // The answer is complete: read the next request once everything is written, or close. Any thread.
  void Finish(bool keep_alive);
  using Buffers = absl::InlinedVector<boost::asio::const_buffer, 4>;
  void WriteNext();
  void WriteRest(const Buffers& rest);
  bool TakeQueued();
  void AfterAnswer();
  void MarkGone();
  void Close();
  bool ChoseHttp2();
  void ServeHttp2();
  void ReadFrames();
  void WriteFrames();
  void WatchTime();
  void StartListening();
  void StopListening();
  void ExpireIn(int64_t ms);
  void ExpireNever() { deadline_ = HttpTime::max(); }

  Socket socket_;
  std::unique_ptr<TlsStream> tls_;
  const std::shared_ptr<HttpShared> shared_;
  std::string remote_;
  HttpShared::Connections::iterator place_;  // in `all`
  // The loop's.
  boost::beast::flat_buffer buffer_;
  Http1Request reader_;
  HttpTime deadline_ = HttpTime::max();
  HttpShared::Connections self_{this};  // this, while it is not in `listening`
  HttpShared::Connections::iterator self_place_ = self_.begin();
  Phase phase_ = Phase::kIdle;
  bool listed_ = false, writing_ = false, watching_ = false, finished_ = false, keep_alive_ = false;
  std::vector<std::string> sending_;     // until it is written
  std::unique_ptr<Http2Session> http2_;  // null: HTTP/1.1
  std::optional<boost::asio::steady_timer> http2_timer_;

  HttpRequest request_;   // the loop's until the handler begins, and again when it is finished
  bool on_loop_ = false;  // the handler's: it runs on the loop
  std::atomic<bool> gone_{false}, wake_posted_{false};
  Mutex mutex_;
  std::vector<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex
