#include "base/http_transfer.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/go_format.h"
#include "base/http_proxy.h"
#include "base/http_status.h"
#include "base/http_url.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {
namespace {

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  const size_t n = size * count;
  transfer->body_error = Digest(transfer, {data, n});
  if (transfer->piece_out) curl_easy_pause(transfer->easy, CURLPAUSE_RECV);
  return transfer->body_error.ok() ? n : 0;
}

void HandOverPiece(Transfer* transfer) {
  long status = transfer->response.status;
  if (transfer->easy != nullptr) curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  HttpClientResponse piece;
  piece.status = static_cast<int>(status);
  piece.content_type = transfer->response.content_type;
  piece.body.swap(transfer->response.body);
  transfer->delivered += static_cast<int64_t>(piece.body.size());
  transfer->piece_out = true;
  transfer->request().on_piece(std::move(piece), transfer->resume);
}

void Reserve(const std::string& content_length, Transfer* transfer) {
  uint64_t size = 0;
  if (absl::SimpleAtoi(content_length, &size)) ReserveBody(size, transfer);
}

// False: the server says two lengths, and nobody can know where its answer ends.
bool NoteLength(const std::string& value, Transfer* transfer) {
  std::string& known = transfer->content_length;
  if (!known.empty() && known != value) {
    transfer->body_error =
        WrapError(absl::UnavailableError(
                      StrCat("net/http: HTTP/1.x transport connection broken: http: message cannot contain "
                             "multiple Content-Length headers; got [",
                             GoQuote(known), " ", GoQuote(value), "]")),
                  transfer->request().method, transfer->request().url);
    return false;
  }
  known = value;
  if (transfer->final) Reserve(value, transfer);
  return true;
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  HttpClientResponse& response = transfer->response;
  std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // what went before was a redirect's answer, or a 100
    const size_t words = std::min(line.find(' '), line.size());
    response.status_line.clear();
    if (line.starts_with("HTTP/1")) {
      response.status_line = std::string(absl::StripAsciiWhitespace(ToAbsl(line.substr(words))));
    }
    transfer->content_length.clear();
    response.headers.clear();
    response.content_type.clear();
    transfer->gunzip.reset();
    response.body.clear();
    transfer->in_body = false;
    const size_t code = line.find(' ') + 1;
    transfer->final = code < line.size() && line[code] != '1' && line[code] != '3';
  }
  if (line == "\r\n" || line == "\n") transfer->in_body = transfer->final;
  size_t colon = line.find(':');
  if (colon != line.npos) {
    std::string name = absl::AsciiStrToLower(ToAbsl(line.substr(0, colon)));
    std::string value(absl::StripAsciiWhitespace(ToAbsl(line.substr(colon + 1))));
    if (name == "content-type") response.content_type = value;
    if (name == "content-length" && !NoteLength(value, transfer)) return 0;
    if (name == "content-encoding" && value == "gzip" && transfer->request().accept_gzip) {
      transfer->gunzip = std::make_unique<Gunzip>();
    }
    response.headers.emplace_back(std::move(name), std::move(value));
  }
  return size * count;
}

long TlsVersion(const std::string& name, bool maximum) {
  if (name.empty()) return maximum ? long{CURL_SSLVERSION_MAX_DEFAULT} : long{CURL_SSLVERSION_TLSv1_2};
  static const std::map<std::string, std::pair<long, long>> kVersions = {
      {"TLS10", {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_0}},
      {"TLS11", {CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_1}},
      {"TLS12", {CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_2}},
      {"TLS13", {CURL_SSLVERSION_TLSv1_3, CURL_SSLVERSION_MAX_TLSv1_3}}};
  auto it = kVersions.find(name);
  if (it == kVersions.end()) return TlsVersion("", maximum);
  return maximum ? it->second.second : it->second.first;
}

