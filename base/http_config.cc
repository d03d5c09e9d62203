// The HTTP client keys of a configuration: read, checked, printed.
#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/ascii.h"
#include "base/go_url.h"
#include "base/http_client.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {
namespace {

void JoinPath(const std::string& base_dir, std::string* file) {
  if (!file->empty() && !file->starts_with("/") && !base_dir.empty()) *file = StrCat(base_dir, "/", *file);
}

absl::Status ReadTls(const YamlNode& node, const std::string& base_dir, TlsConfig* out) {
  YamlMap map(node, "config.TLSConfig");
  map.Get("ca", &out->ca);
  map.Get("ca_file", &out->ca_file);
  map.Get("cert", &out->cert);
  map.Get("cert_file", &out->cert_file);
  map.Get("key", &out->key);
  map.Get("key_file", &out->key_file);
  map.Get("server_name", &out->server_name);
  map.Get("insecure_skip_verify", &out->insecure_skip_verify);
  map.Get("min_version", &out->min_version);
  map.Get("max_version", &out->max_version);
  for (const char* key : {"ca_ref", "cert_ref", "key_ref"}) map.Child(key);
  RETURN_IF_ERROR(map.Finish());
  if (!out->ca.empty() && !out->ca_file.empty()) {
    return absl::InvalidArgumentError("at most one of ca, ca_file & ca_ref must be configured");
  }
  if (!out->cert.empty() && !out->cert_file.empty()) {
    return absl::InvalidArgumentError("at most one of cert, cert_file & cert_ref must be configured");
  }
  if (!out->key.empty() && !out->key_file.empty()) {
    return absl::InvalidArgumentError("at most one of key and key_file must be configured");
  }
  bool has_cert = !out->cert.empty() || !out->cert_file.empty(),
       has_key = !out->key.empty() || !out->key_file.empty();
  if (has_cert && !has_key) {
    return absl::InvalidArgumentError(
        "exactly one of key or key_file must be configured when a client certificate is configured");
  }
  if (has_key && !has_cert) {
    return absl::InvalidArgumentError(
        "exactly one of cert or cert_file must be configured when a client key is configured");
  }
  for (const std::string* version : {&out->min_version, &out->max_version}) {
    if (!version->empty() && *version != "TLS10" && *version != "TLS11" && *version != "TLS12" &&
        *version != "TLS13") {
      return absl::InvalidArgumentError(StrCat("unknown TLS version: ", *version));
    }
  }
  JoinPath(base_dir, &out->ca_file);
  JoinPath(base_dir, &out->cert_file);
  JoinPath(base_dir, &out->key_file);
  return absl::OkStatus();
}

absl::Status ReadBasicAuth(const YamlNode& node, const std::string& base_dir, HttpClientConfig* out) {
  YamlMap map(node, "config.BasicAuth");
  out->has_basic_auth = true;
  map.Get("username", &out->basic_user);
  map.Get("username_file", &out->basic_user_file);
  map.Get("password", &out->basic_password);
  map.Get("password_file", &out->basic_password_file);
  map.Child("username_ref");
  map.Child("password_ref");
  RETURN_IF_ERROR(map.Finish());
  if (!out->basic_user.empty() && !out->basic_user_file.empty()) {
    return absl::InvalidArgumentError(
        "at most one of basic_auth username, username_file & username_ref must be configured");
  }
  if (!out->basic_password.empty() && !out->basic_password_file.empty()) {
    return absl::InvalidArgumentError(
        "at most one of basic_auth password, password_file & password_ref must be configured");
  }
  JoinPath(base_dir, &out->basic_user_file);
  JoinPath(base_dir, &out->basic_password_file);
  return absl::OkStatus();
}

absl::Status ReadAuthorization(const YamlNode& node, const std::string& base_dir, HttpClientConfig* out) {
  YamlMap map(node, "config.Authorization");
  out->has_authorization = true;
  map.Get("type", &out->auth_type);
  map.Get("credentials", &out->auth_credentials);
  map.Get("credentials_file", &out->auth_credentials_file);
  map.Child("credentials_ref");
  RETURN_IF_ERROR(map.Finish());
  if (!out->auth_credentials.empty() && !out->auth_credentials_file.empty()) {
    return absl::InvalidArgumentError(
        "at most one of authorization credentials & credentials_file must be configured");
  }
  std::string lower;
  for (char c : out->auth_type)
    lower.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  if (lower == "basic") {
    return absl::InvalidArgumentError(
        "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
  }
  JoinPath(base_dir, &out->auth_credentials_file);
  return absl::OkStatus();
}

absl::Status ReadProxy(YamlMap* map, HttpClientConfig* out) {
  map->Get("proxy_url", &out->proxy_url);
  map->Get("no_proxy", &out->no_proxy);
  map->Get("proxy_from_environment", &out->proxy_from_environment);
  if (const YamlNode* headers = map->Child("proxy_connect_header")) {
    YamlMap lists(*headers, "config.ProxyHeader");
    for (const auto& [name, value] : headers->fields()) {
      std::vector<std::string> values;
      lists.Get(name, &values);
      for (std::string& text : values) out->proxy_connect_headers.emplace_back(name, std::move(text));
    }
    RETURN_IF_ERROR(lists.Finish());
  }
  RETURN_IF_ERROR(CheckUrl(out->proxy_url));
  if (out->proxy_from_environment && !out->proxy_url.empty()) {
    return absl::InvalidArgumentError(
        "if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (out->proxy_from_environment && !out->no_proxy.empty()) {
    return absl::InvalidArgumentError(
        "if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (out->proxy_url.empty() && !out->no_proxy.empty()) {
    return absl::InvalidArgumentError("if no_proxy is configured, proxy_url must also be configured");
  }
  if (!out->proxy_connect_headers.empty() && out->proxy_url.empty() && !out->proxy_from_environment) {
    return absl::InvalidArgumentError(
        "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
  }
  return absl::OkStatus();
}

absl::Status ReadOauth2(const YamlNode& node, const std::string& base_dir, HttpClientConfig* out) {
  YamlMap map(node, "config.OAuth2");
  out->has_oauth2 = true;
  map.Get("client_id", &out->oauth2_client_id);
  map.Get("client_secret", &out->oauth2_client_secret);
  map.Get("client_secret_file", &out->oauth2_client_secret_file);
  map.Get("token_url", &out->oauth2_token_url);
  map.Get("scopes", &out->oauth2_scopes);
  map.Get("endpoint_params", &out->oauth2_endpoint_params);
  out->oauth2_http = std::make_shared<HttpClientConfig>();
  if (const YamlNode* tls = map.Child("tls_config")) {
    RETURN_IF_ERROR(ReadTls(*tls, base_dir, &out->oauth2_http->tls));
  }
  RETURN_IF_ERROR(ReadProxy(&map, out->oauth2_http.get()));
  for (const char* key : {"client_secret_ref", "client_certificate_key", "grant_type", "audience", "claims",
                          "client_certificate_key_id", "client_certificate_key_file",
                          "client_certificate_key_ref", "signature_algorithm", "iss"}) {
    map.Child(key);
  }
  RETURN_IF_ERROR(map.Finish());
  if (out->oauth2_client_id.empty()) return absl::InvalidArgumentError("oauth2 client_id must be configured");
  if (out->oauth2_token_url.empty()) return absl::InvalidArgumentError("oauth2 token_url must be configured");
  if (!out->oauth2_client_secret.empty() && !out->oauth2_client_secret_file.empty()) {
    return absl::InvalidArgumentError(
        "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured "
        "using grant-type=client_credentials");
  }
  JoinPath(base_dir, &out->oauth2_client_secret_file);
  return absl::OkStatus();
}

// Headers that the client itself is responsible for.
constexpr std::string_view kReservedHeaders[] = {"Authorization",
                                                 "Host",
                                                 "Content-Encoding",
                                                 "Content-Length",
                                                 "Content-Type",
                                                 "User-Agent",
                                                 "Connection",
                                                 "Keep-Alive",
                                                 "Proxy-Authenticate",
                                                 "Proxy-Authorization",
                                                 "Www-Authenticate",
                                                 "Accept-Encoding",
                                                 "X-Prometheus-Remote-Write-Version",
                                                 "X-Prometheus-Remote-Read-Version",
                                                 "X-Prometheus-Scrape-Timeout-Seconds",
                                                 "X-Amz-Date",
                                                 "X-Amz-Security-Token",
                                                 "X-Amz-Content-Sha256"};

// "content-TYPE" -> "Content-Type"
std::string CanonicalHeader(std::string_view name) {
  std::string out;
  for (char c : name) {
    const bool first = out.empty() || out.back() == '-';
    const int letter = static_cast<unsigned char>(c);
    out += static_cast<char>(first ? std::toupper(letter) : std::tolower(letter));
  }
  return out;
}

absl::Status ReadHeaders(const YamlNode& node, const std::string& base_dir, HttpClientConfig* out) {
  for (const auto& [name, value] : node.fields()) {
    const std::string canonical = CanonicalHeader(name);
    for (std::string_view reserved : kReservedHeaders) {
      if (canonical == reserved) {
        return absl::InvalidArgumentError(StrCat("setting header \"", canonical, "\" is not allowed"));
      }
    }
    YamlMap map(value, "config.Header");
    std::vector<std::string> values, secrets, files;
    map.Get("values", &values);
    map.Get("secrets", &secrets);
    map.Get("files", &files);
    RETURN_IF_ERROR(map.Finish());
    for (const std::string& text : values) out->headers.push_back({canonical, text});
    for (const std::string& text : secrets) out->headers.push_back({canonical, text, "", true});
    for (std::string& file : files) {
      JoinPath(base_dir, &file);
      out->headers.push_back({canonical, "", file});
    }
  }
  return absl::OkStatus();
}

absl::Status ReadBearer(YamlMap* map, const std::string& base_dir, HttpClientConfig* out) {
  std::string token, token_file;
  map->Get("bearer_token", &token);
  map->Get("bearer_token_file", &token_file);
  if (token.empty() && token_file.empty()) return absl::OkStatus();
  if (!token.empty() && !token_file.empty()) {
    return absl::InvalidArgumentError("at most one of bearer_token & bearer_token_file must be configured");
  }
  if (out->has_authorization) {
    return absl::InvalidArgumentError(
        "authorization is not compatible with bearer_token & bearer_token_file");
  }
  if (out->has_basic_auth || out->has_oauth2) {
    return absl::InvalidArgumentError(
        "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  }
  out->has_authorization = true;
  out->auth_credentials = token;
  out->auth_credentials_file = token_file;
  JoinPath(base_dir, &out->auth_credentials_file);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadHttpClientConfig(YamlMap* map, const std::string& base_dir, HttpClientConfig* out) {
  if (const YamlNode* node = map->Child("tls_config")) RETURN_IF_ERROR(ReadTls(*node, base_dir, &out->tls));
  if (const YamlNode* node = map->Child("basic_auth")) RETURN_IF_ERROR(ReadBasicAuth(*node, base_dir, out));
  if (const YamlNode* node = map->Child("authorization"))
    RETURN_IF_ERROR(ReadAuthorization(*node, base_dir, out));
  if (const YamlNode* node = map->Child("oauth2")) RETURN_IF_ERROR(ReadOauth2(*node, base_dir, out));
  if (const YamlNode* node = map->Child("http_headers")) RETURN_IF_ERROR(ReadHeaders(*node, base_dir, out));
  absl::Status proxy = ReadProxy(map, out);
  map->Get("follow_redirects", &out->follow_redirects);
  map->Get("enable_http2", &out->enable_http2);
  RETURN_IF_ERROR(ReadBearer(map, base_dir, out));
  int methods = (out->has_basic_auth ? 1 : 0) + (out->has_authorization ? 1 : 0) + (out->has_oauth2 ? 1 : 0);
  if (methods > 1) {
    return absl::InvalidArgumentError("at most one of basic_auth, oauth2 & authorization must be configured");
  }
  return proxy;
}

namespace {

// YAML lines under a common indent.
class YamlLines {
 public:
  explicit YamlLines(int indent) : pad_(static_cast<size_t>(indent), ' ') {}
  void Add(std::string_view name, std::string_view value) {
    if (!value.empty()) StrAppend(&out_, pad_, name, ": ", value, "\n");
  }
  void Secret(std::string_view name, std::string_view value) { Add(name, value.empty() ? "" : "<secret>"); }
  void Begin(std::string_view name) { StrAppend(&out_, pad_, name, ":\n"); }
  void Text(std::string_view text) { StrAppend(&out_, text); }
  void List(std::string_view name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    Begin(name);
    const size_t deeper = name.find_first_not_of(' ');
    for (const std::string& value : values) {
      StrAppend(&out_, pad_, std::string(deeper, ' '), "- ", YamlString(value), "\n");
    }
  }
  std::string& out() { return out_; }

 private:
  const std::string pad_;
  std::string out_;
};

std::string DumpTls(const TlsConfig& tls, int indent) {
  YamlLines lines(indent);
  lines.Add("  ca", tls.ca.empty() ? "" : YamlString(tls.ca));
  lines.Add("  cert", tls.cert.empty() ? "" : YamlString(tls.cert));
  lines.Secret("  key", tls.key);
  lines.Add("  ca_file", tls.ca_file);
  lines.Add("  cert_file", tls.cert_file);
  lines.Add("  key_file", tls.key_file);
  lines.Add("  server_name", tls.server_name);
  const bool versions = !tls.min_version.empty() || !tls.max_version.empty();
  if (lines.out().empty() && !tls.insecure_skip_verify && !versions) return "";
  lines.Add("  insecure_skip_verify", tls.insecure_skip_verify ? "true" : "false");
  lines.Add("  min_version", tls.min_version);
  lines.Add("  max_version", tls.max_version);
  return StrCat(std::string(static_cast<size_t>(indent), ' '), "tls_config:\n", lines.out());
}

std::string DumpProxy(const HttpClientConfig& config, int indent) {
  YamlLines lines(indent);
  lines.Add("proxy_url", config.proxy_url);
  lines.Add("no_proxy", config.no_proxy);
  if (config.proxy_from_environment) lines.Add("proxy_from_environment", "true");
  std::map<std::string, std::vector<std::string>> headers;
  for (const auto& [name, value] : config.proxy_connect_headers) headers[name].push_back("<secret>");
  if (!headers.empty()) lines.Begin("proxy_connect_header");
  for (const auto& [name, values] : headers) lines.List(StrCat("  ", name), values);
  return lines.out();
}

std::string DumpHeaders(const HttpClientConfig& config, int indent) {
  YamlLines lines(indent);
  std::map<std::string, std::array<std::vector<std::string>, 3>> headers;
  for (const HttpHeader& header : config.headers) {
    const bool file = !header.file.empty();
    headers[header.name][file            ? 2
                         : header.secret ? 1
                                         : 0]
        .push_back(file            ? header.file
                   : header.secret ? "<secret>"
                                   : header.value);
  }
  if (!headers.empty()) lines.Begin("http_headers");
  for (const auto& [name, kinds] : headers) {
    lines.Begin(StrCat("  ", name));
    lines.List("    values", kinds[0]);
    lines.List("    secrets", kinds[1]);
    lines.List("    files", kinds[2]);
  }
  return lines.out();
}

void DumpOauth2(const HttpClientConfig& config, int indent, YamlLines* lines) {
  lines->Begin("oauth2");
  lines->Add("  client_id", config.oauth2_client_id);
  lines->Secret("  client_secret", config.oauth2_client_secret);
  lines->Add("  client_secret_file", config.oauth2_client_secret_file);
  lines->List("  scopes", config.oauth2_scopes);
  lines->Add("  token_url", config.oauth2_token_url);
  if (!config.oauth2_endpoint_params.empty()) lines->Begin("  endpoint_params");
  for (const auto& [name, value] : config.oauth2_endpoint_params) {
    lines->Add(StrCat("    ", name), YamlString(value));
  }
  if (config.oauth2_http == nullptr) return;
  lines->Text(DumpTls(config.oauth2_http->tls, indent + 2));
  lines->Text(DumpProxy(*config.oauth2_http, indent + 2));
}

}  // namespace

std::string DumpHttpClientConfig(const HttpClientConfig& config, int indent) {
  YamlLines lines(indent);
  if (config.has_basic_auth) {
    lines.Begin("basic_auth");
    lines.Add("  username", config.basic_user);
    lines.Add("  username_file", config.basic_user_file);
    lines.Secret("  password", config.basic_password);
    lines.Add("  password_file", config.basic_password_file);
  }
  if (config.has_authorization) {
    lines.Begin("authorization");
    lines.Add("  type", config.auth_type);
    lines.Secret("  credentials", config.auth_credentials);
    lines.Add("  credentials_file", config.auth_credentials_file);
  }
  if (config.has_oauth2) DumpOauth2(config, indent, &lines);
  lines.Text(DumpTls(config.tls, indent));
  lines.Add("follow_redirects", config.follow_redirects ? "true" : "false");
  lines.Add("enable_http2", config.enable_http2 ? "true" : "false");
  lines.Text(DumpProxy(config, indent));
  lines.Text(DumpHeaders(config, indent));
  return lines.out();
}

absl::Status CheckExtraHeaders(const std::vector<std::pair<std::string, std::string>>& headers,
                               std::string_view authorization_error) {
  static constexpr auto kReserved = std::to_array<std::string_view>(
      {"host", "content-encoding", "content-length", "content-type", "user-agent", "connection", "keep-alive",
       "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
       "x-prometheus-remote-write-version", "x-prometheus-remote-read-version", "x-amz-date",
       "x-amz-security-token", "x-amz-content-sha256"});
  for (const auto& [header, value] : headers) {
    std::string lower = absl::AsciiStrToLower(header);
    if (lower == "authorization" && !authorization_error.empty())
      return absl::InvalidArgumentError(std::string(authorization_error));
    if (std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end()) {
      return absl::InvalidArgumentError(StrCat(header, " is a reserved header. It must not be changed"));
    }
  }
  return absl::OkStatus();
}

}  // namespace narthex
