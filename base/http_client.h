// Outgoing HTTP; libcurl is behind it. Scrapes, discovery, Alertmanagers and remote
// endpoints all use it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/yaml.h"

namespace narthex {

// A header of `http_headers`. A secret is never printed; a file is read for each request.
struct HttpHeader {
  std::string name, value, file;
  bool secret = false;
};

struct TlsConfig {
  std::string ca, ca_file, cert, cert_file, key, key_file, server_name, min_version, max_version;
  bool insecure_skip_verify = false;
};

// The HTTP client keys shared by scrape configs, Alertmanagers, discovery and remote endpoints. Files are
// read again for each request. Secrets are never printed.
struct HttpClientConfig {
  std::string basic_user, basic_user_file, basic_password, basic_password_file;
  bool has_basic_auth = false;
  std::string auth_type = "Bearer", auth_credentials, auth_credentials_file;
  bool has_authorization = false;
  bool has_oauth2 = false;
  std::string oauth2_client_id, oauth2_client_secret, oauth2_client_secret_file, oauth2_token_url;
  std::vector<std::string> oauth2_scopes;
  std::vector<std::pair<std::string, std::string>> oauth2_endpoint_params;
  std::shared_ptr<HttpClientConfig> oauth2_http;  // how to reach the token URL: TLS and proxy
  TlsConfig tls;
  std::string proxy_url, no_proxy;
  bool proxy_from_environment = false;
  bool follow_redirects = true;
  bool enable_http2 = true;
  std::vector<std::pair<std::string, std::string>> proxy_connect_headers;
  std::vector<HttpHeader> headers;  // http_headers, in order
};

// Takes the HTTP client keys out of `map` (marks them known) and validates them with Prometheus's messages
// ("at most one of basic_auth, oauth2 & authorization must be configured", ...). Relative file names are
// joined to base_dir.
absl::Status ReadHttpClientConfig(YamlMap* map, const std::string& base_dir, HttpClientConfig* out);
// Headers that a configuration adds to remote requests must not be those that the protocol sets itself.
// Authorization is refused with `authorization_error`, if that is not empty.
absl::Status CheckExtraHeaders(const std::vector<std::pair<std::string, std::string>>& headers,
                               std::string_view authorization_error);
// The inverse, for /api/v1/status/config: YAML lines with `indent` spaces, secrets as <secret>.
std::string DumpHttpClientConfig(const HttpClientConfig& config, int indent);

struct HttpClientResponse {
  // "404 Not Found", in the words of the server where it has any.
  std::string StatusLine() const;

  int status = 0;
  std::string status_line;  // as received behind "HTTP/1.1 "; "" where the protocol has no words (HTTP/2)
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
};

struct HttpClientRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  int64_t timeout_ms = 30'000;
  // 0 = unlimited; with so many bytes or more the request fails: ResourceExhausted "body size limit exceeded"
  int64_t max_body_bytes = 0;
  std::string unix_socket;                         // path; the URL's host and port are not connected to then
  bool accept_gzip = true;                         // decoded transparently; the limit counts decoded bytes
  std::shared_ptr<const HttpClientConfig> config;  // may be null
  // The same request comes again and again: libcurl need not do it where the way is plain. The answer has no
  // `headers` then.
  bool repeated = false;
  // Longer bodies are handed over in pieces of about this size as they arrive, so that none has to fit into
  // memory (0: never). Nothing more is received until `resume` is called, from any thread; only then comes
  // the next piece, or the answer, whose body is what is left.
  size_t piece_bytes = 0;
  std::function<void(HttpClientResponse piece, std::function<void()> resume)> on_piece;
};

// One thread drives any number of transfers (libcurl multi, and DirectHttp for what is plain and repeated);
// connections are kept alive. Thread-safe. Callbacks run on the client's thread and must be short; hand work
// to a pool.
class HttpClient {
 public:
  // Called on the client's thread: at once, after so many nanoseconds as it returned, and after Wake.
  using Ticker = std::function<int64_t()>;
  using Callback = std::function<void(absl::StatusOr<HttpClientResponse>)>;
  HttpClient();
  ~HttpClient();  // outstanding requests are called back with Cancelled
  void Start(HttpClientRequest request, Callback done);
  // The same for a request that comes again and again: it is not copied.
  void Start(std::shared_ptr<const HttpClientRequest> request, Callback done);
  // Blocks until the answer is there.
  absl::StatusOr<HttpClientResponse> Fetch(HttpClientRequest request);
  // What starts requests on time saves a thread of its own and its wake-ups.
  int AddTicker(Ticker ticker);
  void RemoveTicker(int id);  // it is not called any more when this returns; not from a callback
  void Wake();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string UrlEscape(std::string_view text);                    // Go's url.QueryEscape
absl::StatusOr<std::string> UrlUnescape(std::string_view text);  // '+' is a space

}  // namespace narthex
