// One request on its way through libcurl: its options, its answer, its error as Go words it. Private to
// base/http_client.cc.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/gunzip.h"
#include "base/http_client.h"

namespace narthex {

// Files of secrets and certificates, read again when their size or modification time changes. Not
// thread-safe; owner: the client's thread.
class FileCache {
 public:
  // Errors: "open PATH: no such file or directory".
  absl::StatusOr<std::string> Read(const std::string& path);

 private:
  struct File {
    std::pair<int64_t, int64_t> stamp;
    std::string text;
  };
  std::map<std::string, File> files_;
};

// Owned by the client's thread.
struct Transfer {
  const HttpClientRequest& request() const { return shared != nullptr ? *shared : own; }
  // A request of its own, for who has to change it.
  HttpClientRequest* OwnRequest() {
    if (shared != nullptr) own = *std::exchange(shared, nullptr);
    return &own;
  }

  std::shared_ptr<const HttpClientRequest> shared;  // the request, where it comes again and again; else
  HttpClientRequest own;
  HttpClient::Callback done;
  HttpClientResponse response;
  curl_slist *headers = nullptr, *proxy_headers = nullptr, *connect_to = nullptr;
  CURL* easy = nullptr;
  int redirects = 0;             // followed before libcurl got the request
  std::function<void()> resume;  // the client's: goes on after a piece
  std::unique_ptr<Gunzip> gunzip;
  std::string undigested;            // received, but not decompressed until the piece is dealt with
  int64_t delivered = 0;             // bytes that went in pieces
  bool piece_out = false;            // a piece is being dealt with
  std::optional<CURLcode> finished;  // with what it ended while a piece was out
  std::string content_length;        // of the headers at hand
  bool final = false;                // the headers at hand are neither a redirect's nor a 100's
  bool in_body = false;              // and all of them are there
  absl::Status body_error;           // why OnBody gave up
  char error[CURL_ERROR_SIZE] = "";

  ~Transfer();
};

// Sets all options of the handle. Errors lack the "Get URL: " that WrapError puts before.
absl::Status PrepareTransfer(CURL* easy, FileCache* files, Transfer* transfer);
// Room for a body of so many bytes, as far as the sender can be trusted with it.
void ReserveBody(uint64_t size, Transfer* transfer);
// Takes received bytes into the body, and hands over a piece when it is full; what is left then waits in
// `undigested`.
absl::Status Digest(Transfer* transfer, std::string_view bytes);
// What a Location header means on a page; "" if nothing.
std::string ResolveUrl(const std::string& page, const std::string& location);
// What libcurl's result means; OK if there is an answer.
absl::Status TransferStatus(CURL* easy, CURLcode code, FileCache* files, const Transfer& transfer);
// As Go's http.Client wraps what went wrong before there was an answer: Get "URL": ...
absl::Status WrapError(const absl::Status& status, std::string_view method, std::string_view url);

}  // namespace narthex