// A certificate or key as text: libcurl keeps connections apart by the text, so that a changed file is used
// at once, without waiting for old connections to end.
absl::Status SetPem(CURL* easy, CURLoption option, std::string_view what, const std::string& text,
                    const std::string& file, FileCache* files) {
  if (text.empty() && file.empty()) return absl::OkStatus();
  std::string pem = text;
  if (!file.empty()) {
    absl::StatusOr<std::string> read = files->Read(file);
    if (!read.ok()) {
      return absl::NotFoundError(StrCat("unable to read ", what, ": ", read.status().message()));
    }
    pem = *std::move(read);
  }
  if (pem.empty()) return absl::OkStatus();
  curl_blob blob{pem.data(), pem.size(), CURL_BLOB_COPY};
  curl_easy_setopt(easy, option, &blob);
  return absl::OkStatus();
}

absl::Status SetTls(CURL* easy, const TlsConfig& tls, FileCache* files, Transfer* transfer) {
  const std::string& url = transfer->request().url;
  RETURN_IF_ERROR(SetPem(easy, CURLOPT_CAINFO_BLOB, "CA cert", tls.ca, tls.ca_file, files));
  if (!tls.cert.empty() || !tls.cert_file.empty()) {
    RETURN_IF_ERROR(SetPem(easy, CURLOPT_SSLCERT_BLOB, StrCat("specified client cert (", tls.cert_file, ")"),
                           tls.cert, tls.cert_file, files));
    RETURN_IF_ERROR(SetPem(easy, CURLOPT_SSLKEY_BLOB, StrCat("specified client key (", tls.key_file, ")"),
                           tls.key, tls.key_file, files));
  }
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls.insecure_skip_verify ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls.insecure_skip_verify ? 0L : 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                   TlsVersion(tls.min_version, false) | TlsVersion(tls.max_version, true));
  if (tls.server_name.empty() || !url.starts_with("https://")) return absl::OkStatus();
  // The name that is asked for and verified: in the URL, while the connection goes to the real host.
  const UrlParts parts = SplitUrl(url);
  const std::string port = parts.port.empty() ? "443" : parts.port;
  curl_easy_setopt(easy, CURLOPT_URL,
                   StrCat("https://", tls.server_name, ":", port, parts.path_and_query).c_str());
  transfer->OwnRequest()->headers.emplace_back("Host", parts.host_port);
  transfer->connect_to =
      curl_slist_append(nullptr, StrCat(tls.server_name, ":", port, ":", parts.host, ":", port).c_str());
  curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect_to);
  return absl::OkStatus();
}

// The secret given in place, or from its file.
absl::StatusOr<std::string> Secret(std::string_view what, const std::string& text, const std::string& file,
                                   FileCache* files) {
  if (file.empty()) return text;
  absl::StatusOr<std::string> read = files->Read(file);
  if (!read.ok()) {
    return absl::NotFoundError(
        StrCat("unable to read ", what, ": unable to read file ", file, ": ", read.status().message()));
  }
  return std::string(absl::StripAsciiWhitespace(*read));
}

absl::Status SetCredentials(CURL* easy, const HttpClientConfig& config, FileCache* files,
                            Transfer* transfer) {
  if (config.has_basic_auth) {
    ASSIGN_OR_RETURN(std::string user,
                     Secret("basic auth username", config.basic_user, config.basic_user_file, files));
    ASSIGN_OR_RETURN(std::string password,
                     Secret("basic auth password", config.basic_password, config.basic_password_file, files));
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, password.c_str());
  }
  if (config.has_authorization) {
    ASSIGN_OR_RETURN(std::string credentials, Secret("authorization credentials", config.auth_credentials,
                                                     config.auth_credentials_file, files));
    transfer->OwnRequest()->headers.emplace_back("Authorization", StrCat(config.auth_type, " ", credentials));
  }
  for (const HttpHeader& header : config.headers) {
    ASSIGN_OR_RETURN(std::string value, Secret("http header", header.value, header.file, files));
    transfer->OwnRequest()->headers.emplace_back(header.name, std::move(value));
  }
  return absl::OkStatus();
}

