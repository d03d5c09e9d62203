// Incoming HTTP/1.1 and, over TLS, HTTP/2.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct ssl_ctx_st;

namespace narthex {

struct HttpRequest {
  std::string method;
  std::string path;   // percent-decoded per segment is the handler's job: this is the raw path, e.g.
                      // /api/v1/label/a/values
  std::string query;  // raw, without '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;                                          // gzip and snappy bodies are as sent
  std::string remote_address;
  std::shared_ptr<std::atomic<bool>> cancelled;                // set when the client goes away
  std::string_view Header(std::string_view lower_name) const;  // "" if absent
  // URL query and, for POST/PUT with application/x-www-form-urlencoded, the body, merged (body first as in
  // Go).
  std::vector<std::pair<std::string, std::string>> Params() const;
};

// Where a handler writes its answer. Either Send() once, or Start() then Write() pieces (chunked) then
// return. Gzip is applied when the client accepts it and the answer is at least 1 kB (or streamed). Write
// blocks when the client is slow (bounded memory) and fails with Cancelled when it is gone.
class HttpResponseWriter {
 public:
  virtual ~HttpResponseWriter() = default;
  virtual void SetHeader(std::string_view name, std::string_view value) = 0;
  virtual void Send(int status, std::string_view content_type, std::string body) = 0;
  virtual absl::Status Start(int status, std::string_view content_type) = 0;
  virtual absl::Status Write(std::string_view piece) = 0;
  // What follows may take long, or wait: other requests shall not wait for it. Costs nothing where the
  // handler has a thread to itself. Every handler that HttpServerOptions::is_light speaks for has to call it
  // in time.
  virtual void ExpectLong() {}
  // The rest of a started answer will not come, and the client must not take it for complete: its stream is
  // reset, or its connection ends in the middle of the chunks. Nothing may be written afterwards.
  virtual void BreakOff() = 0;
};

using HttpHandler = std::function<void(const HttpRequest&, HttpResponseWriter&)>;

struct HttpServerOptions {
  std::vector<std::string> listen_addresses{
      "0.0.0.0:9090"};   // host:port, [v6]:port, :port; port 0 picks a free one
  int workers = 64;      // at most so many handlers at once; I/O has one thread more
  int idle_workers = 2;  // threads that stay when there is nothing to do
  int max_connections = 512;
  // Requests that are answered sooner than they could be handed to another thread: their handlers run on the
  // thread that has read them, until they call ExpectLong or start a long answer. Absent: none.
  std::function<bool(const HttpRequest&)> is_light;
  int64_t read_timeout_ms = 300'000;   // for a whole request, and for the wait between two
  int64_t header_timeout_ms = 10'000;  // from a request's first byte to the end of its header
  // The TLS context for a new connection (asked each time, so that certificates may change); absent: no TLS.
  std::function<std::shared_ptr<ssl_ctx_st>()> tls_context;
  int64_t max_body_bytes = 32 << 20;    // over it: 413
  int64_t max_header_bytes = 64 << 10;  // over it: 431
};

// Owns its threads. Handlers run on workers, or where they are light on the thread that does the I/O, which
// another one takes over when they turn out to be long; one request of an HTTP/1.1 connection at a time;
// keep-alive and pipelining work. A TLS context that agrees on "h2" gives HTTP/2, with many requests of a
// connection at once.
class HttpServer {
 public:
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, HttpHandler handler);
  virtual ~HttpServer() = default;             // stops
  virtual std::vector<int> ports() const = 0;  // bound ports, in the order of the addresses
  // Stops accepting, lets requests in flight finish for at most grace_ms, then closes.
  virtual void Stop(int64_t grace_ms) = 0;
};

}  // namespace narthex
