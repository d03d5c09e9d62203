#include "base/http_client.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <thread>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "base/direct_http.h"
#include "base/go_format.h"
#include "base/http_oauth.h"
#include "base/http_transfer.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {
namespace {

using Seconds = std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr size_t kSpareHandles = 64;
constexpr int64_t kLongestWaitNs = 60'000'000'000;
constexpr int64_t kTokenMarginS = 10;  // a token is renewed so long before it ends

}  // namespace

// Owner of the transfer thread. The queue and the tokens are shared; handles, files and transfers belong to
// the thread.
struct HttpClient::Impl {
  struct Token {
    std::string value;
    SteadyTime until = SteadyTime::max();
    bool fetching = false;
    std::deque<std::pair<HttpClientRequest, Callback>> waiting;
  };

  CURLM* multi = nullptr;
  int epoll = -1;  // the sockets of `direct`, and:
  int wake = -1;   // an eventfd
  std::atomic<bool> woken{false};
  std::optional<DirectHttp> direct;
  std::map<int, Ticker> tickers ABSL_GUARDED_BY(ticker_mutex);
  int next_ticker ABSL_GUARDED_BY(ticker_mutex) = 0;
  Mutex ticker_mutex;  // held while they run
  Mutex mutex;
  std::vector<std::unique_ptr<Transfer>> incoming ABSL_GUARDED_BY(mutex);
  std::vector<std::unique_ptr<Transfer>> starting;    // the thread's; only its room is kept
  std::vector<CURL*> resumed ABSL_GUARDED_BY(mutex);  // their pieces are dealt with
  std::vector<void*> resumed_direct ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::map<std::string, Token> tokens ABSL_GUARDED_BY(mutex);
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> running;
  std::vector<CURL*> spare;  // handles for the next requests
  FileCache files;
  std::thread thread;
  std::atomic<std::thread::id> self;  // the thread's, once it runs

  void Run();
  int64_t RunTickers();
  void Wait(int64_t most_ns);
  void Wake();
  void StartIncoming();
  void StartCurl(std::unique_ptr<Transfer> transfer);
  void LearnWay(CURL* easy, const Transfer& transfer);
  void GoOn();
  void Resume(CURL* easy);
  void ResumeDirect(void* connection);
  void FinishDone();
  void Finish(CURL* easy, CURLcode code);
  void Recycle(CURL* easy);
  void Enqueue(std::unique_ptr<Transfer> transfer);
  void Begin(HttpClientRequest request, Callback done);
  void BeginWithToken(HttpClientRequest request, Callback done);
  void SendWithToken(const std::string& key, std::string_view token, HttpClientRequest request,
                     Callback done);
  void FetchToken(std::shared_ptr<const HttpClientConfig> config, bool secret_in_body);
  void TokenArrived(const HttpClientConfig& config, absl::StatusOr<OauthToken> token);
};

void HttpClient::Impl::Recycle(CURL* easy) {
  if (spare.size() >= kSpareHandles) return curl_easy_cleanup(easy);
  curl_easy_reset(easy);
  spare.push_back(easy);
}

void HttpClient::Impl::StartIncoming() {
  {
    MutexLock lock(&mutex);
    starting.swap(incoming);
  }
  for (std::unique_ptr<Transfer>& transfer : starting) {
    if (!direct->Take(&transfer)) StartCurl(std::move(transfer));
  }
  starting.clear();
}

void HttpClient::Impl::StartCurl(std::unique_ptr<Transfer> transfer) {
  CURL* easy = nullptr;
  if (spare.empty()) {
    easy = curl_easy_init();
  } else {
    easy = spare.back();
    spare.pop_back();
  }
  absl::Status status = easy == nullptr ? absl::ResourceExhaustedError("out of memory")
                                        : PrepareTransfer(easy, &files, transfer.get());
  if (!status.ok()) {
    if (easy != nullptr) Recycle(easy);
    transfer->done(WrapError(status, transfer->request().method, transfer->request().url));
    return;
  }
  // The next request goes another way: a server that has one place only must not wait for this connection.
  if (direct->MayLearn(transfer->request())) curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  transfer->resume = [this, easy] { Resume(easy); };
  curl_multi_add_handle(multi, easy);
  running[easy] = std::move(transfer);
}

