#include "base/direct_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "base/files.h"
#include "base/http1_answer.h"
#include "base/http_url.h"
#include "base/strings.h"

namespace narthex {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kIdleNs = 300 * kSecond;  // as libcurl is told
constexpr int64_t kNameNs = 60 * kSecond;   // libcurl's cache of addresses lasts as long
constexpr int64_t kSweepNs = 60 * kSecond;
constexpr int64_t kForgetNs = 3600 * kSecond;
constexpr size_t kBufferBytes = 64 << 10;
constexpr uint32_t kIn = EPOLLIN | EPOLLRDHUP, kInOut = kIn | EPOLLOUT;

int64_t Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = AF_UNSPEC;
};

bool ParseAddress(const std::string& text, int port, SocketAddress* out) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out->storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out->storage);
  const auto net_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = net_port;
    out->size = sizeof(*v4);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1 &&
             !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) {  // these need an interface, too
    v6->sin6_family = AF_INET6;
    v6->sin6_port = net_port;
    out->size = sizeof(*v6);
  }
  out->family = out->storage.ss_family;
  return out->size > 0;
}

// This side's address of a connection.
std::string LocalAddress(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return StrCat("[", text, "]:", ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  return StrCat(text, ":", ntohs(v4.sin_port));
}

std::string RequestText(const std::string& head, const HttpClientRequest& request) {
  std::string out = head;
  const auto is_accept = [](const auto& header) { return header.first == "Accept"; };
  if (std::none_of(request.headers.begin(), request.headers.end(), is_accept)) out += "Accept: */*\r\n";
  for (const auto& [name, value] : request.headers) StrAppend(&out, name, ": ", value, "\r\n");
  return out + (request.accept_gzip ? "Accept-Encoding: gzip\r\n\r\n" : "\r\n");
}

// Nothing in it that libcurl would write in another way.
bool IsPlainTarget(const UrlParts& url) {
  if (url.host.empty() || url.path_and_query.find('#') != std::string::npos) return false;
  if (url.path_and_query.find("/.") != std::string::npos) return false;
  if (!url.path_and_query.empty() && url.path_and_query[0] != '/') return false;
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  const auto in_name = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == ':' || c == '[' ||
           c == ']';
  };
  return std::all_of(url.path_and_query.begin(), url.path_and_query.end(), printable) &&
         std::all_of(url.host_port.begin(), url.host_port.end(), in_name);
}

}  // namespace

// One socket and what it is busy with.
struct DirectHttp::Connection final : Http1Events {
  Connection() : answer(this) {}

  void OnHead(const Head& head) override {
    const auto& config = transfer->request().config;
    const bool redirected = head.status == 301 || head.status == 302 || head.status == 303 ||
                            head.status == 307 || head.status == 308;
    if (redirected && (config == nullptr || config->follow_redirects)) redirect = head.location;
    if (!redirect.empty()) return;
    HttpClientResponse& response = transfer->response;
    response.status = head.status;
    response.status_line = head.reason.empty() ? StrCat(head.status) : StrCat(head.status, " ", head.reason);
    response.content_type = head.content_type;
    ReserveBody(head.content_length, transfer.get());
    if (head.content_encoding == "gzip" && transfer->request().accept_gzip) {
      transfer->gunzip = std::make_unique<Gunzip>();
    }
    transfer->in_body = true;
  }

  void OnBody(std::string_view bytes) override {
    if (!redirect.empty() || !transfer->body_error.ok()) return;
    if (transfer->piece_out) {
      transfer->undigested.append(bytes);
    } else {
      transfer->body_error = Digest(transfer.get(), bytes);
    }
  }

  // As TransferStatus has it.
  absl::Status Error(const absl::Status& status) const {
    return transfer->in_body ? status
                             : WrapError(status, transfer->request().method, transfer->request().url);
  }

  int fd = -1;
  Origin* origin = nullptr;
  std::unique_ptr<Transfer> transfer;  // null: idle
  Http1Answer answer;
  std::string out;  // the request
  size_t sent = 0;
  uint32_t watched = 0;  // epoll events
  bool connected = false, reused = false;
  bool heard = false;                                  // some of the answer has come
  std::string redirect;                                // where the answer says to go
  std::optional<std::pair<absl::Status, bool>> ended;  // see End, while a piece was out
  int64_t deadline_ns = 0, used_ns = 0;
};

