// Which endpoint answers a request.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/instrument.h"
#include "base/regex.h"

namespace narthex::api {

struct Route {
  std::string_view methods;  // "GET, POST": as the Allow header says it
  std::string_view path;     // may have a segment ":name"
  Endpoint endpoint = nullptr;
  bool waits_for_ready = false;  // 503 until the server is ready
};

// Finds the route of a request and answers what is no endpoint's business: 404, 405, CORS, not ready. Owned
// by the handler that NewHandler returns; thread-safe, immutable.
class Router {
 public:
  explicit Router(Options options);
  void Handle(const HttpRequest& request, HttpResponseWriter* out) const;

 private:
  struct Entry {
    Route route;
    HandlerMetrics metrics;
  };
  struct Match {
    const Entry* entry = nullptr;  // null: nothing has this path
    std::string argument;          // of ":name", decoded
    std::string allowed;           // if only the method is wrong: what would do
  };
  Match Find(std::string_view method, std::string_view path) const;
  void Serve(const Match& match, const HttpRequest& request, CountingWriter* out) const;
  void SetCors(const HttpRequest& request, HttpResponseWriter* out) const;

  const Options options_;
  std::optional<Regex> cors_origin_;  // absent if the pattern is malformed: then no origin is allowed
  std::vector<Entry> entries_;
};

}  // namespace narthex::api
