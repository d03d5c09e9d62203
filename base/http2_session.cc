#include "base/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace narthex {
namespace {

constexpr uint32_t kMaxStreams = 128;
constexpr int32_t kReceiveWindow = 1 << 20;      // of a stream and of the connection
constexpr size_t kHeaderCost = 32;               // what a header counts beside its text (RFC 9113, 6.5.2)
constexpr int64_t kWriteTimeoutMs = 5 * 60'000;  // as with HTTP/1.1

std::string_view View(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

nghttp2_nv Pair(std::string_view name, std::string_view value) {
  auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct Http2Session::Callbacks {
  static Http2Session* Self(void* user_data) { return static_cast<Http2Session*>(user_data); }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Http2Session* self = Self(user_data);
    auto stream = std::make_shared<Http2Stream>();
    stream->id = frame->hd.stream_id;
    stream->since_ms = self->NowMs();
    stream->request.remote_address = self->remote_address_;
    stream->request.cancelled = std::make_shared<std::atomic<bool>>(false);
    stream->on_output = [self, id = stream->id] { self->MarkOutput(id); };
    self->streams_[stream->id] = std::move(stream);
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_length,
                      const uint8_t* value, size_t value_length, uint8_t, void* user_data) {
    StreamPtr stream = Self(user_data)->Find(frame->hd.stream_id);
    if (stream == nullptr || stream->header_complete) return 0;  // a trailer
    Self(user_data)->AddHeader(stream.get(), View(name, name_length), View(value, value_length));
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    StreamPtr stream = carries ? Self(user_data)->Find(frame->hd.stream_id) : nullptr;
    if (stream == nullptr) return 0;
    if (!stream->header_complete) Self(user_data)->OnHeaderEnd(stream);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) Self(user_data)->OnRequestEnd(stream);
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t length,
                    void* user_data) {
    if (StreamPtr stream = Self(user_data)->Find(id)) Self(user_data)->OnBody(stream, View(data, length));
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t, void* user_data) {
    Self(user_data)->OnClose(id);
    return 0;
  }

  static ssize_t ReadAnswer(nghttp2_session*, int32_t, uint8_t* to, size_t length, uint32_t* flags,
                            nghttp2_data_source* source, void* user_data) {
    auto* stream = static_cast<Http2Stream*>(source->ptr);
    bool end = false;
    absl::StatusOr<size_t> taken = stream->Take(reinterpret_cast<char*>(to), length, &end);
    if (!taken.ok()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream
    stream->since_ms = Self(user_data)->NowMs();
    if (end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (*taken == 0 && !end) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(*taken);
  }
};

Http2Session::Http2Session(Host* host, const HttpServerOptions* options, const HttpHandler* handler,
                           const Clock* clock, std::string remote_address)
    : host_(host),
      options_(*options),
      handler_(*handler),
      clock_(clock),
      remote_address_(std::move(remote_address)),
      idle_since_ms_(NowMs()) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnStreamClose);
  nghttp2_session_server_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kReceiveWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options_.max_header_bytes)}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kReceiveWindow);
}

Http2Session::~Http2Session() { nghttp2_session_del(session_); }

bool Http2Session::Receive(std::string_view bytes) {
  auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return nghttp2_session_mem_recv(session_, data, bytes.size()) >= 0;
}

std::string Http2Session::Output(size_t enough) {
  std::vector<int32_t> with_output;
  {
    MutexLock lock(&mutex_);
    with_output.swap(with_output_);
    running_ -= std::exchange(done_, 0);
  }
  for (int32_t id : with_output) {
    if (StreamPtr stream = Find(id)) Submit(stream);
  }
  StartWaiting();
  std::string out;
  while (out.size() < enough) {
    const uint8_t* data = nullptr;
    ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size <= 0) break;
    out += View(data, static_cast<size_t>(size));
  }
  return out;
}

bool Http2Session::over() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void Http2Session::Abort() {
  for (auto& [id, stream] : streams_) stream->MarkGone();
  waiting_.clear();
}

void Http2Session::Tick() {
  int64_t now = NowMs();
  if (streams_.empty() && now - idle_since_ms_ > options_.read_timeout_ms) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  }
  for (const auto& [id, stream] : streams_) {
    int64_t age = now - stream->since_ms;
    if (!stream->header_complete) {
      // Nothing else can come on this connection before the header is whole.
      if (age > std::min(options_.header_timeout_ms, options_.read_timeout_ms))
        nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    } else if (!stream->complete && stream->refused) {
      // It is still sending. Told at once to stop, some clients (curl 7.88) forget the answer that came
      // before.
      if (age > options_.header_timeout_ms)
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    } else if (!stream->complete) {
      if (age > options_.read_timeout_ms)
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    } else if (stream->HasQueued() && age > kWriteTimeoutMs) {
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    }
  }
}

Http2Session::StreamPtr Http2Session::Find(int32_t id) const {
  auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second;
}

