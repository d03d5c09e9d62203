// narthex check web-config FILE...: the file of --web.config.file.
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "cli/config.h"
#include "cli/tool/check.h"
#include "cli/tool/tool_flags.h"

namespace narthex::cli {
namespace {

absl::Status Invalid(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

struct ServerTls {
  std::string cert, cert_file, key, key_file, client_ca, client_ca_file, client_auth_type, min_version,
      max_version;
  std::vector<std::string> cipher_suites, curve_preferences;
  bool given() const {
    return !(cert.empty() && cert_file.empty() && key.empty() && key_file.empty() && client_ca.empty() &&
             client_ca_file.empty() && client_auth_type.empty());
  }
};

absl::Status CheckVersion(const std::string& version) {
  for (const char* known : {"", "TLS10", "TLS11", "TLS12", "TLS13"}) {
    if (version == known) return absl::OkStatus();
  }
  return Invalid(StrCat("unknown TLS version: ", version));
}

// The names of Go's crypto/tls.
absl::Status CheckCiphers(const std::vector<std::string>& names) {
  constexpr const char* kKnown[] = {"TLS_RSA_WITH_AES_128_CBC_SHA",
                                    "TLS_RSA_WITH_AES_256_CBC_SHA",
                                    "TLS_RSA_WITH_AES_128_GCM_SHA256",
                                    "TLS_RSA_WITH_AES_256_GCM_SHA384",
                                    "TLS_AES_128_GCM_SHA256",
                                    "TLS_AES_256_GCM_SHA384",
                                    "TLS_CHACHA20_POLY1305_SHA256",
                                    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
                                    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
                                    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                                    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
                                    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                                    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                                    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                                    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                                    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                                    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"};
  for (const std::string& name : names) {
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown))
      return Invalid(StrCat("unknown cipher: ", name));
  }
  return absl::OkStatus();
}

absl::StatusOr<ServerTls> ReadTls(const YamlNode& node) {
  YamlMap map(node, "web.TLSConfig");
  ServerTls tls;
  map.Get("cert", &tls.cert);
  map.Get("cert_file", &tls.cert_file);
  map.Get("key", &tls.key);
  map.Get("key_file", &tls.key_file);
  map.Get("client_ca", &tls.client_ca);
  map.Get("client_ca_file", &tls.client_ca_file);
  map.Get("client_auth_type", &tls.client_auth_type);
  map.Get("min_version", &tls.min_version);
  map.Get("max_version", &tls.max_version);
  map.Get("cipher_suites", &tls.cipher_suites);
  map.Get("curve_preferences", &tls.curve_preferences);
  std::vector<std::string> sans;
  map.Get("client_allowed_sans", &sans);
  bool prefer = true;
  map.Get("prefer_server_cipher_suites", &prefer);
  RETURN_IF_ERROR(map.Finish());
  RETURN_IF_ERROR(CheckVersion(tls.min_version));
  RETURN_IF_ERROR(CheckVersion(tls.max_version));
  RETURN_IF_ERROR(CheckCiphers(tls.cipher_suites));
  for (const std::string& curve : tls.curve_preferences) {
    if (curve != "CurveP256" && curve != "CurveP384" && curve != "CurveP521" && curve != "X25519")
      return Invalid(StrCat("unknown curve: ", curve));
  }
  return tls;
}

// The PEM text of `key` or of the file that `key`_file names.
absl::StatusOr<std::string> Pem(const char* key, const std::string& text, const std::string& file,
                                const std::string& dir) {
  if (!text.empty()) return text;
  absl::StatusOr<std::string> read = ReadFile(
      std::filesystem::path(file).is_absolute() ? file : (std::filesystem::path(dir) / file).string());
  if (read.ok()) return read;
  return Invalid(StrCat("failed to read ", key, "_file (", file, "): ", read.status().message()));
}

absl::Status CheckKeyPair(const std::string& cert_pem, const std::string& key_pem) {
  std::unique_ptr<BIO, int (*)(BIO*)> cert_bio(
      BIO_new_mem_buf(cert_pem.data(), static_cast<int>(cert_pem.size())), BIO_free);
  std::unique_ptr<BIO, int (*)(BIO*)> key_bio(
      BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())), BIO_free);
  std::unique_ptr<X509, void (*)(X509*)> cert(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr),
                                              X509_free);
  if (!cert)
    return Invalid("failed to load X509KeyPair: tls: failed to find any PEM data in certificate input");
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!key) return Invalid("failed to load X509KeyPair: tls: failed to find any PEM data in key input");
  if (X509_check_private_key(cert.get(), key.get()) != 1)
    return Invalid("failed to load X509KeyPair: tls: private key does not match public key");
  return absl::OkStatus();
}

