// HTTP/2 on one connection (RFC 9113), by nghttp2: bytes in, requests to the handler, answers to bytes. A
// part of http_server.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/http2_stream.h"
#include "base/http_server.h"
#include "base/mutex.h"

struct nghttp2_session;

namespace narthex {

// Owned by its connection. Everything but the jobs happens on the I/O thread.
class Http2Session {
 public:
  // What the session needs of its connection.
  class Host {
   public:
    virtual ~Host() = default;
    // Runs `job` on a worker and keeps the session alive meanwhile. False: the server is stopping.
    virtual bool RunJob(std::function<void()> job) = 0;
    virtual void WakeUp() = 0;  // any thread: Output() has something
  };

  // All pointers must outlive the session.
  Http2Session(Host* host, const HttpServerOptions* options, const HttpHandler* handler, const Clock* clock,
               std::string remote_address);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;

  // False: not HTTP/2, or a flood; close the connection.
  bool Receive(std::string_view bytes);
  // What is to be sent, at least `enough` bytes if there are so many.
  std::string Output(size_t enough);
  // Looks at the time limits; to be called every second or so.
  void Tick();
  bool idle() const { return streams_.empty(); }  // no request under way
  bool over() const;                              // nothing to read or write any more
  void Abort();                                   // the connection is gone: handlers are told

 private:
  struct Callbacks;
  using StreamPtr = std::shared_ptr<Http2Stream>;

  StreamPtr Find(int32_t id) const;
  void AddHeader(Http2Stream* stream, std::string_view name, std::string_view value);
  void OnHeaderEnd(const StreamPtr& stream);
  void OnBody(const StreamPtr& stream, std::string_view bytes);
  void OnRequestEnd(const StreamPtr& stream);
  void OnClose(int32_t id);
  // Answers without a handler; what else comes of the request is dropped.
  void Refuse(const StreamPtr& stream, int status, std::string_view text);
  void StartWaiting();
  bool Run(const StreamPtr& stream);
  void MarkOutput(int32_t id);  // any thread
  void Submit(const StreamPtr& stream);
  int64_t NowMs() const { return clock_->MonotonicNs() / 1'000'000; }

  Host* const host_;
  const HttpServerOptions& options_;
  const HttpHandler& handler_;
  const Clock* const clock_;
  const std::string remote_address_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, StreamPtr> streams_;
  std::deque<StreamPtr> waiting_;  // complete requests that wait for a worker
  int running_ = 0;
  size_t body_bytes_ = 0;  // of requests that are not complete
  int64_t idle_since_ms_ = 0;
  Mutex mutex_;
  std::vector<int32_t> with_output_ ABSL_GUARDED_BY(mutex_);
  int done_ ABSL_GUARDED_BY(mutex_) = 0;  // handlers that returned
};

}  // namespace narthex