void Http2Session::AddHeader(Http2Stream* stream, std::string_view name, std::string_view value) {
  stream->header_bytes += name.size() + value.size() + kHeaderCost;
  if (stream->header_bytes > static_cast<size_t>(options_.max_header_bytes)) return;
  HttpRequest& request = stream->request;
  if (name == ":method") {
    request.method = value;
  } else if (name == ":path") {
    size_t question = value.find('?');
    request.path = value.substr(0, question);
    if (question != value.npos) request.query = value.substr(question + 1);
  } else if (name == ":authority") {
    request.headers.emplace_back("host", value);
  } else if (!name.starts_with(':') && (name != "host" || request.Header("host").empty())) {
    request.headers.emplace_back(name, value);
  }
}

void Http2Session::OnHeaderEnd(const StreamPtr& stream) {
  stream->header_complete = true;
  stream->since_ms = NowMs();
  if (stream->header_bytes > static_cast<size_t>(options_.max_header_bytes)) {
    return Refuse(stream, 431, "request header is too large");
  }
  if (stream->request.Header("expect") == "100-continue") {
    nghttp2_nv status = Pair(":status", "100");
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream->id, nullptr, &status, 1, nullptr);
  }
}

void Http2Session::OnBody(const StreamPtr& stream, std::string_view bytes) {
  if (stream->refused) return;
  std::string& body = stream->request.body;
  if (body.size() + bytes.size() > static_cast<size_t>(options_.max_body_bytes)) {
    return Refuse(stream, 413, "http: request body too large");
  }
  // One connection may not fill the memory with many bodies either.
  if (body_bytes_ + bytes.size() > 2 * static_cast<size_t>(options_.max_body_bytes)) {
    body_bytes_ -= body.size();
    body.clear();
    stream->refused = true;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_ENHANCE_YOUR_CALM);
    return;
  }
  body += bytes;
  body_bytes_ += bytes.size();
}

void Http2Session::OnRequestEnd(const StreamPtr& stream) {
  if (stream->complete) return;
  stream->complete = true;
  if (stream->refused) return;
  body_bytes_ -= stream->request.body.size();
  stream->shape.head = stream->request.method == "HEAD";
  stream->shape.gzip = AcceptsGzip(stream->request);
  stream->shape.now_ms = clock_->NowMs();
  waiting_.push_back(stream);
  StartWaiting();
}

void Http2Session::OnClose(int32_t id) {
  StreamPtr stream = Find(id);
  if (stream == nullptr) return;
  if (!stream->complete && !stream->refused) body_bytes_ -= stream->request.body.size();
  stream->MarkGone();
  std::erase(waiting_, stream);
  streams_.erase(id);
  if (streams_.empty()) idle_since_ms_ = NowMs();
}

void Http2Session::Refuse(const StreamPtr& stream, int status, std::string_view text) {
  if (!stream->complete) body_bytes_ -= stream->request.body.size();
  stream->request.body.clear();
  stream->refused = true;
  Http2ResponseWriter writer(stream.get());
  writer.Send(status, "text/plain; charset=utf-8", StrCat(text, "\n"));
  writer.Complete();
}

// At most half of the workers serve one connection, so that a client that does not read its answers cannot
// hold them all. A handler whose stream was reset counts until it returns.
void Http2Session::StartWaiting() {
  while (!waiting_.empty() && running_ < std::max(1, options_.workers / 2)) {
    StreamPtr stream = std::move(waiting_.front());
    waiting_.pop_front();
    if (!Run(stream)) Refuse(stream, 503, "the server is stopping");
  }
}

bool Http2Session::Run(const StreamPtr& stream) {
  ++running_;
  bool accepted = host_->RunJob([this, stream] {
    Http2ResponseWriter writer(stream.get());
    handler_(stream->request, writer);
    writer.Complete();
    {
      MutexLock lock(&mutex_);
      ++done_;
    }
    host_->WakeUp();
  });
  if (!accepted) --running_;
  return accepted;
}

void Http2Session::MarkOutput(int32_t id) {
  {
    MutexLock lock(&mutex_);
    with_output_.push_back(id);
  }
  host_->WakeUp();
}

// The head once, then whatever of the body was waited for.
void Http2Session::Submit(const StreamPtr& stream) {
  Http2Stream::Headers head;
  if (!stream->answered && stream->TakeHead(&head)) {
    std::vector<nghttp2_nv> pairs;
    for (const auto& [name, value] : head) pairs.push_back(Pair(name, value));
    nghttp2_data_provider body{{}, Callbacks::ReadAnswer};
    body.source.ptr = stream.get();
    stream->answered = true;
    stream->since_ms = NowMs();
    nghttp2_submit_response(session_, stream->id, pairs.data(), pairs.size(), &body);
  } else if (stream->answered) {
    nghttp2_session_resume_data(session_, stream->id);
  }
}

}  // namespace narthex
