// --web.config.file: TLS, users and headers of the HTTP server, as Prometheus's exporter-toolkit reads them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/tls_server.h"

namespace narthex {

struct WebConfig {
  TlsServerConfig tls;
  bool http2 = true;  // with TLS
  std::vector<std::pair<std::string, std::string>> headers;
  std::map<std::string, std::string> users;  // name to bcrypt hash
  int64_t rate_interval_ms = 0, rate_burst = 0;
};

// Relative file names start at base_dir. Errors in exporter-toolkit's words.
absl::StatusOr<WebConfig> ParseWebConfig(std::string_view text, const std::string& base_dir);
// bcrypt by crypt(3). Takes as long as the hash wants it to (50 ms and more).
bool BcryptMatches(const std::string& password, const std::string& hash);

// Stands in front of the server's handler. The file and the certificates are read again when they change;
// what does not load is logged and the old stays in force. Owned by cli; thread-safe.
class WebGate {
 public:
  static absl::StatusOr<std::unique_ptr<WebGate>> Open(const std::string& path, const Clock* clock,
                                                       const Logger* logger);
  // Asks for the password, sets the headers, then calls `handler`. The gate must outlive the result.
  HttpHandler Guard(HttpHandler handler);
  bool tls() const { return tls_; }
  std::shared_ptr<ssl_ctx_st> TlsContext();

 private:
  WebGate(std::string path, const Clock* clock, const Logger* logger)
      : path_(std::move(path)), clock_(clock), logger_(logger) {}
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What the files looked like: names, sizes and times.
  std::string Fingerprint() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<const WebConfig> Config();
  bool Allowed(const HttpRequest& request, const WebConfig& config, HttpResponseWriter* out);
  bool WithinRate(const WebConfig& config);

  const std::string path_;
  const Clock* const clock_;
  const Logger* const logger_;
  bool tls_ = false;  // as at the start: a server does not change its protocol
  Mutex mutex_;
  std::shared_ptr<const WebConfig> config_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ssl_ctx_st> context_ ABSL_GUARDED_BY(mutex_);
  std::string fingerprint_ ABSL_GUARDED_BY(mutex_);
  int64_t checked_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  // Digests of (hash, password) that were tried, and whether they fit: bcrypt is slow.
  std::map<std::string, bool> tried_ ABSL_GUARDED_BY(mutex_);
  double tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t tokens_ns_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace narthex
