#include "base/http_client.h"

#include <curl/curl.h>

#include <deque>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "base/go_format.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {
namespace {

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return absl::NotFoundError(
        StrCat("unable to read file ", path, ": open ", path, ": no such file or directory"));
  std::stringstream buffer;
  buffer << in.rdbuf();
  return std::string(absl::StripAsciiWhitespace(std::move(buffer).str()));
}

// The secret given in place, or read afresh from its file.
absl::StatusOr<std::string> Secret(const std::string& text, const std::string& file) {
  return file.empty() ? absl::StatusOr<std::string>(text) : ReadSecretFile(file);
}

std::string HostPort(const std::string& url) {
  size_t begin = url.find("://");
  begin = begin == url.npos ? 0 : begin + 3;
  size_t end = url.find_first_of("/?", begin);
  std::string host = url.substr(begin, end == url.npos ? url.npos : end - begin);
  if (size_t at = host.rfind('@'); at != host.npos) host.erase(0, at + 1);
  return host;
}

// One request under way. Owned by the client's thread.
struct Transfer {
  HttpClientRequest request;
  HttpClient::Callback done;
  HttpClientResponse response;
  curl_slist* headers = nullptr;
  bool too_large = false;
  char error[CURL_ERROR_SIZE] = "";

  ~Transfer() { curl_slist_free_all(headers); }
};

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  size_t n = size * count;
  int64_t limit = transfer->request.max_body_bytes;
  if (limit > 0 && static_cast<int64_t>(transfer->response.body.size() + n) > limit) {
    transfer->too_large = true;
    return 0;
  }
  transfer->response.body.append(data, n);
  return n;
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) transfer->response.headers.clear();  // a redirect's answer went before
  size_t colon = line.find(':');
  if (colon != line.npos) {
    std::string name = absl::AsciiStrToLower(ToAbsl(line.substr(0, colon)));
    std::string value(absl::StripAsciiWhitespace(ToAbsl(line.substr(colon + 1))));
    if (name == "content-type") transfer->response.content_type = value;
    transfer->response.headers.emplace_back(std::move(name), std::move(value));
  }
  return size * count;
}

// libcurl's reason as Go's net/http words it: users see these texts on the targets page.
std::string ErrorText(CURLcode code, const Transfer& transfer) {
  std::string host = HostPort(transfer.request.url);
  std::string reason;
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      reason = StrCat("dial tcp ", host, ": connect: connection refused");
      break;
    case CURLE_COULDNT_RESOLVE_HOST:
      reason = StrCat("dial tcp: lookup ", host.substr(0, host.rfind(':')), ": no such host");
      break;
    case CURLE_OPERATION_TIMEDOUT:
      reason = "context deadline exceeded";
      break;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
      reason = code == CURLE_GOT_NOTHING ? "EOF" : "unexpected EOF";
      break;
    case CURLE_RECV_ERROR:
      reason = "read: connection reset by peer";
      break;
    case CURLE_TOO_MANY_REDIRECTS:
      reason = "stopped after 10 redirects";
      break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      reason = StrCat("tls: failed to verify certificate: ", transfer.error);
      break;
    default:
      reason = transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(code);
  }
  std::string method = transfer.request.method == "GET"    ? "Get"
                       : transfer.request.method == "POST" ? "Post"
                                                           : transfer.request.method;
  return StrCat(method, " ", GoQuote(transfer.request.url), ": ", reason);
}

long TlsVersion(const std::string& name, bool maximum) {
  static const std::map<std::string, std::pair<long, long>> kVersions = {
      {"TLS10", {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_0}},
      {"TLS11", {CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_1}},
      {"TLS12", {CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_2}},
      {"TLS13", {CURL_SSLVERSION_TLSv1_3, CURL_SSLVERSION_MAX_TLSv1_3}}};
  auto it = kVersions.find(name);
  if (it == kVersions.end())
    return maximum ? long{CURL_SSLVERSION_MAX_DEFAULT} : long{CURL_SSLVERSION_TLSv1_2};
  return maximum ? it->second.second : it->second.first;
}

