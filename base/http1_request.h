// One HTTP/1 request, read as its bytes come; Boost.Beast is behind it. A part of http_server.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/http_server.h"

namespace narthex {

// Not thread-safe; owner: one connection.
class Http1Request {
 public:
  enum class State { kMore, kDone, kHeaderTooLarge, kBodyTooLarge, kMalformed };

  Http1Request(int64_t max_header_bytes, int64_t max_body_bytes);
  ~Http1Request();
  // Forgets everything: the next request begins, which is written to `*request`.
  void Begin(HttpRequest* request);
  // Takes what belongs to this request off the front of `*bytes`; the rest has to come again with more.
  State Add(std::string_view* bytes);
  bool in_body() const;           // the header is complete
  bool expects_continue() const;  // the client waits for "100 Continue" before it sends the body
  // REQUIRES: kDone
  bool keep_alive() const;
  bool http11() const;

 private:
  struct Parser;
  const int64_t max_header_bytes_, max_body_bytes_;
  const std::unique_ptr<Parser> parser_;
};

}  // namespace narthex
