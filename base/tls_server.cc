#include "base/tls_server.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/files.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {
namespace {

absl::Status OpenSslError(std::string_view what) {
  char text[256] = "unknown error";
  if (unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return absl::InvalidArgumentError(StrCat(what, ": ", std::string_view(text)));
}

absl::StatusOr<int> VersionOf(const std::string& name) {
  if (name == "TLS13") return TLS1_3_VERSION;
  if (name == "TLS12") return TLS1_2_VERSION;
  if (name == "TLS11") return TLS1_1_VERSION;
  if (name == "TLS10") return TLS1_VERSION;
  return absl::InvalidArgumentError(StrCat("unknown TLS version: ", name));
}

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;

BioPtr Memory(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

X509Ptr NextCertificate(BIO* bio) { return {PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), X509_free}; }

// The PEM text given in place, or that of the file.
absl::StatusOr<std::string> Pem(std::string_view what, const std::string& text, const std::string& file) {
  if (!text.empty()) return text;
  absl::StatusOr<std::string> read = ReadFile(file);
  if (read.ok()) return read;
  return absl::InvalidArgumentError(
      StrCat("failed to read ", what, "_file (", file, "): ", read.status().message()));
}

// In the words of Go's crypto/tls.
absl::Status KeyPairError(std::string_view reason) {
  ERR_clear_error();
  return absl::InvalidArgumentError(StrCat("failed to load X509KeyPair: tls: ", reason));
}

absl::Status UseCertificate(const std::string& pem, SSL_CTX* context) {
  BioPtr bio = Memory(pem);
  X509Ptr own = NextCertificate(bio.get());
  if (!own && pem.find("PRIVATE KEY-----") != pem.npos)
    return KeyPairError(
        "failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs "
        "may have "
        "been switched");
  if (!own) return KeyPairError("failed to find any PEM data in certificate input");
  if (SSL_CTX_use_certificate(context, own.get()) != 1) return OpenSslError("failed to load X509KeyPair");
  while (X509Ptr next = NextCertificate(bio.get())) SSL_CTX_add1_chain_cert(context, next.get());
  ERR_clear_error();  // the end of the text is an error too
  return absl::OkStatus();
}

absl::Status UseKey(const std::string& pem, SSL_CTX* context) {
  BioPtr bio = Memory(pem);
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!key && pem.find("CERTIFICATE-----") != pem.npos)
    return KeyPairError("found a certificate rather than a key in the PEM for the private key");
  if (!key) return KeyPairError("failed to find any PEM data in key input");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return KeyPairError("private key does not match public key");
  return absl::OkStatus();
}

absl::Status UseClientCa(const TlsServerConfig& config, SSL_CTX* context) {
  std::string pem = config.client_ca;
  if (!config.client_ca_file.empty()) {
    ASSIGN_OR_RETURN(pem, ReadFile(config.client_ca_file));
  }
  BioPtr bio = Memory(pem);
  while (X509Ptr next = NextCertificate(bio.get())) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next.get());
    SSL_CTX_add_client_CA(context, next.get());
  }
  ERR_clear_error();
  return absl::OkStatus();
}

int AcceptAny(X509_STORE_CTX*, void*) { return 1; }

std::string AddressText(const ASN1_OCTET_STRING* address) {
  const unsigned char* bytes = ASN1_STRING_get0_data(address);
  if (ASN1_STRING_length(address) == 4) return StrCat(bytes[0], ".", bytes[1], ".", bytes[2], ".", bytes[3]);
  return "";
}

bool HasAllowedName(X509* certificate, const std::vector<std::string>& allowed) {
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    std::string text;
    if (name->type == GEN_IPADD) {
      text = AddressText(name->d.iPAddress);
    } else if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI) {
      const unsigned char* data = ASN1_STRING_get0_data(name->d.ia5);
      text.assign(reinterpret_cast<const char*>(data), static_cast<size_t>(ASN1_STRING_length(name->d.ia5)));
    }
    found |= !text.empty() && std::find(allowed.begin(), allowed.end(), text) != allowed.end();
  }
  GENERAL_NAMES_free(names);
  return found;
}

