// The server's side of TLS: a context made from web.config.file's tls_server_config. Includes OpenSSL.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

struct ssl_ctx_st;

namespace narthex {

struct TlsServerConfig {
  std::string cert, cert_file, key, key_file;
  std::string client_auth_type = "NoClientCert", client_ca, client_ca_file;
  std::vector<std::string> client_allowed_sans;
  std::string min_version = "TLS12", max_version = "TLS13";
  std::vector<std::string> cipher_suites, curve_preferences;  // Go's names
  bool prefer_server_cipher_suites = true;

  bool enabled() const { return !cert.empty() || !cert_file.empty(); }
};

// Reads the files. Errors name the file or the bad value. `http2`: offered to clients, by ALPN.
absl::StatusOr<std::shared_ptr<ssl_ctx_st>> NewTlsContext(const TlsServerConfig& config, bool http2);

}  // namespace narthex
