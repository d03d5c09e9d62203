#include "tests/support/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/http_status.h"
#include "base/strings.h"

namespace narthex::testing {
namespace {

constexpr int kPollMs = 20;  // how soon a connection notices that the server stops

std::string PemText(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

}  // namespace

Certificate MakeCertificate(const std::string& san, int days) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -2 * 86400L);
  X509_gmtime_adj(X509_getm_notAfter(cert), days * 86400L);
  X509_set_pubkey(cert, key);
  X509_NAME* name = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1,
                             0);
  X509_set_issuer_name(cert, name);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, san.c_str());
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(cert, key, EVP_sha256());
  Certificate out;
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, cert);
  out.cert = PemText(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  out.key = PemText(bio);
  X509_free(cert);
  EVP_PKEY_free(key);
  return out;
}

std::string RawServer::Connection::path() const {
  const size_t begin = head_.find(' ') + 1;
  return head_.substr(begin, head_.find(' ', begin) - begin);
}

std::string RawServer::Connection::header(std::string_view name) const {
  const std::string lower = absl::AsciiStrToLower(head_);
  const size_t at = lower.find(StrCat("\r\n", name, ":"));
  if (at == lower.npos) return "";
  const size_t begin = at + 3 + name.size();
  return std::string(absl::StripAsciiWhitespace(
      ToAbsl(std::string_view(head_).substr(begin, head_.find("\r\n", begin) - begin))));
}

bool RawServer::Connection::Send(std::string_view bytes) {
  while (!bytes.empty() && !server_->stopping_) {
    pollfd ready{fd_, POLLOUT, 0};
    if (poll(&ready, 1, kPollMs) == 0) continue;
    const ssize_t sent = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                         : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && ssl_ == nullptr && errno == EAGAIN) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return bytes.empty();
}

void RawServer::Connection::Answer(int status, std::string_view content_type, std::string_view body,
                                   std::string_view more_headers) {
  std::string head =
      StrCat("HTTP/1.1 ", status, " ", HttpStatusText(status), "\r\nContent-Length: ", body.size(), "\r\n");
  if (!content_type.empty()) StrAppend(&head, "Content-Type: ", content_type, "\r\n");
  keep_ = Send(StrCat(head, more_headers, "\r\n", body));
}

void RawServer::Connection::ResetOnClose() {
  reset_ = true;
  linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void RawServer::Connection::WaitForClient() {
  while (Read()) {
  }
}

bool RawServer::Connection::Read() {
  while (!server_->stopping_) {
    pollfd ready{fd_, POLLIN, 0};
    if ((ssl_ == nullptr || SSL_pending(ssl_) == 0) && poll(&ready, 1, kPollMs) == 0) continue;
    char buffer[4096];
    const ssize_t n =
        ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof buffer) : recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    pending_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  return false;
}

bool RawServer::Connection::ReadRequest() {
  size_t end;
  while ((end = pending_.find("\r\n\r\n")) == pending_.npos) {
    if (!Read()) return false;
  }
  head_ = pending_.substr(0, end + 2);
  pending_.erase(0, end + 4);
  size_t length = 0;
  if (!absl::SimpleAtoi(header("content-length"), &length)) length = 0;
  while (pending_.size() < length) {
    if (!Read()) return false;
  }
  body_ = pending_.substr(0, length);
  pending_.erase(0, length);
  return true;
}

RawServer::RawServer(Handler handler, const Certificate* certificate, const std::string& unix_path)
    : handler_(std::move(handler)) {
  signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that the client has closed
  if (certificate != nullptr) {
    tls_ = SSL_CTX_new(TLS_server_method());
    BIO* bio = BIO_new_mem_buf(certificate->cert.data(), static_cast<int>(certificate->cert.size()));
    X509* cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    bio = BIO_new_mem_buf(certificate->key.data(), static_cast<int>(certificate->key.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    SSL_CTX_use_certificate(tls_, cert);
    SSL_CTX_use_PrivateKey(tls_, key);
    X509_free(cert);
    EVP_PKEY_free(key);
  }
  if (unix_path.empty()) {
    ListenOnLoopback();
  } else {
    listener_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) abort();
  }
  if (listen(listener_, 64) != 0) abort();
  acceptor_ = std::thread([this] { Accept(); });
}

void RawServer::ListenOnLoopback() {
  listener_ = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    abort();
  }
  port_ = ntohs(address.sin_port);
}

RawServer::~RawServer() {
  stopping_ = true;
  acceptor_.join();
  std::vector<std::thread> threads;
  {
    MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  close(listener_);
  SSL_CTX_free(tls_);
}

void RawServer::Accept() {
  while (!stopping_) {
    pollfd ready{listener_, POLLIN, 0};
    if (poll(&ready, 1, kPollMs) <= 0) continue;
    const int fd = accept(listener_, nullptr, nullptr);
    if (fd < 0) continue;
    ++connections_;
    MutexLock lock(&mutex_);
    threads_.emplace_back([this, fd] { Serve(fd); });
  }
}

void RawServer::Serve(int fd) {
  Connection connection;
  connection.server_ = this;
  connection.fd_ = fd;
  bool ready = true;
  if (tls_ != nullptr) {
    timeval patience{10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connection.ssl_ = SSL_new(tls_);
    SSL_set_fd(connection.ssl_, fd);
    ready = SSL_accept(connection.ssl_) == 1;
  }
  while (ready && connection.ReadRequest()) {
    ++requests_;
    connection.keep_ = false;
    handler_(connection);
    if (!connection.keep_) break;
  }
  // What the client still sends must not make the end a reset, whatever comes first.
  if (tls_ == nullptr && !connection.reset_) {
    shutdown(fd, SHUT_WR);
    connection.WaitForClient();
  }
  SSL_free(connection.ssl_);
  close(fd);
}

}  // namespace narthex::testing