void SetProxy(CURL* easy, const HttpClientConfig& config, Transfer* transfer) {
  const ProxyChoice proxy = config.proxy_from_environment ? ProxyFromEnvironment(transfer->request().url)
                                                          : ProxyChoice{config.proxy_url, config.no_proxy};
  curl_easy_setopt(easy, CURLOPT_PROXY, proxy.url.c_str());
  if (proxy.url.empty()) return;
  curl_easy_setopt(easy, CURLOPT_NOPROXY, proxy.no_proxy.c_str());
  for (const auto& [name, value] : config.proxy_connect_headers) {
    transfer->proxy_headers = curl_slist_append(transfer->proxy_headers, StrCat(name, ": ", value).c_str());
  }
  if (transfer->proxy_headers == nullptr) return;
  curl_easy_setopt(easy, CURLOPT_HEADEROPT, long{CURLHEADER_SEPARATE});
  curl_easy_setopt(easy, CURLOPT_PROXYHEADER, transfer->proxy_headers);
}

std::string FirstNameserver(FileCache* files) {
  absl::StatusOr<std::string> text = files->Read("/etc/resolv.conf");
  if (!text.ok()) return "";
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key, address;
    if (words >> key >> address && key == "nameserver") {
      return StrCat(" on ", address.find(':') == address.npos ? address : StrCat("[", address, "]"), ":53");
    }
  }
  return "";
}

std::string CertificateError(const Transfer& transfer) {
  const std::string_view error = transfer.error;
  const UrlParts parts = SplitUrl(transfer.request().url);
  std::string reason;
  auto says = [error](std::string_view text) { return error.find(text) != error.npos; };
  if (says("has expired") || says("not yet valid")) {
    reason = "certificate has expired or is not yet valid";
  } else if (says("self-signed") || says("self signed") || says("unable to get local issuer") ||
             says("unable to verify the first")) {
    reason = "certificate signed by unknown authority";
  } else if (says("no alternative certificate subject name") || says("does not match")) {
    const auto& config = transfer.request().config;
    const std::string name =
        config != nullptr && !config->tls.server_name.empty() ? config->tls.server_name : parts.host;
    in_addr address;
    reason = inet_pton(AF_INET, name.c_str(), &address) == 1 || name.find(':') != name.npos
                 ? StrCat("cannot validate certificate for ", name, " because it doesn't contain any IP SANs")
                 : StrCat("certificate is not valid for ", name);
  } else {
    return StrCat("tls: failed to verify certificate: ", error);
  }
  return StrCat("tls: failed to verify certificate: x509: ", reason);
}

std::string HandshakeError(std::string_view error) {
  static constexpr std::pair<std::string_view, std::string_view> kTexts[] = {
      {"wrong version number", "http: server gave HTTP response to HTTPS client"},
      {"alert certificate required", "remote error: tls: certificate required"},
      {"alert bad certificate", "remote error: tls: bad certificate"},
      {"alert unknown ca", "remote error: tls: unknown certificate authority"},
      {"alert protocol version", "remote error: tls: protocol version not supported"},
      {"alert handshake failure", "remote error: tls: handshake failure"},
      {"alert unrecognized name", "remote error: tls: unrecognized name"},
      {"alert internal error", "remote error: tls: internal error"},
      {"unexpected eof", "EOF"},
      {"SSL_ERROR_SYSCALL", "EOF"}};
  for (const auto& [theirs, go] : kTexts) {
    if (error.find(theirs) != error.npos) return std::string(go);
  }
  return StrCat("tls: ", error);
}

