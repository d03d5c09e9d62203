#include "base/web_config.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "base/files.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace narthex {
namespace {

constexpr int64_t kCheckNs = 1'000'000'000;
constexpr size_t kMaxTried = 100;
// Some password's hash: an unknown user takes as long as a wrong password.
constexpr char kNobodysHash[] = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

absl::Status Invalid(std::string message) { return absl::InvalidArgumentError(message); }

std::string Join(const std::string& base_dir, const std::string& file) {
  if (file.empty() || file.starts_with("/")) return file;
  return (std::filesystem::path(base_dir) / file).lexically_normal().string();
}

absl::Status ReadTls(const YamlNode& node, const std::string& base_dir, TlsServerConfig* tls) {
  YamlMap map(node, "web.TLSConfig");
  map.Get("cert", &tls->cert);
  map.Get("cert_file", &tls->cert_file);
  map.Get("key", &tls->key);
  map.Get("key_file", &tls->key_file);
  map.Get("client_auth_type", &tls->client_auth_type);
  map.Get("client_ca", &tls->client_ca);
  map.Get("client_ca_file", &tls->client_ca_file);
  map.Get("client_allowed_sans", &tls->client_allowed_sans);
  map.Get("min_version", &tls->min_version);
  map.Get("max_version", &tls->max_version);
  map.Get("cipher_suites", &tls->cipher_suites);
  map.Get("curve_preferences", &tls->curve_preferences);
  map.Get("prefer_server_cipher_suites", &tls->prefer_server_cipher_suites);
  RETURN_IF_ERROR(map.Finish());
  for (std::string* file : {&tls->cert_file, &tls->key_file, &tls->client_ca_file})
    *file = Join(base_dir, *file);
  bool any = tls->enabled() || !tls->key.empty() || !tls->key_file.empty() || !tls->client_ca.empty() ||
             !tls->client_ca_file.empty() || tls->client_auth_type != TlsServerConfig().client_auth_type;
  return any ? NewTlsContext(*tls, true).status() : absl::OkStatus();
}

absl::Status CheckHeader(const std::string& name, const std::string& value) {
  static const std::map<std::string, std::vector<std::string>> kAllowed = {
      {"Strict-Transport-Security", {}},
      {"X-Content-Type-Options", {"nosniff"}},
      {"X-Frame-Options", {"deny", "sameorigin"}},
      {"X-XSS-Protection", {}},
      {"Content-Security-Policy", {}}};
  auto it = kAllowed.find(name);
  if (it == kAllowed.end()) return Invalid(StrCat("HTTP header ", GoQuote(name), " can not be configured"));
  const std::vector<std::string>& values = it->second;
  if (values.empty() || std::find(values.begin(), values.end(), value) != values.end()) {
    return absl::OkStatus();
  }
  std::string expected;
  for (const std::string& one : values) StrAppend(&expected, expected.empty() ? "" : " ", GoQuote(one));
  return Invalid(
      StrCat("invalid value for ", name, ". Expected one of: [", expected, "], but got: ", GoQuote(value)));
}

absl::Status CheckHash(const std::string& hash) {
  if (hash.size() < 59) return Invalid("crypto/bcrypt: hashedSecret too short to be a bcrypted password");
  if (hash[0] != '$')
    return Invalid(StrCat("crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with '",
                          hash.substr(0, 1), "'"));
  if (hash[1] > '2')
    return Invalid(StrCat("crypto/bcrypt: bcrypt algorithm version '", hash.substr(1, 1),
                          "' requested is newer than current version '2'"));
  const std::string cost = hash.substr(hash[2] == '$' ? 3 : 4, 2);
  int number = 0;
  if (!absl::SimpleAtoi(cost, &number))
    return Invalid(StrCat("strconv.Atoi: parsing ", GoQuote(cost), ": invalid syntax"));
  if (number < 4 || number > 31)
    return Invalid(StrCat("crypto/bcrypt: cost ", number, " is outside allowed inclusive range 4..31"));
  return absl::OkStatus();
}

std::string Digest(const std::string& hash, const std::string& password) {
  std::string text = StrCat(hash.size(), ":", hash, password);
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), out, &length, EVP_sha256(), nullptr);
  return std::string(reinterpret_cast<char*>(out), length);
}

// Name and password of an Authorization header. False: there is none.
bool BasicAuth(std::string_view header, std::string* name, std::string* password) {
  if (header.size() < 6 || !absl::EqualsIgnoreCase(ToAbsl(header.substr(0, 6)), "Basic ")) return false;
  std::string decoded;
  if (!absl::Base64Unescape(ToAbsl(header.substr(6)), &decoded)) return false;
  size_t colon = decoded.find(':');
  if (colon == decoded.npos) return false;
  *name = decoded.substr(0, colon);
  *password = decoded.substr(colon + 1);
  return true;
}

}  // namespace

absl::StatusOr<WebConfig> ParseWebConfig(std::string_view text, const std::string& base_dir) {
  ASSIGN_OR_RETURN(YamlNode root, YamlNode::Parse(text));
  WebConfig config;
  if (root.IsNull()) return config;
  YamlMap map(root, "web.Config");
  const YamlNode* tls = map.Child("tls_server_config");
  const YamlNode* http = map.Child("http_server_config");
  const YamlNode* rate = map.Child("rate_limit");
  std::vector<std::pair<std::string, std::string>> users;
  map.Get("basic_auth_users", &users);
  RETURN_IF_ERROR(map.Finish());
  if (tls != nullptr) RETURN_IF_ERROR(ReadTls(*tls, base_dir, &config.tls));
  if (http != nullptr) {
    YamlMap inner(*http, "web.HTTPConfig");
    inner.Get("http2", &config.http2);
    inner.Get("headers", &config.headers);
    RETURN_IF_ERROR(inner.Finish());
    for (const auto& [name, value] : config.headers) RETURN_IF_ERROR(CheckHeader(name, value));
  }
  if (rate != nullptr) {
    YamlMap inner(*rate, "web.RateLimiterConfig");
    inner.GetDuration("interval", &config.rate_interval_ms);
    inner.Get("burst", &config.rate_burst);
    RETURN_IF_ERROR(inner.Finish());
  }
  for (const auto& [name, hash] : users) {
    RETURN_IF_ERROR(CheckHash(hash));
    config.users[name] = hash;
  }
  return config;
}