// The usual verification, then the names. The list belongs to the context (freed with it).
int VerifyNames(X509_STORE_CTX* store, void* argument) {
  if (X509_verify_cert(store) != 1) return 0;
  const auto& allowed = *static_cast<const std::vector<std::string>*>(argument);
  if (HasAllowedName(X509_STORE_CTX_get0_cert(store), allowed)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

absl::Status UseClientAuth(const TlsServerConfig& config, SSL_CTX* context) {
  const std::string& type = config.client_auth_type;
  int mode = SSL_VERIFY_NONE;
  if (type == "RequestClientCert" || type == "VerifyClientCertIfGiven") {
    mode = SSL_VERIFY_PEER;
  } else if (type == "RequireAnyClientCert" || type == "RequireClientCert" ||
             type == "RequireAndVerifyClientCert") {
    mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  } else if (!type.empty() && type != "NoClientCert") {
    return absl::InvalidArgumentError(StrCat("Invalid ClientAuth: ", type));
  }
  bool has_ca = !config.client_ca.empty() || !config.client_ca_file.empty();
  if (has_ca && mode == SSL_VERIFY_NONE) {
    return absl::InvalidArgumentError("Client CA's have been configured without a Client Auth Policy");
  }
  SSL_CTX_set_verify(context, mode, nullptr);
  bool verifies = type == "VerifyClientCertIfGiven" || type == "RequireAndVerifyClientCert";
  if (mode != SSL_VERIFY_NONE && !verifies) SSL_CTX_set_cert_verify_callback(context, AcceptAny, nullptr);
  if (verifies && !config.client_allowed_sans.empty()) {
    static const int kIndex = SSL_CTX_get_ex_new_index(
        0, nullptr, nullptr, nullptr, [](void*, void* data, CRYPTO_EX_DATA*, int, long, void*) {
          delete static_cast<std::vector<std::string>*>(data);
        });
    auto* names = new std::vector<std::string>(config.client_allowed_sans);
    SSL_CTX_set_ex_data(context, kIndex, names);
    SSL_CTX_set_cert_verify_callback(context, VerifyNames, names);
  }
  return UseClientCa(config, context);
}

absl::Status UseCiphers(const TlsServerConfig& config, SSL_CTX* context) {
  std::string ciphers, curves;
  for (const std::string& name : config.cipher_suites) {
    const char* known = OPENSSL_cipher_name(name.c_str());
    if (known == nullptr || std::string_view(known) == "(NONE)") {
      return absl::InvalidArgumentError(StrCat("unknown cipher: ", name));
    }
    if (!name.starts_with("TLS_AES_") && !name.starts_with("TLS_CHACHA20_")) StrAppend(&ciphers, ":", known);
  }
  if (!ciphers.empty() && SSL_CTX_set_cipher_list(context, ciphers.c_str() + 1) != 1)
    return OpenSslError("cipher_suites");
  for (const std::string& name : config.curve_preferences) {
    std::string_view known = name == "CurveP256"   ? "P-256"
                             : name == "CurveP384" ? "P-384"
                             : name == "CurveP521" ? "P-521"
                             : name == "X25519"    ? "X25519"
                                                   : "";
    if (known.empty()) return absl::InvalidArgumentError(StrCat("unknown curve: ", name));
    StrAppend(&curves, ":", known);
  }
  if (!curves.empty() && SSL_CTX_set1_groups_list(context, curves.c_str() + 1) != 1) {
    return OpenSslError("curve_preferences");
  }
  if (config.prefer_server_cipher_suites) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  return absl::OkStatus();
}

// Old ciphers are forbidden to HTTP/2 (RFC 9113, 9.2.2); with them the connection speaks HTTP/1.1.
bool CipherFitsHttp2(SSL* ssl) {
  if (SSL_version(ssl) >= TLS1_3_VERSION) return true;
  const SSL_CIPHER* cipher = SSL_get_pending_cipher(ssl);
  if (SSL_version(ssl) < TLS1_2_VERSION || cipher == nullptr || SSL_CIPHER_is_aead(cipher) != 1) return false;
  int exchange = SSL_CIPHER_get_kx_nid(cipher);
  return exchange == NID_kx_ecdhe || exchange == NID_kx_dhe;
}

// `http2` is null if HTTP/2 is switched off.
int ChooseProtocol(SSL* ssl, const unsigned char** out, unsigned char* length, const unsigned char* offered,
                   unsigned size, void* http2) {
  static constexpr unsigned char kBoth[] = "\x02h2\x08http/1.1";
  const unsigned char* ours = kBoth;
  unsigned ours_size = sizeof kBoth - 1;
  if (http2 == nullptr || !CipherFitsHttp2(ssl)) {
    ours += 3;
    ours_size -= 3;
  }
  unsigned char* chosen = nullptr;
  int result = SSL_select_next_proto(&chosen, length, ours, ours_size, offered, size);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

absl::StatusOr<std::shared_ptr<ssl_ctx_st>> NewTlsContext(const TlsServerConfig& config, bool http2) {
  if (config.cert.empty() && config.cert_file.empty()) {
    return absl::InvalidArgumentError("missing one of cert or cert_file");
  }
  if (config.key.empty() && config.key_file.empty()) {
    return absl::InvalidArgumentError("missing one of key or key_file");
  }
  std::shared_ptr<ssl_ctx_st> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return OpenSslError("TLS");
  ASSIGN_OR_RETURN(int min_version, VersionOf(config.min_version));
  ASSIGN_OR_RETURN(int max_version, VersionOf(config.max_version));
  SSL_CTX_set_min_proto_version(context.get(), min_version);
  SSL_CTX_set_max_proto_version(context.get(), max_version);
  RETURN_IF_ERROR(UseCiphers(config, context.get()));
  ASSIGN_OR_RETURN(std::string cert, Pem("cert", config.cert, config.cert_file));
  ASSIGN_OR_RETURN(std::string key, Pem("key", config.key, config.key_file));
  RETURN_IF_ERROR(UseCertificate(cert, context.get()));
  RETURN_IF_ERROR(UseKey(key, context.get()));
  RETURN_IF_ERROR(UseClientAuth(config, context.get()));
  SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, http2 ? context.get() : nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

}  // namespace narthex