void SetTls(CURL* easy, const TlsConfig& tls) {
  auto set_blob = [easy](CURLoption option, const std::string& text) {
    curl_blob blob{const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
    curl_easy_setopt(easy, option, &blob);
  };
  if (!tls.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
  if (!tls.ca.empty()) set_blob(CURLOPT_CAINFO_BLOB, tls.ca);
  if (!tls.cert_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.cert_file.c_str());
  if (!tls.cert.empty()) set_blob(CURLOPT_SSLCERT_BLOB, tls.cert);
  if (!tls.key_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key_file.c_str());
  if (!tls.key.empty()) set_blob(CURLOPT_SSLKEY_BLOB, tls.key);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls.insecure_skip_verify ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls.insecure_skip_verify ? 0L : 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                   TlsVersion(tls.min_version, false) | TlsVersion(tls.max_version, true));
}

absl::Status SetCredentials(CURL* easy, const HttpClientConfig& config, Transfer* transfer) {
  if (config.has_basic_auth) {
    ASSIGN_OR_RETURN(std::string user, Secret(config.basic_user, config.basic_user_file));
    ASSIGN_OR_RETURN(std::string password, Secret(config.basic_password, config.basic_password_file));
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, password.c_str());
  }
  if (config.has_authorization) {
    ASSIGN_OR_RETURN(std::string credentials, Secret(config.auth_credentials, config.auth_credentials_file));
    transfer->request.headers.emplace_back("Authorization", StrCat(config.auth_type, " ", credentials));
  }
  return absl::OkStatus();
}

absl::Status SetConfig(CURL* easy, const HttpClientConfig& config, Transfer* transfer) {
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, config.follow_redirects ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                   config.enable_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
  if (!config.proxy_from_environment) curl_easy_setopt(easy, CURLOPT_PROXY, config.proxy_url.c_str());
  if (!config.no_proxy.empty()) curl_easy_setopt(easy, CURLOPT_NOPROXY, config.no_proxy.c_str());
  SetTls(easy, config.tls);
  for (const auto& header : config.headers) transfer->request.headers.push_back(header);
  return SetCredentials(easy, config, transfer);
}

absl::Status Prepare(CURL* easy, Transfer* transfer) {
  HttpClientRequest& request = transfer->request;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 32L << 10);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 300L);
  if (request.accept_gzip) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  if (request.config != nullptr) RETURN_IF_ERROR(SetConfig(easy, *request.config, transfer));
  for (const auto& [name, value] : request.headers) {
    transfer->headers = curl_slist_append(transfer->headers, StrCat(name, ": ", value).c_str());
  }
  // No "Expect: 100-continue": it costs a round trip and some servers never answer it.
  transfer->headers = curl_slist_append(transfer->headers, "Expect:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  if (request.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  return absl::OkStatus();
}

std::string FormEncode(const HttpClientConfig& config, const std::string& secret) {
  std::string body = StrCat("grant_type=client_credentials&client_id=", UrlEscape(config.oauth2_client_id),
                            "&client_secret=", UrlEscape(secret));
  std::string scope;
  for (const std::string& s : config.oauth2_scopes) StrAppend(&scope, scope.empty() ? "" : " ", s);
  if (!scope.empty()) StrAppend(&body, "&scope=", UrlEscape(scope));
  for (const auto& [name, value] : config.oauth2_endpoint_params) {
    StrAppend(&body, "&", UrlEscape(name), "=", UrlEscape(value));
  }
  return body;
}

// The value of a string field of a flat JSON object (which YAML reads too).
std::string JsonField(const std::string& json, std::string_view name) {
  absl::StatusOr<YamlNode> root = YamlNode::Parse(json);
  const YamlNode* field = root.ok() ? root->Find(name) : nullptr;
  return field == nullptr ? "" : field->scalar();
}

}  // namespace

// Owner of the transfer thread. The queue is shared; handles and transfers belong to the thread.
struct HttpClient::Impl {
  CURLM* multi = nullptr;
  Mutex mutex;
  std::deque<std::unique_ptr<Transfer>> incoming ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::map<std::string, std::string> tokens ABSL_GUARDED_BY(mutex);  // oauth2, by client and URL
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> running;
  std::thread thread;

  void Run();
  void StartIncoming();
  void FinishDone();
  void Finish(CURL* easy, CURLcode code);
};

void HttpClient::Impl::StartIncoming() {
  std::deque<std::unique_ptr<Transfer>> batch;
  {
    MutexLock lock(&mutex);
    batch.swap(incoming);
  }
  for (std::unique_ptr<Transfer>& transfer : batch) {
    CURL* easy = curl_easy_init();
    absl::Status status =
        easy == nullptr ? absl::ResourceExhaustedError("out of memory") : Prepare(easy, transfer.get());
    if (!status.ok()) {
      if (easy != nullptr) curl_easy_cleanup(easy);
      transfer->done(status);
      continue;
    }
    curl_multi_add_handle(multi, easy);
    running[easy] = std::move(transfer);
  }
}

void HttpClient::Impl::Finish(CURL* easy, CURLcode code) {
  auto it = running.find(easy);
  std::unique_ptr<Transfer> transfer = std::move(it->second);
  running.erase(it);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_multi_remove_handle(multi, easy);
  curl_easy_cleanup(easy);
  if (transfer->too_large) {
    transfer->done(absl::ResourceExhaustedError("body size limit exceeded"));
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    transfer->done(absl::DeadlineExceededError(ErrorText(code, *transfer)));
  } else if (code != CURLE_OK) {
    transfer->done(absl::UnavailableError(ErrorText(code, *transfer)));
  } else {
    transfer->response.status = static_cast<int>(status);
    transfer->done(std::move(transfer->response));
  }
}