bool BcryptMatches(const std::string& password, const std::string& hash) {
  auto data = std::make_unique<crypt_data>();
  std::memset(data.get(), 0, sizeof *data);
  const char* made = crypt_r(password.c_str(), hash.c_str(), data.get());
  if (made == nullptr || made[0] == '*' || password.find('\0') != password.npos) return false;
  std::string_view text(made);
  return text.size() == hash.size() && CRYPTO_memcmp(text.data(), hash.data(), hash.size()) == 0;
}

absl::StatusOr<std::unique_ptr<WebGate>> WebGate::Open(const std::string& path, const Clock* clock,
                                                       const Logger* logger) {
  std::unique_ptr<WebGate> gate(new WebGate(path, clock, logger));
  MutexLock lock(&gate->mutex_);
  gate->config_ = std::make_shared<WebConfig>();
  gate->fingerprint_ = gate->Fingerprint();
  RETURN_IF_ERROR(gate->Load());
  gate->fingerprint_ = gate->Fingerprint();
  gate->tls_ = gate->config_->tls.enabled();
  gate->checked_ns_ = clock->MonotonicNs();
  return gate;
}

absl::Status WebGate::Load() {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path_));
  std::string base_dir = std::filesystem::path(path_).parent_path().string();
  ASSIGN_OR_RETURN(WebConfig config, ParseWebConfig(text, base_dir.empty() ? "." : base_dir));
  if (config.tls.enabled()) {
    ASSIGN_OR_RETURN(context_, NewTlsContext(config.tls, config.http2));
  }
  config_ = std::make_shared<const WebConfig>(std::move(config));
  tried_.clear();
  return absl::OkStatus();
}

std::string WebGate::Fingerprint() const {
  std::string out;
  const TlsServerConfig& tls = config_->tls;
  for (const std::string& file : {path_, tls.cert_file, tls.key_file, tls.client_ca_file}) {
    struct stat info {};
    if (file.empty() || stat(file.c_str(), &info) != 0) continue;
    StrAppend(&out, file, ":", info.st_size, ":", info.st_ino, ":", info.st_mtim.tv_sec, ".",
              info.st_mtim.tv_nsec, ";");
  }
  return out;
}

void WebGate::Refresh() {
  int64_t now = clock_->MonotonicNs();
  if (now - checked_ns_ < kCheckNs) return;
  checked_ns_ = now;
  std::string found = Fingerprint();
  if (found == fingerprint_) return;
  if (absl::Status loaded = Load(); !loaded.ok()) {
    logger_->Error("The web configuration does not load, the old one stays",
                   {{"file", path_}, {"err", std::string(loaded.message())}});
  } else {
    logger_->Info("Loaded the web configuration", {{"file", path_}});
  }
  fingerprint_ = Fingerprint();
}

std::shared_ptr<const WebConfig> WebGate::Config() {
  MutexLock lock(&mutex_);
  Refresh();
  return config_;
}

std::shared_ptr<ssl_ctx_st> WebGate::TlsContext() {
  MutexLock lock(&mutex_);
  Refresh();
  return context_;
}

bool WebGate::Allowed(const HttpRequest& request, const WebConfig& config, HttpResponseWriter* out) {
  if (config.users.empty()) return true;
  std::string name, password;
  if (!BasicAuth(request.Header("authorization"), &name, &password)) return false;
  auto user = config.users.find(name);
  bool known = user != config.users.end();
  const std::string& hash = known ? user->second : std::string(kNobodysHash);
  std::string digest = Digest(hash, password);
  {
    MutexLock lock(&mutex_);
    if (auto it = tried_.find(digest); it != tried_.end()) return it->second && known;
  }
  out->ExpectLong();
  bool matches = BcryptMatches(password, hash);
  MutexLock lock(&mutex_);
  if (tried_.size() >= kMaxTried) tried_.clear();
  tried_[digest] = matches;
  return matches && known;
}

bool WebGate::WithinRate(const WebConfig& config) {
  if (config.rate_interval_ms <= 0) return true;
  MutexLock lock(&mutex_);
  int64_t now = clock_->MonotonicNs();
  double most = std::max<double>(1, static_cast<double>(config.rate_burst));
  double earned = static_cast<double>(now - tokens_ns_) / 1e6 / static_cast<double>(config.rate_interval_ms);
  tokens_ = tokens_ns_ == 0 ? most : std::min(most, tokens_ + earned);
  tokens_ns_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

HttpHandler WebGate::Guard(HttpHandler handler) {
  return [this, handler = std::move(handler)](const HttpRequest& request, HttpResponseWriter& out) {
    std::shared_ptr<const WebConfig> config = Config();
    for (const auto& [name, value] : config->headers) {
      if (!value.empty()) out.SetHeader(name, value);
    }
    if (!WithinRate(*config)) return out.Send(429, "text/plain; charset=utf-8", "Too Many Requests\n");
    if (Allowed(request, *config, &out)) return handler(request, out);
    out.SetHeader("WWW-Authenticate", "Basic");
    out.SetHeader("X-Content-Type-Options", "nosniff");
    out.Send(401, "text/plain; charset=utf-8", "Unauthorized\n");
  };
}

}  // namespace narthex