// After a whole answer.
void HttpClient::Impl::LearnWay(CURL* easy, const Transfer& transfer) {
  if (!direct->MayLearn(transfer.request())) return;
  const auto number = [easy](CURLINFO info) {
    long value = 0;
    curl_easy_getinfo(easy, info, &value);
    return value;
  };
  const long version = number(CURLINFO_HTTP_VERSION);
  if (number(CURLINFO_REDIRECT_COUNT) > 0 ||
      (version != CURL_HTTP_VERSION_1_0 && version != CURL_HTTP_VERSION_1_1)) {
    return direct->Refuse(transfer.request(), DirectHttp::kForNow);
  }
  char* address = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
  if (number(CURLINFO_RESPONSE_CODE) != 200 || address == nullptr) return;
  direct->Learn(transfer.request(), address, static_cast<int>(number(CURLINFO_PRIMARY_PORT)));
}

// From any thread.
void HttpClient::Impl::Resume(CURL* easy) {
  {
    MutexLock lock(&mutex);
    resumed.push_back(easy);
  }
  Wake();
}

void HttpClient::Impl::ResumeDirect(void* connection) {
  {
    MutexLock lock(&mutex);
    resumed_direct.push_back(connection);
  }
  Wake();
}

// Transfers whose piece was dealt with: the next piece from what is there already, or on to receiving.
void HttpClient::Impl::GoOn() {
  std::vector<CURL*> batch;
  std::vector<void*> direct_batch;
  {
    MutexLock lock(&mutex);
    batch.swap(resumed);
    direct_batch.swap(resumed_direct);
  }
  for (void* connection : direct_batch) direct->GoOn(connection);
  for (CURL* easy : batch) {
    Transfer& transfer = *running.find(easy)->second;
    transfer.piece_out = false;
    const std::string bytes = std::move(transfer.undigested);
    if (transfer.body_error.ok()) transfer.body_error = Digest(&transfer, bytes);
    if (transfer.piece_out) continue;
    if (transfer.finished) {
      Finish(easy, *transfer.finished);
    } else if (!transfer.body_error.ok()) {
      Finish(easy, CURLE_WRITE_ERROR);
    } else {
      curl_easy_pause(easy, CURLPAUSE_CONT);
    }
  }
}

void HttpClient::Impl::Finish(CURL* easy, CURLcode code) {
  auto it = running.find(easy);
  if (it->second->piece_out) {  // the end waits until the piece was dealt with
    it->second->finished = code;
    return;
  }
  std::unique_ptr<Transfer> transfer = std::move(it->second);
  running.erase(it);
  long http_status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http_status);
  absl::Status status = TransferStatus(easy, code, &files, *transfer);
  if (status.ok()) LearnWay(easy, *transfer);
  curl_multi_remove_handle(multi, easy);
  Recycle(easy);
  transfer->body_error = absl::OkStatus();  // what goes to another thread shares nothing with this one
  if (!status.ok()) return transfer->done(std::move(status));
  transfer->response.status = static_cast<int>(http_status);
  transfer->done(std::move(transfer->response));
}

void HttpClient::Impl::FinishDone() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) Finish(message->easy_handle, message->data.result);
  }
}

int64_t HttpClient::Impl::RunTickers() {
  MutexLock lock(&ticker_mutex);
  int64_t next = kLongestWaitNs;
  for (auto& [id, ticker] : tickers) next = std::min(next, ticker());
  return next;
}

// From any thread.
void HttpClient::Impl::Wake() {
  if (std::this_thread::get_id() == self.load() || woken.exchange(true)) return;
  const uint64_t one = 1;
  (void)!write(wake, &one, sizeof(one));
}

