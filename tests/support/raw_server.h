// A server that answers with whatever bytes a test wants, however wrong: the handler writes them itself.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace narthex::testing {

// A certificate that signs itself, and its key, as PEM.
struct Certificate {
  std::string cert, key;
};
// `san` as OpenSSL writes it: "DNS:localhost,IP:127.0.0.1"; valid until `days` from now (negative: expired).
Certificate MakeCertificate(const std::string& san, int days = 1);

class RawServer {
 public:
  // One request; owned by the server's thread for it.
  class Connection {
   public:
    const std::string& head() const { return head_; }  // request line and headers
    std::string path() const;
    std::string body() const { return body_; }
    // "" if there is none; `name` in lower case.
    std::string header(std::string_view name) const;
    // False once the client is gone or the server stops.
    bool Send(std::string_view bytes);
    // An answer with Content-Length; the connection stays open.
    void Answer(int status, std::string_view content_type, std::string_view body,
                std::string_view more_headers = "");
    // The next Close() resets the connection instead of ending it.
    void ResetOnClose();
    // Blocks until the client closes its side or the server stops.
    void WaitForClient();

   private:
    friend class RawServer;
    bool ReadRequest();
    bool Read();  // some bytes more into pending_
    RawServer* server_ = nullptr;
    int fd_ = -1;
    SSL* ssl_ = nullptr;
    std::string pending_, head_, body_;
    bool keep_ = false, reset_ = false;
  };
  using Handler = std::function<void(Connection&)>;

  // On a free port of the loopback interface, or on a Unix socket.
  explicit RawServer(Handler handler, const Certificate* certificate = nullptr,
                     const std::string& unix_path = "");
  ~RawServer();
  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }
  int connections() const { return connections_; }

 private:
  void ListenOnLoopback();
  void Accept();
  void Serve(int fd);

  const Handler handler_;
  SSL_CTX* tls_ = nullptr;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> requests_ = 0, connections_ = 0;
  Mutex mutex_;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace narthex::testing