DirectHttp::DirectHttp(int epoll, std::function<void(std::unique_ptr<Transfer>)> to_libcurl,
                       std::function<void(void*)> resumed)
    : epoll_(epoll), to_libcurl_(std::move(to_libcurl)), resumed_(std::move(resumed)) {}

DirectHttp::~DirectHttp() {
  for (const auto& [connection, owned] : connections_) close(connection->fd);
}

bool DirectHttp::IsPlain(const HttpClientRequest& request) const {
  if (!request.repeated || request.method != "GET" || !request.body.empty() || !request.unix_socket.empty() ||
      !request.url.starts_with("http://")) {
    return false;
  }
  if (request.config == nullptr) return true;
  const HttpClientConfig& config = *request.config;
  return !config.has_basic_auth && !config.has_authorization && !config.has_oauth2 &&
         config.headers.empty() && config.proxy_url.empty() && !config.proxy_from_environment;
}

bool DirectHttp::MayLearn(const HttpClientRequest& request) const {
  if (!IsPlain(request)) return false;
  const auto it = routes_.find(request.url);
  if (it == routes_.end()) return true;
  return it->second.origin != nullptr || Now() - it->second.learned_ns > it->second.refused_for_ns;
}

void DirectHttp::Refuse(const HttpClientRequest& request, int64_t ns) {
  Route& route = routes_[request.url];
  route = Route();
  route.learned_ns = route.used_ns = Now();
  route.refused_for_ns = ns;
}

void DirectHttp::Learn(const HttpClientRequest& request, const std::string& address, int port) {
  const UrlParts url = SplitUrl(request.url);
  SocketAddress parsed;
  // Without user and password, which SplitUrl leaves out.
  const bool whole = request.url == StrCat("http://", url.host_port, url.path_and_query);
  if (!whole || !IsPlainTarget(url) || !ParseAddress(address, port, &parsed)) {
    return Refuse(request, kForGood);
  }
  std::unique_ptr<Origin>& origin = origins_[StrCat(address, " ", port)];
  if (origin == nullptr) origin = std::make_unique<Origin>(Origin{address, port, {}});
  Route& route = routes_[request.url];
  route.origin = origin.get();
  route.written = nullptr;
  route.named = url.host != address;
  route.learned_ns = route.used_ns = Now();
  const bool standard = url.port.empty() || url.port == "80";
  const std::string host = url.host.find(':') == url.host.npos ? url.host : StrCat("[", url.host, "]");
  route.head = StrCat("GET ", url.path_and_query.empty() ? "/" : url.path_and_query,
                      " HTTP/1.1\r\nHost: ", host, standard ? "" : ":", standard ? "" : url.port, "\r\n");
}

bool DirectHttp::Take(std::unique_ptr<Transfer>* transfer) {
  const HttpClientRequest& request = (*transfer)->request();
  if (!IsPlain(request)) return false;
  const auto it = routes_.find(request.url);
  if (it == routes_.end()) return false;
  Route& route = it->second;
  const int64_t now = Now();
  route.used_ns = now;
  if (route.origin == nullptr) return false;
  Connection* connection = IdleConnection(route.origin, now);
  if (connection == nullptr && (!route.named || now - route.learned_ns < kNameNs)) {
    connection = Connect(route.origin);
  }
  if (connection == nullptr) return false;
  if (route.written == nullptr || route.written != (*transfer)->shared) {
    route.text = RequestText(route.head, request);
    route.written = (*transfer)->shared;
  }
  connection->out = route.text;
  connection->sent = 0;
  connection->heard = false;
  connection->redirect.clear();
  connection->ended.reset();
  connection->transfer = std::move(*transfer);
  connection->transfer->resume = [this, connection] { resumed_(connection); };
  connection->answer.Begin();
  connection->deadline_ns = now + request.timeout_ms * 1'000'000;
  deadlines_.emplace(connection->deadline_ns, connection);
  if (connection->connected) Send(connection);
  return true;
}

DirectHttp::Connection* DirectHttp::IdleConnection(Origin* origin, int64_t now) {
  while (!origin->idle.empty()) {
    Connection* connection = origin->idle.back();
    if (now - connection->used_ns <= kIdleNs) {
      origin->idle.pop_back();
      connection->reused = true;
      return connection;
    }
    Close(connection);
  }
  return nullptr;
}