// Until something happens, and lets the sockets of `direct` go on.
void HttpClient::Impl::Wait(int64_t most_ns) {
  most_ns = std::max<int64_t>(most_ns, 0);
  if (!running.empty()) {
    curl_waitfd ours{epoll, CURL_WAIT_POLLIN, 0};
    curl_multi_poll(multi, &ours, 1, static_cast<int>((most_ns + 999'999) / 1'000'000), nullptr);
    most_ns = 0;
  }
  epoll_event events[64];
  const timespec time{most_ns / 1'000'000'000, most_ns % 1'000'000'000};
  int n = epoll_pwait2(epoll, events, 64, &time, nullptr);
  if (n < 0 && errno == ENOSYS) {  // Linux before 5.11
    n = epoll_wait(epoll, events, 64, static_cast<int>((most_ns + 999'999) / 1'000'000));
  }
  for (int i = 0; i < n; ++i) {
    if (events[i].data.ptr != nullptr) {
      direct->OnEvent(events[i].data.ptr, events[i].events);
      continue;
    }
    uint64_t count = 0;
    (void)!read(wake, &count, sizeof(count));
    woken = false;
  }
}

void HttpClient::Impl::Run() {
  self = std::this_thread::get_id();
  while (true) {
    {
      MutexLock lock(&mutex);
      if (stopping) break;
    }
    int64_t wait_ns = RunTickers();
    StartIncoming();
    GoOn();
    if (!running.empty()) {
      int active = 0;
      curl_multi_perform(multi, &active);
      FinishDone();
    }
    wait_ns = std::min(wait_ns, direct->Expire());
    {
      MutexLock lock(&mutex);
      if (!incoming.empty() || !resumed.empty() || !resumed_direct.empty()) wait_ns = 0;  // from callbacks
    }
    Wait(wait_ns);
  }
  const absl::Status cancelled = absl::CancelledError("context canceled");
  for (auto& [easy, transfer] : running) {
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    transfer->done(cancelled);
  }
  direct->CancelAll(cancelled);
  running.clear();
  for (CURL* easy : spare) curl_easy_cleanup(easy);
  std::vector<std::unique_ptr<Transfer>> rest;
  std::map<std::string, Token> without_token;
  {
    MutexLock lock(&mutex);
    rest.swap(incoming);
    without_token.swap(tokens);
  }
  for (auto& transfer : rest) transfer->done(cancelled);
  for (auto& [key, token] : without_token) {
    for (auto& [request, done] : token.waiting) done(cancelled);
  }
}

void HttpClient::Impl::Enqueue(std::unique_ptr<Transfer> transfer) {
  bool stopped = false;
  {
    MutexLock lock(&mutex);
    stopped = stopping;
    if (!stopped) incoming.push_back(std::move(transfer));
  }
  if (stopped) return transfer->done(absl::CancelledError("context canceled"));
  Wake();
}

void HttpClient::Impl::Begin(HttpClientRequest request, Callback done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->own = std::move(request);
  transfer->done = std::move(done);
  Enqueue(std::move(transfer));
}

// Sends the request with the token that is known, or lets it wait until one has been fetched.
void HttpClient::Impl::BeginWithToken(HttpClientRequest request, Callback done) {
  const std::shared_ptr<const HttpClientConfig> config = request.config;
  const std::string key = OauthKey(*config);
  std::string value;
  bool fetch = false;
  {
    MutexLock lock(&mutex);
    Token& token = tokens[key];
    if (token.until < std::chrono::steady_clock::now()) token.value.clear();
    value = token.value;
    if (value.empty()) {
      fetch = !std::exchange(token.fetching, true);
      token.waiting.emplace_back(std::move(request), std::move(done));
    }
  }
  if (fetch) return FetchToken(config, false);
  if (value.empty()) return;
  SendWithToken(key, value, std::move(request), std::move(done));
}

void HttpClient::Impl::SendWithToken(const std::string& key, std::string_view token,
                                     HttpClientRequest request, Callback done) {
  request.headers.emplace_back("Authorization", StrCat("Bearer ", token));
  Begin(std::move(request), [this, key, done = std::move(done)](absl::StatusOr<HttpClientResponse> answer) {
    if (answer.ok() && answer->status == 401) {  // it may have been revoked: the next request gets another
      MutexLock lock(&mutex);
      tokens[key].value.clear();
    }
    done(std::move(answer));
  });
}

void HttpClient::Impl::FetchToken(std::shared_ptr<const HttpClientConfig> config, bool secret_in_body) {
  std::string secret = config->oauth2_client_secret;
  if (!config->oauth2_client_secret_file.empty()) {
    FileCache fresh;  // not the thread's: any thread may come here
    absl::StatusOr<std::string> read = fresh.Read(config->oauth2_client_secret_file);
    if (!read.ok()) {
      return TokenArrived(*config, absl::NotFoundError(StrCat(
                                       "unable to read oauth2 client secret: unable to read file ",
                                       config->oauth2_client_secret_file, ": ", read.status().message())));
    }
    secret = std::string(absl::StripAsciiWhitespace(*read));
  }
  Begin(OauthTokenRequest(*config, secret, secret_in_body),
        [this, config, secret_in_body](absl::StatusOr<HttpClientResponse> answer) {
          // Servers differ in where they want the secret, and say no more than that they refuse.
          if (answer.ok() && answer->status >= 400 && !secret_in_body) return FetchToken(config, true);
          TokenArrived(*config,
                       answer.ok() ? ParseOauthToken(*answer) : absl::StatusOr<OauthToken>(answer.status()));
        });
}

void HttpClient::Impl::TokenArrived(const HttpClientConfig& config, absl::StatusOr<OauthToken> fresh) {
  std::deque<std::pair<HttpClientRequest, Callback>> waiting;
  {
    MutexLock lock(&mutex);
    Token& token = tokens[OauthKey(config)];
    token.fetching = false;
    waiting.swap(token.waiting);
    if (fresh.ok()) {
      token.value = fresh->value;
      token.until = fresh->expires_in_s > 0
                        ? std::chrono::steady_clock::now() +
                              Seconds(std::max<int64_t>(fresh->expires_in_s - kTokenMarginS, 1))
                        : SteadyTime::max();
    }
  }
  for (auto& [request, done] : waiting) {
    if (fresh.ok()) {
      SendWithToken(OauthKey(config), fresh->value, std::move(request), std::move(done));
    } else {
      done(WrapError(fresh.status(), request.method, request.url));
    }
  }
}

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  impl_->multi = curl_multi_init();
  curl_multi_setopt(impl_->multi, CURLMOPT_MAXCONNECTS, 256L);
  impl_->epoll = epoll_create1(EPOLL_CLOEXEC);
  impl_->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(impl_->epoll, EPOLL_CTL_ADD, impl_->wake, &event);
  impl_->direct.emplace(
      impl_->epoll,
      [impl = impl_.get()](std::unique_ptr<Transfer> transfer) { impl->StartCurl(std::move(transfer)); },
      [impl = impl_.get()](void* connection) { impl->ResumeDirect(connection); });
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
}

HttpClient::~HttpClient() {
  {
    MutexLock lock(&impl_->mutex);
    impl_->stopping = true;
  }
  impl_->Wake();
  impl_->thread.join();
  curl_multi_cleanup(impl_->multi);
  impl_->direct.reset();
  close(impl_->wake);
  close(impl_->epoll);
}

int HttpClient::AddTicker(Ticker ticker) {
  int id = 0;
  {
    MutexLock lock(&impl_->ticker_mutex);
    id = ++impl_->next_ticker;
    impl_->tickers[id] = std::move(ticker);
  }
  impl_->Wake();
  return id;
}

void HttpClient::RemoveTicker(int id) {
  MutexLock lock(&impl_->ticker_mutex);
  impl_->tickers.erase(id);
}

void HttpClient::Wake() { impl_->Wake(); }

void HttpClient::Start(std::shared_ptr<const HttpClientRequest> request, Callback done) {
  if (request->config != nullptr && request->config->has_oauth2) {
    return impl_->BeginWithToken(*request, std::move(done));
  }
  auto transfer = std::make_unique<Transfer>();
  transfer->shared = std::move(request);
  transfer->done = std::move(done);
  impl_->Enqueue(std::move(transfer));
}

void HttpClient::Start(HttpClientRequest request, Callback done) {
  const bool with_token = request.config != nullptr && request.config->has_oauth2;
  if (with_token) {
    impl_->BeginWithToken(std::move(request), std::move(done));
  } else {
    impl_->Begin(std::move(request), std::move(done));
  }
}

absl::StatusOr<HttpClientResponse> HttpClient::Fetch(HttpClientRequest request) {
  absl::StatusOr<HttpClientResponse> result;
  Notification ready;
  Start(std::move(request), [&](absl::StatusOr<HttpClientResponse> answer) {
    result = std::move(answer);
    ready.Notify();
  });
  ready.WaitForNotification();
  return result;
}

std::string UrlEscape(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    unsigned char u = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(u) || c == '-' || c == '_' || c == '.' || c == '~') {
      out.push_back(c);
    } else if (c == ' ') {
      out.push_back('+');
    } else {
      out += {'%', kHex[u >> 4], kHex[u & 15]};
    }
  }
  return out;
}

absl::StatusOr<std::string> UrlUnescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t begin = i;
    while (i < text.size() && text[i] != '+' && text[i] != '%') ++i;
    out.append(text.substr(begin, i - begin));
    if (i == text.size()) break;
    if (text[i] == '+') {
      out.push_back(' ');
    } else {
      auto digit = [&](size_t k) {
        char c = k < text.size() ? text[k] : '\0';
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
      };
      int high = digit(i + 1), low = digit(i + 2);
      if (high < 0 || low < 0) {
        return absl::InvalidArgumentError(StrCat("invalid URL escape ", GoQuote(text.substr(i, 3))));
      }
      out.push_back(static_cast<char>(high << 4 | low));
      i += 2;
    }
  }
  return out;
}

}  // namespace narthex