absl::Status CheckTls(const ServerTls& tls, const std::string& dir) {
  if (!tls.given()) return absl::OkStatus();
  if (tls.cert.empty() && tls.cert_file.empty()) return Invalid("missing one of cert or cert_file");
  if (tls.key.empty() && tls.key_file.empty()) return Invalid("missing one of key or key_file");
  ASSIGN_OR_RETURN(std::string cert, Pem("cert", tls.cert, tls.cert_file, dir));
  ASSIGN_OR_RETURN(std::string key, Pem("key", tls.key, tls.key_file, dir));
  RETURN_IF_ERROR(CheckKeyPair(cert, key));
  const bool has_ca = !tls.client_ca.empty() || !tls.client_ca_file.empty();
  if (has_ca) RETURN_IF_ERROR(Pem("client_ca", tls.client_ca, tls.client_ca_file, dir).status());
  for (const char* type : {"RequestClientCert", "RequireClientCert", "RequireAnyClientCert",
                           "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"}) {
    if (tls.client_auth_type == type) return absl::OkStatus();
  }
  if (!tls.client_auth_type.empty() && tls.client_auth_type != "NoClientCert")
    return Invalid(StrCat("Invalid ClientAuth: ", tls.client_auth_type));
  if (has_ca) return Invalid("Client CA's have been configured without a Client Auth Policy");
  return absl::OkStatus();
}

absl::Status CheckHeaders(const YamlNode& node) {
  YamlMap http(node, "web.HTTPConfig");
  bool http2 = true;
  http.Get("http2", &http2);
  std::vector<std::pair<std::string, std::string>> headers;
  http.Get("headers", &headers);
  RETURN_IF_ERROR(http.Finish());
  for (const auto& [name, value] : headers) {
    bool known = false;
    for (const char* allowed : {"Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options",
                                "X-XSS-Protection", "Content-Security-Policy"}) {
      known |= name == allowed;
    }
    if (!known) return Invalid(StrCat("HTTP header \"", name, "\" can not be configured"));
    std::string lower = absl::AsciiStrToLower(value);
    if (name == "X-Frame-Options" && lower != "deny" && lower != "sameorigin")
      return Invalid(
          StrCat("invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], "
                 "but got: \"",
                 value, "\""));
    if (name == "X-Content-Type-Options" && lower != "nosniff")
      return Invalid(
          StrCat("invalid value for X-Content-Type-Options. Expected one of: [\"nosniff\"], but "
                 "got: \"",
                 value, "\""));
  }
  return absl::OkStatus();
}

absl::Status CheckPasswordHash(const std::string& hash) {
  if (hash.size() < 59) return Invalid("crypto/bcrypt: hashedSecret too short to be a bcrypted password");
  if (hash[0] != '$')
    return Invalid(StrCat("crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with '",
                          hash.substr(0, 1), "'"));
  if (hash[1] > '2')
    return Invalid(StrCat("crypto/bcrypt: bcrypt algorithm version '", hash.substr(1, 1),
                          "' requested is newer than current version '2'"));
  return absl::OkStatus();
}

absl::Status CheckWebConfig(const std::string& file) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(file));
  ASSIGN_OR_RETURN(YamlNode root, YamlNode::Parse(text));
  YamlMap map(root, "web.Config");
  const YamlNode *tls_node = map.Child("tls_server_config"), *http = map.Child("http_server_config"),
                 *limit = map.Child("rate_limit");
  std::vector<std::pair<std::string, std::string>> users;
  map.Get("basic_auth_users", &users);
  RETURN_IF_ERROR(map.Finish());
  ServerTls tls;
  if (tls_node != nullptr) {
    ASSIGN_OR_RETURN(tls, ReadTls(*tls_node));
  }
  if (http != nullptr) RETURN_IF_ERROR(CheckHeaders(*http));
  if (limit != nullptr) {
    YamlMap rate(*limit, "web.RateLimiterConfig");
    int64_t burst = 0, interval_ms = 0;
    rate.Get("burst", &burst);
    rate.GetDuration("interval", &interval_ms);
    RETURN_IF_ERROR(rate.Finish());
  }
  for (const auto& [name, hash] : users) RETURN_IF_ERROR(CheckPasswordHash(hash));
  return CheckTls(tls, std::filesystem::path(file).parent_path().string());
}

}  // namespace

int RunCheckWebConfig(const std::vector<std::string>& args) {
  ToolFlags flags("check web-config [<flags>] <web-config-files>...");
  int64_t lookback_ms = 0;
  flags.AddDuration("query.lookback-delta", "Of no effect here.", &lookback_ms);
  std::vector<std::string> files;
  if (std::optional<int> status = flags.Parse(args, &files)) return *status;
  if (files.empty()) return UsageError("required argument 'web-config-files' not provided");
  if (std::optional<int> status = CheckExist(files)) return *status;
  bool ok = true;
  for (const std::string& file : files) {
    absl::Status status = CheckWebConfig(file);
    ok &= status.ok();
    std::fprintf(stderr, "%s %s%s\n", file.c_str(),
                 status.ok() ? "SUCCESS" : "FAILED: ", std::string(status.message()).c_str());
  }
  return ok ? 0 : 1;
}

}  // namespace narthex::cli