DirectHttp::Connection* DirectHttp::Connect(Origin* origin) {
  SocketAddress address;
  ParseAddress(origin->address, origin->port, &address);
  const int fd = socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return nullptr;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const int rc = connect(fd, reinterpret_cast<sockaddr*>(&address.storage), address.size);
  if (rc != 0 && errno != EINPROGRESS) {
    close(fd);
    return nullptr;
  }
  auto owned = std::make_unique<Connection>();
  Connection* connection = owned.get();
  connection->fd = fd;
  connection->origin = origin;
  connection->connected = rc == 0;
  connections_[connection] = std::move(owned);
  Watch(connection, rc == 0 ? kIn : kInOut);
  return connection;
}

void DirectHttp::Watch(Connection* connection, uint32_t events) {
  if (events == connection->watched) return;
  const int what = events == 0 ? EPOLL_CTL_DEL : connection->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = events;
  event.data.ptr = connection;
  epoll_ctl(epoll_, what, connection->fd, &event);
  connection->watched = events;
}

void DirectHttp::Close(Connection* connection) {
  std::vector<Connection*>& idle = connection->origin->idle;
  idle.erase(std::remove(idle.begin(), idle.end(), connection), idle.end());
  deadlines_.erase({connection->deadline_ns, connection});
  close(connection->fd);
  connections_.erase(connection);
}

void DirectHttp::Send(Connection* connection) {
  std::string_view left = std::string_view(connection->out).substr(connection->sent);
  while (!left.empty()) {
    const ssize_t n = send(connection->fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return ReceiveNothing(connection, errno);
    connection->sent += static_cast<size_t>(n);
    left.remove_prefix(static_cast<size_t>(n));
  }
  Watch(connection, left.empty() ? kIn : kInOut);
}

void DirectHttp::OnEvent(void* pointer, uint32_t events) {
  auto* connection = static_cast<Connection*>(pointer);
  if (!connections_.contains(connection)) return;
  if (connection->transfer == nullptr) return Close(connection);  // the server has ended it
  if (!connection->connected) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return ToLibcurl(connection);  // which has the words for it
    connection->connected = true;
  }
  if (connection->sent < connection->out.size()) return Send(connection);
  Receive(connection);
}

