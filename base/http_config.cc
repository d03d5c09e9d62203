// The HTTP client keys of a configuration: read, checked, printed.
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
    return absl::InvalidArgumentError("at most one of ca and ca_file must be configured");
  }
  if (!out->cert.empty() && !out->cert_file.empty()) {
    return absl::InvalidArgumentError("at most one of cert and cert_file must be configured");
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

absl::Status ReadOauth2(const YamlNode& node, const std::string& base_dir, HttpClientConfig* out) {
  YamlMap map(node, "config.OAuth2");
  out->has_oauth2 = true;
  map.Get("client_id", &out->oauth2_client_id);
  map.Get("client_secret", &out->oauth2_client_secret);
  map.Get("client_secret_file", &out->oauth2_client_secret_file);
  map.Get("token_url", &out->oauth2_token_url);
  map.Get("scopes", &out->oauth2_scopes);
  map.Get("endpoint_params", &out->oauth2_endpoint_params);
  for (const char* key :
       {"client_secret_ref", "tls_config", "proxy_url", "no_proxy", "proxy_from_environment",
        "proxy_connect_header", "client_certificate_key", "grant_type", "audience", "claims",
        "client_certificate_key_id", "client_certificate_key_file", "client_certificate_key_ref",
        "signature_algorithm", "iss"}) {
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

absl::Status ReadHeaders(const YamlNode& node, HttpClientConfig* out) {
  for (const auto& [name, value] : node.fields()) {
    YamlMap map(value, "config.Header");
    std::vector<std::string> values;
    map.Get("values", &values);
    map.Get("secrets", &values);
    map.Child("files");
    RETURN_IF_ERROR(map.Finish());
    for (const std::string& text : values) out->headers.emplace_back(name, text);
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
  if (const YamlNode* node = map->Child("http_headers")) RETURN_IF_ERROR(ReadHeaders(*node, out));
  map->Get("proxy_url", &out->proxy_url);
  map->Get("no_proxy", &out->no_proxy);
  map->Get("proxy_from_environment", &out->proxy_from_environment);
  map->Child("proxy_connect_header");
  map->Get("follow_redirects", &out->follow_redirects);
  map->Get("enable_http2", &out->enable_http2);
  RETURN_IF_ERROR(ReadBearer(map, base_dir, out));
  int methods = (out->has_basic_auth ? 1 : 0) + (out->has_authorization ? 1 : 0) + (out->has_oauth2 ? 1 : 0);
  if (methods > 1) {
    return absl::InvalidArgumentError("at most one of basic_auth, oauth2 & authorization must be configured");
  }
  if (out->proxy_from_environment && (!out->proxy_url.empty() || !out->no_proxy.empty())) {
    return absl::InvalidArgumentError(
        out->proxy_url.empty() ? "if no_proxy is configured, proxy_url must also be configured"
                               : "if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (out->proxy_url.empty() && !out->no_proxy.empty()) {
    return absl::InvalidArgumentError("if no_proxy is configured, proxy_url must also be configured");
  }
  return absl::OkStatus();
}

std::string DumpHttpClientConfig(const HttpClientConfig& config, int indent) {
  std::string pad(static_cast<size_t>(indent), ' '), out;
  auto line = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) StrAppend(&out, pad, name, ": ", value, "\n");
  };
  if (config.has_basic_auth) {
    StrAppend(&out, pad, "basic_auth:\n");
    line("  username", config.basic_user);
    line("  username_file", config.basic_user_file);
    line("  password", config.basic_password.empty() ? "" : "<secret>");
    line("  password_file", config.basic_password_file);
  }
  if (config.has_authorization) {
    StrAppend(&out, pad, "authorization:\n");
    line("  type", config.auth_type);
    line("  credentials", config.auth_credentials.empty() ? "" : "<secret>");
    line("  credentials_file", config.auth_credentials_file);
  }
  if (config.has_oauth2) {
    StrAppend(&out, pad, "oauth2:\n");
    line("  client_id", config.oauth2_client_id);
    line("  client_secret", config.oauth2_client_secret.empty() ? "" : "<secret>");
    line("  token_url", config.oauth2_token_url);
  }
  const TlsConfig& tls = config.tls;
  if (tls.insecure_skip_verify || !tls.ca_file.empty() || !tls.cert_file.empty() ||
      !tls.server_name.empty()) {
    StrAppend(&out, pad, "tls_config:\n");
    line("  ca_file", tls.ca_file);
    line("  cert_file", tls.cert_file);
    line("  key_file", tls.key_file);
    line("  server_name", tls.server_name);
    line("  insecure_skip_verify", tls.insecure_skip_verify ? "true" : "false");
  }
  line("proxy_url", config.proxy_url);
  line("follow_redirects", config.follow_redirects ? "true" : "false");
  line("enable_http2", config.enable_http2 ? "true" : "false");
  return out;
}

}  // namespace narthex
