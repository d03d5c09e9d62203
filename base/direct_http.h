// Requests that come again and again, over plain HTTP/1.1 on connections of our own: what scraping does most.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "base/http_client.h"
#include "base/http_transfer.h"

namespace narthex {

// libcurl does the first request to a URL, and with it names, redirects and what is not plain HTTP; from its
// answer the way is learnt. When a connection fails before a byte came back, libcurl gets the request, and
// the way is forgotten. So a server that behaves costs a send and a receive, and one that does not is told of
// in the same words. Not thread-safe; owner: the HTTP client's thread, which also waits on `epoll`.
class DirectHttp {
 public:
  static constexpr int64_t kForNow = 600'000'000'000, kForGood = INT64_MAX;  // ns

  // `to_libcurl` gets requests that it has to do; `resumed` the connections for GoOn(), from any thread.
  DirectHttp(int epoll, std::function<void(std::unique_ptr<Transfer>)> to_libcurl,
             std::function<void(void*)> resumed);
  ~DirectHttp();

  // Could answers to this request teach the way to its server?
  bool MayLearn(const HttpClientRequest& request) const;
  // libcurl had a whole answer of status 200 from there.
  void Learn(const HttpClientRequest& request, const std::string& address, int port);
  // libcurl does these requests for so long.
  void Refuse(const HttpClientRequest& request, int64_t ns);
  // Sends the request, if the way is known; otherwise it stays.
  bool Take(std::unique_ptr<Transfer>* transfer);

  void OnEvent(void* connection, uint32_t events);
  void GoOn(void* connection);  // its piece was dealt with
  // Ends what is out of time. Returns the nanoseconds until it wants to be called again.
  int64_t Expire();
  void CancelAll(const absl::Status& status);

 private:
  struct Connection;
  // A server's address, as libcurl found it.
  struct Origin {
    std::string address;
    int port = 0;
    std::vector<Connection*> idle;  // the one used last is at the end
  };
  struct Route {
    Origin* origin = nullptr;                          // null: libcurl does it
    std::string head;                                  // of the request: what is the same each time
    std::string text;                                  // all of the request that was sent last:
    std::shared_ptr<const HttpClientRequest> written;  // null: one that was not shared
    bool named = false;                                // the address may change behind the host's name
    int64_t learned_ns = 0, used_ns = 0;
    int64_t refused_for_ns = 0;
  };

  bool IsPlain(const HttpClientRequest& request) const;
  Connection* Connect(Origin* origin);
  Connection* IdleConnection(Origin* origin, int64_t now);
  void Watch(Connection* connection, uint32_t events);
  void Close(Connection* connection);
  void Send(Connection* connection);
  void Receive(Connection* connection);
  void ReceiveNothing(Connection* connection, int error);
  // The answer is there (OK), or why there will be none.
  void End(Connection* connection, absl::Status status, bool keep);
  void Finish(Connection* connection, absl::Status status, bool keep);
  void ToLibcurl(Connection* connection);
  void FollowRedirect(Connection* connection);
  void Sweep(int64_t now);

  const int epoll_;
  const std::function<void(std::unique_ptr<Transfer>)> to_libcurl_;
  const std::function<void(void*)> resumed_;
  absl::flat_hash_map<std::string, Route> routes_;  // by URL
  absl::flat_hash_map<std::string, std::unique_ptr<Origin>> origins_;
  absl::flat_hash_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::set<std::pair<int64_t, Connection*>> deadlines_;  // of requests under way
  std::vector<char> buffer_;
  int64_t swept_ns_ = 0;
};

}  // namespace narthex
