// One request of an HTTP/2 connection and its answer. A part of http_server.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/http_response.h"
#include "base/mutex.h"

namespace narthex {

// Between the worker, which runs the handler, and the I/O thread, which has the connection. Owned by both.
class Http2Stream : public ByteSink {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // What the I/O thread knows of the request; the worker reads `request` and `shape` once it is complete.
  HttpRequest request;
  ResponseShape shape;
  int32_t id = 0;
  size_t header_bytes = 0;
  int64_t since_ms = 0;  // the header's first byte; then its last; then when the client last took something
  bool header_complete = false, complete = false, refused = false, answered = false;
  // Tells the session that there is something to send. Any thread.
  std::function<void()> on_output;

  // The worker's side.
  bool Enqueue(std::string bytes) override;  // waits for room
  void PostHead(Headers head);
  void Finish();  // the answer is complete
  void Break();   // the rest of the answer will not come

  // The I/O thread's side.
  bool TakeHead(Headers* head);  // true once, when it is there
  // Takes up to `length` bytes. `*end`: none follow. Aborted after Break().
  absl::StatusOr<size_t> Take(char* to, size_t length, bool* end);
  bool HasQueued();
  void MarkGone();  // the client reset the stream or left

 private:
  Mutex mutex_;
  Headers head_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  size_t offset_ ABSL_GUARDED_BY(mutex_) = 0;  // what is sent of the first
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false, gone_ ABSL_GUARDED_BY(mutex_) = false,
                 broken_ ABSL_GUARDED_BY(mutex_) = false;
};

// Lives on the worker while the handler runs.
class Http2ResponseWriter : public HttpResponseWriter {
 public:
  explicit Http2ResponseWriter(Http2Stream* stream) : stream_(stream), shape_(stream->shape) {}
  void SetHeader(std::string_view name, std::string_view value) override;
  void Send(int status, std::string_view content_type, std::string body) override;
  absl::Status Start(int status, std::string_view content_type) override;
  absl::Status Write(std::string_view piece) override;
  void BreakOff() override;
  void Complete();

 private:
  bool HasHeader(std::string_view lower_name) const;
  void PostHead(int status, std::string_view content_type);

  Http2Stream* const stream_;
  const ResponseShape shape_;
  bool started_ = false, sent_ = false, broken_ = false;
  Http2Stream::Headers headers_;
  std::unique_ptr<GzipStream> gzip_;
};

}  // namespace narthex
