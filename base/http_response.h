// How an answer is written: head, gzip, chunks. A part of http_server.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/gzip_stream.h"
#include "base/http_server.h"

namespace narthex {

// Where the bytes of an answer go. Blocks while the client is slow.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual bool Enqueue(std::string bytes) = 0;  // false: the client is gone
  // The handler may take long from here on.
  virtual void ExpectLong() {}
  // A piece of the end of an answer, whose handler is about to return: it may go out only then.
  virtual bool EnqueueLast(std::string bytes) { return Enqueue(std::move(bytes)); }
};

struct ResponseShape {
  bool head = false;        // no body
  bool gzip = false;        // the client takes it
  bool keep_alive = false;  // what the client wants
  bool http11 = true;
  int64_t now_ms = 0;  // for the Date header; 0 = none
};

bool AcceptsGzip(const HttpRequest& request);
// "Sat, 21 Nov 2026 08:03:54 GMT"
std::string HttpDate(int64_t ms);

// Lives on the worker while the handler runs.
class ResponseWriter : public HttpResponseWriter {
 public:
  ResponseWriter(ByteSink* sink, ResponseShape shape);
  ~ResponseWriter() override;
  void SetHeader(std::string_view name, std::string_view value) override;
  void Send(int status, std::string_view content_type, std::string body) override;
  absl::Status Start(int status, std::string_view content_type) override;
  absl::Status Write(std::string_view piece) override;
  void ExpectLong() override { sink_->ExpectLong(); }
  void BreakOff() override { broken_ = true; }
  // Ends the answer; true if the connection may be used again.
  bool Complete();

 private:
  bool HasHeader(std::string_view name) const;
  absl::Status WriteRaw(std::string_view bytes);
  std::string Head(int status, std::string_view content_type,
                   size_t body_bytes = 0);  // room for so much behind it

  ByteSink* const sink_;
  ResponseShape shape_;
  bool started_ = false, done_ = false, broken_ = false;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::unique_ptr<GzipStream> gzip_;
};

}  // namespace narthex