// libcurl's reason as Go's net/http words it: users see these texts on the targets page.
std::string Reason(CURL* easy, CURLcode code, const std::string& url, FileCache* files,
                   const Transfer& transfer) {
  const UrlParts parts = SplitUrl(url);
  auto text_info = [easy](CURLINFO info) {
    char* text = nullptr;
    curl_easy_getinfo(easy, info, &text);
    return std::string(text == nullptr ? "" : text);
  };
  auto number_info = [easy](CURLINFO info) {
    long number = 0;
    curl_easy_getinfo(easy, info, &number);
    return number;
  };
  auto address = [&](CURLINFO ip_info, CURLINFO port_info) {
    std::string ip = text_info(ip_info);
    if (ip.find(':') != ip.npos) ip = StrCat("[", ip, "]");
    return StrCat(ip, ":", number_info(port_info));
  };
  switch (code) {
    case CURLE_COULDNT_CONNECT: {
      const std::string ip = text_info(CURLINFO_PRIMARY_IP);
      const std::string port = !parts.port.empty() ? parts.port : parts.scheme == "https" ? "443" : "80";
      const std::string host = ip.empty() ? parts.host : ip.find(':') == ip.npos ? ip : StrCat("[", ip, "]");
      const long error = number_info(CURLINFO_OS_ERRNO);
      if (!transfer.request().unix_socket.empty()) {
        return StrCat("dial unix ", transfer.request().unix_socket,
                      ": connect: ", ErrnoText(error == 0 ? ECONNREFUSED : static_cast<int>(error)));
      }
      return StrCat("dial tcp ", host, ":", port,
                    ": connect: ", ErrnoText(error == 0 ? ECONNREFUSED : static_cast<int>(error)));
    }
    case CURLE_COULDNT_RESOLVE_HOST:
      return StrCat("dial tcp: lookup ", parts.host, FirstNameserver(files), ": no such host");
    case CURLE_COULDNT_RESOLVE_PROXY:
      return StrCat("proxyconnect tcp: dial tcp: lookup", FirstNameserver(files), ": no such host");
    case CURLE_OPERATION_TIMEDOUT:
      return "context deadline exceeded";
    case CURLE_GOT_NOTHING:
      return "EOF";
    case CURLE_PARTIAL_FILE:
      return "unexpected EOF";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: {
      if (std::strstr(transfer.error, "chunked-encoding") != nullptr) return "invalid byte in chunk length";
      const long error = number_info(CURLINFO_OS_ERRNO);
      return StrCat("read tcp ", address(CURLINFO_LOCAL_IP, CURLINFO_LOCAL_PORT), "->",
                    address(CURLINFO_PRIMARY_IP, CURLINFO_PRIMARY_PORT),
                    ": read: ", ErrnoText(error == 0 ? ECONNRESET : static_cast<int>(error)));
    }
    case CURLE_URL_MALFORMAT:
      if (parts.port.size() > 4) return StrCat("dial tcp: address ", parts.port, ": invalid port");
      return transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(code);
    case CURLE_TOO_MANY_REDIRECTS:
      return "stopped after 10 redirects";
    case CURLE_PEER_FAILED_VERIFICATION:
      return CertificateError(transfer);
    case CURLE_SSL_CACERT_BADFILE:
      return "unable to use specified CA cert";
    case CURLE_SSL_CERTPROBLEM:
      return "tls: failed to find any PEM data in certificate input";
    case CURLE_SSL_CONNECT_ERROR:
      return HandshakeError(transfer.error);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
      if (parts.scheme == "http" || parts.scheme == "https") {
        return "net/http: HTTP/1.x transport connection broken: malformed HTTP response";
      }
      return StrCat("unsupported protocol scheme ", GoQuote(parts.scheme));
    default:
      return transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(code);
  }
}

}  // namespace

absl::StatusOr<std::string> FileCache::Read(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return absl::NotFoundError(StrCat("open ", path, ": ", ErrnoText(errno)));
  const std::pair<int64_t, int64_t> stamp{info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec,
                                          info.st_size};
  File& file = files_[path];
  if (file.stamp == stamp) return file.text;
  ASSIGN_OR_RETURN(file.text, ReadFile(path));
  file.stamp = stamp;
  return file.text;
}

void ReserveBody(uint64_t size, Transfer* transfer) {
  constexpr uint64_t kMost = 1 << 20;
  transfer->response.body.reserve(std::min(size, kMost - 1) + 1);
}

std::string ResolveUrl(const std::string& page, const std::string& location) {
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  char* text = nullptr;
  if (curl_url_set(url.get(), CURLUPART_URL, page.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, location.c_str(), CURLU_URLENCODE) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) {
    return "";
  }
  std::string out(text);
  curl_free(text);
  return out;
}