void DirectHttp::Receive(Connection* connection) {
  buffer_.resize(kBufferBytes);
  Transfer& transfer = *connection->transfer;
  while (true) {
    const ssize_t n = recv(connection->fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return ReceiveNothing(connection, n < 0 ? errno : 0);
    connection->heard = true;
    const Http1Answer::State state = connection->answer.Add({buffer_.data(), static_cast<size_t>(n)});
    if (!connection->redirect.empty()) return FollowRedirect(connection);
    if (!transfer.body_error.ok()) return End(connection, transfer.body_error, false);
    if (state == Http1Answer::State::kBroken) {
      absl::Status status = connection->Error(absl::UnavailableError(connection->answer.error()));
      Refuse(transfer.request(), kForGood);
      return End(connection, std::move(status), false);
    }
    if (state == Http1Answer::State::kDone) {
      return End(connection, absl::OkStatus(), connection->answer.keep_alive());
    }
    if (transfer.piece_out) return Watch(connection, 0);
    if (static_cast<size_t>(n) < buffer_.size()) return;
  }
}

// The connection has ended (error 0) or failed.
void DirectHttp::ReceiveNothing(Connection* connection, int error) {
  if (!connection->heard && connection->reused) return ToLibcurl(connection);
  if (error != 0) {
    const Origin& origin = *connection->origin;  // the socket does not know it any more
    const bool v6 = origin.address.find(':') != std::string::npos;
    const std::string remote = v6 ? StrCat("[", origin.address, "]") : origin.address;
    const absl::Status failed =
        absl::UnavailableError(StrCat("read tcp ", LocalAddress(connection->fd), "->", remote, ":",
                                      origin.port, ": read: ", ErrnoText(error)));
    return End(connection, connection->Error(failed), false);
  }
  if (!connection->heard) return End(connection, connection->Error(absl::UnavailableError("EOF")), false);
  const bool whole = connection->answer.End() == Http1Answer::State::kDone;
  End(connection,
      whole ? absl::OkStatus() : connection->Error(absl::UnavailableError(connection->answer.error())),
      false);
}

void DirectHttp::End(Connection* connection, absl::Status status, bool keep) {
  if (connection->transfer->piece_out) {
    connection->ended.emplace(std::move(status), keep);
    return Watch(connection, 0);
  }
  const Gunzip* gunzip = connection->transfer->gunzip.get();
  if (status.ok() && gunzip != nullptr) status = gunzip->Finish();
  Finish(connection, std::move(status), keep);
}

void DirectHttp::GoOn(void* pointer) {
  auto* connection = static_cast<Connection*>(pointer);
  Transfer& transfer = *connection->transfer;
  transfer.piece_out = false;
  const std::string bytes = std::move(transfer.undigested);
  if (transfer.body_error.ok()) transfer.body_error = Digest(&transfer, bytes);
  if (transfer.piece_out) return;
  if (!transfer.body_error.ok()) return Finish(connection, transfer.body_error, false);
  if (connection->ended) {
    auto [status, keep] = *std::move(connection->ended);
    return End(connection, std::move(status), keep);
  }
  Watch(connection, kIn);
}

void DirectHttp::Finish(Connection* connection, absl::Status status, bool keep) {
  std::unique_ptr<Transfer> transfer = std::move(connection->transfer);
  if (keep) {
    deadlines_.erase({connection->deadline_ns, connection});
    connection->used_ns = Now();
    connection->origin->idle.push_back(connection);
    Watch(connection, kIn);
  } else {
    Close(connection);
  }
  transfer->body_error = absl::OkStatus();  // what goes to another thread shares nothing with this one
  if (!status.ok()) return transfer->done(std::move(status));
  transfer->done(std::move(transfer->response));
}

void DirectHttp::ToLibcurl(Connection* connection) {
  std::unique_ptr<Transfer> old = std::move(connection->transfer);
  const int64_t left_ms = (connection->deadline_ns - Now()) / 1'000'000;
  Close(connection);
  routes_.erase(old->request().url);
  auto fresh = std::make_unique<Transfer>();
  fresh->own = std::move(*old->OwnRequest());
  fresh->own.timeout_ms = std::max<int64_t>(left_ms, 1);
  fresh->done = std::move(old->done);
  to_libcurl_(std::move(fresh));
}

void DirectHttp::FollowRedirect(Connection* connection) {
  std::unique_ptr<Transfer> old = std::move(connection->transfer);
  const int64_t left_ms = (connection->deadline_ns - Now()) / 1'000'000;
  const std::string location = connection->redirect;
  Close(connection);
  Refuse(old->request(), kForNow);
  auto fresh = std::make_unique<Transfer>();
  fresh->redirects = 1;
  fresh->own = std::move(*old->OwnRequest());
  fresh->own.url = ResolveUrl(fresh->own.url, location);
  fresh->own.repeated = false;
  fresh->own.timeout_ms = std::max<int64_t>(left_ms, 1);
  fresh->done = std::move(old->done);
  to_libcurl_(std::move(fresh));
}

int64_t DirectHttp::Expire() {
  const int64_t now = Now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Connection* connection = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    if (connection->ended) continue;
    End(connection, connection->Error(absl::DeadlineExceededError("context deadline exceeded")), false);
  }
  if (now - swept_ns_ > kSweepNs) Sweep(now);
  if (!deadlines_.empty()) return std::min(deadlines_.begin()->first - now, kSweepNs);
  return kSweepNs;
}

// What was not used for long, and the ways to targets that are gone.
void DirectHttp::Sweep(int64_t now) {
  swept_ns_ = now;
  std::vector<Connection*> old;
  for (const auto& [connection, owned] : connections_) {
    if (connection->transfer == nullptr && now - connection->used_ns > kIdleNs) old.push_back(connection);
  }
  for (Connection* connection : old) Close(connection);
  absl::erase_if(routes_, [now](const auto& route) { return now - route.second.used_ns > kForgetNs; });
  absl::flat_hash_set<const Origin*> used;
  for (const auto& [url, route] : routes_) used.insert(route.origin);
  for (const auto& [connection, owned] : connections_) used.insert(connection->origin);
  absl::erase_if(origins_, [&used](const auto& origin) { return !used.contains(origin.second.get()); });
}

void DirectHttp::CancelAll(const absl::Status& status) {
  std::vector<Connection*> busy;
  for (const auto& [connection, owned] : connections_) {
    if (connection->transfer != nullptr) busy.push_back(connection);
  }
  for (Connection* connection : busy) Finish(connection, status, false);
}

}  // namespace narthex