void HttpClient::Impl::FinishDone() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) Finish(message->easy_handle, message->data.result);
  }
}

void HttpClient::Impl::Run() {
  while (true) {
    {
      MutexLock lock(&mutex);
      if (stopping) break;
    }
    StartIncoming();
    int active = 0;
    curl_multi_perform(multi, &active);
    FinishDone();
    curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
  for (auto& [easy, transfer] : running) {
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    transfer->done(absl::CancelledError("context canceled"));
  }
  running.clear();
  std::deque<std::unique_ptr<Transfer>> rest;
  {
    MutexLock lock(&mutex);
    rest.swap(incoming);
  }
  for (auto& transfer : rest) transfer->done(absl::CancelledError("context canceled"));
}

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  impl_->multi = curl_multi_init();
  curl_multi_setopt(impl_->multi, CURLMOPT_MAXCONNECTS, 256L);
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
}

HttpClient::~HttpClient() {
  {
    MutexLock lock(&impl_->mutex);
    impl_->stopping = true;
  }
  curl_multi_wakeup(impl_->multi);
  impl_->thread.join();
  curl_multi_cleanup(impl_->multi);
}

void HttpClient::Start(HttpClientRequest request, Callback done) {
  if (request.config != nullptr && request.config->has_oauth2) {
    const HttpClientConfig& config = *request.config;
    std::string key = StrCat(config.oauth2_token_url, " ", config.oauth2_client_id);
    std::string token;
    {
      MutexLock lock(&impl_->mutex);
      token = impl_->tokens[key];
    }
    if (token.empty()) {
      absl::StatusOr<std::string> secret =
          Secret(config.oauth2_client_secret, config.oauth2_client_secret_file);
      if (!secret.ok()) return done(secret.status());
      HttpClientRequest fetch;
      fetch.method = "POST";
      fetch.url = config.oauth2_token_url;
      fetch.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
      fetch.body = FormEncode(config, *secret);
      return Start(std::move(fetch), [this, key, request = std::move(request), done = std::move(done)](
                                         absl::StatusOr<HttpClientResponse> answer) mutable {
        if (!answer.ok()) return done(answer.status());
        std::string fresh = JsonField(answer->body, "access_token");
        if (answer->status != 200 || fresh.empty()) {
          return done(absl::UnauthenticatedError(StrCat("oauth2: cannot fetch token: ", answer->status)));
        }
        {
          MutexLock lock(&impl_->mutex);
          impl_->tokens[key] = fresh;
        }
        Start(std::move(request), std::move(done));
      });
    }
    request.headers.emplace_back("Authorization", StrCat("Bearer ", token));
    // A token that has run out is fetched afresh by the next request.
    done = [this, key, done = std::move(done)](absl::StatusOr<HttpClientResponse> answer) {
      if (answer.ok() && answer->status == 401) {
        MutexLock lock(&impl_->mutex);
        impl_->tokens.erase(key);
      }
      done(std::move(answer));
    };
  }
  auto transfer = std::make_unique<Transfer>();
  transfer->request = std::move(request);
  transfer->done = std::move(done);
  bool stopped = false;
  {
    MutexLock lock(&impl_->mutex);
    stopped = impl_->stopping;
    if (!stopped) impl_->incoming.push_back(std::move(transfer));
  }
  if (stopped) return transfer->done(absl::CancelledError("context canceled"));
  curl_multi_wakeup(impl_->multi);
}

absl::StatusOr<HttpClientResponse> HttpClient::Fetch(HttpClientRequest request) {
  absl::StatusOr<HttpClientResponse> result;
  Notification ready;
  Start(std::move(request), [&](absl::StatusOr<HttpClientResponse> answer) {
    result = std::move(answer);
    ready.Notify();
  });
  ready.WaitForNotification();
  return result;
}

std::string UrlEscape(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    unsigned char u = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(u) || c == '-' || c == '_' || c == '.' || c == '~') {
      out.push_back(c);
    } else if (c == ' ') {
      out.push_back('+');
    } else {
      out += {'%', kHex[u >> 4], kHex[u & 15]};
    }
  }
  return out;
}

absl::StatusOr<std::string> UrlUnescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      auto digit = [&](size_t k) {
        char c = k < text.size() ? text[k] : '\0';
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
      };
      int high = digit(i + 1), low = digit(i + 2);
      if (high < 0 || low < 0) {
        return absl::InvalidArgumentError(StrCat("invalid URL escape ", GoQuote(text.substr(i, 3))));
      }
      out.push_back(static_cast<char>(high << 4 | low));
      i += 2;
    }
  }
  return out;
}

}  // namespace narthex