absl::Status Digest(Transfer* transfer, std::string_view bytes) {
  const HttpClientRequest& request = transfer->request();
  const int64_t limit = request.max_body_bytes > 0 ? request.max_body_bytes - transfer->delivered : 0;
  std::string& body = transfer->response.body;
  const size_t piece = request.on_piece ? request.piece_bytes : 0;
  absl::Status status;
  if (transfer->gunzip != nullptr) {
    status = transfer->gunzip->Add(&bytes, limit, piece, &body);
  } else if (limit > 0 && static_cast<int64_t>(body.size() + bytes.size()) >= limit) {
    status = absl::ResourceExhaustedError("body size limit exceeded");
  } else {
    body.append(bytes);
    bytes = {};
  }
  transfer->undigested = bytes;
  if (status.ok() && piece > 0 && body.size() >= piece) HandOverPiece(transfer);
  return status;
}

Transfer::~Transfer() {
  if (easy == nullptr) return;  // libcurl had nothing to do with it
  curl_slist_free_all(headers);
  curl_slist_free_all(proxy_headers);
  curl_slist_free_all(connect_to);
}

absl::Status PrepareTransfer(CURL* easy, FileCache* files, Transfer* transfer) {
  HttpClientRequest& request = *transfer->OwnRequest();
  transfer->easy = easy;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS,
                   long{9 - transfer->redirects});  // Go stops after ten requests, not ten redirects
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L << 10);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 300L);
  if (!request.unix_socket.empty()) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  }
  // Decompressed here and not by libcurl, which takes a truncated stream for a whole one.
  if (request.accept_gzip) request.headers.emplace_back("Accept-Encoding", "gzip");
  if (request.config != nullptr) {
    const HttpClientConfig& config = *request.config;
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, config.follow_redirects ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     long{config.enable_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1});
    SetProxy(easy, config, transfer);
    RETURN_IF_ERROR(SetTls(easy, config.tls, files, transfer));
    RETURN_IF_ERROR(SetCredentials(easy, config, files, transfer));
  }
  for (const auto& [name, value] : request.headers) {
    // A header without a value needs the semicolon, or libcurl leaves it out.
    transfer->headers = curl_slist_append(
        transfer->headers, (value.empty() ? StrCat(name, ";") : StrCat(name, ": ", value)).c_str());
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

absl::Status TransferStatus(CURL* easy, CURLcode code, FileCache* files, const Transfer& transfer) {
  if (!transfer.body_error.ok()) return transfer.body_error;
  if (code == CURLE_OK) return transfer.gunzip == nullptr ? absl::OkStatus() : transfer.gunzip->Finish();
  long redirects = 0;
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
  std::string url = transfer.request().url;
  char* last = nullptr;
  if (redirects > 0) curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &last);
  if (last != nullptr) url = last;
  const std::string reason = Reason(easy, code, url, files, transfer);
  absl::Status status =
      code == CURLE_OPERATION_TIMEDOUT ? absl::DeadlineExceededError(reason) : absl::UnavailableError(reason);
  // Once the body is under way, Go's reader says it alone.
  const bool reading =
      code == CURLE_OPERATION_TIMEDOUT || code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR;
  if (transfer.in_body && reading) return status;
  if (code == CURLE_TOO_MANY_REDIRECTS) {  // Go names the last redirect as the server wrote it
    for (const auto& [name, value] : transfer.response.headers) {
      if (name == "location") url = value;
    }
  }
  return WrapError(status, transfer.request().method, url);
}

std::string HttpClientResponse::StatusLine() const {
  return status_line.empty() ? HttpStatusLine(status) : status_line;
}

absl::Status WrapError(const absl::Status& status, std::string_view method, std::string_view url) {
  std::string word(method);
  for (size_t i = 1; i < word.size(); ++i) {
    word[i] = absl::ascii_tolower(static_cast<unsigned char>(word[i]));
  }
  return absl::Status(status.code(), StrCat(word, " ", GoQuote(url), ": ", std::string(status.message())));
}

}  // namespace narthex
