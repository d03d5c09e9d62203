#include "base/http2_stream.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "base/strings.h"

namespace narthex {
namespace {

constexpr size_t kMaxQueuedBytes = 64 << 10;  // a streaming handler blocks beyond this

absl::Status Result(bool ok) { return ok ? absl::OkStatus() : absl::CancelledError("the client went away"); }

}  // namespace

bool Http2Stream::Enqueue(std::string bytes) {
  {
    MutexLock lock(&mutex_);
    auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return queued_bytes_ < kMaxQueuedBytes || gone_;
    };
    mutex_.Await(Condition(&has_room));
    if (gone_) return false;
    if (bytes.empty()) return true;
    queued_bytes_ += bytes.size();
    queue_.push_back(std::move(bytes));
  }
  on_output();
  return true;
}

void Http2Stream::PostHead(Headers head) {
  {
    MutexLock lock(&mutex_);
    head_ = std::move(head);
  }
  on_output();
}

void Http2Stream::Finish() {
  {
    MutexLock lock(&mutex_);
    finished_ = true;
  }
  on_output();
}

void Http2Stream::Break() {
  {
    MutexLock lock(&mutex_);
    broken_ = true;
  }
  on_output();
}

bool Http2Stream::TakeHead(Headers* head) {
  MutexLock lock(&mutex_);
  if (head_.empty()) return false;
  *head = std::move(head_);
  head_.clear();
  return true;
}

absl::StatusOr<size_t> Http2Stream::Take(char* to, size_t length, bool* end) {
  MutexLock lock(&mutex_);
  if (broken_) return absl::AbortedError("the answer was broken off");
  size_t taken = 0;
  while (taken < length && !queue_.empty()) {
    const std::string& front = queue_.front();
    size_t n = std::min(length - taken, front.size() - offset_);
    std::memcpy(to + taken, front.data() + offset_, n);
    taken += n;
    offset_ += n;
    if (offset_ < front.size()) break;
    queue_.pop_front();
    offset_ = 0;
  }
  queued_bytes_ -= taken;
  *end = queue_.empty() && finished_;
  return taken;
}

bool Http2Stream::HasQueued() {
  MutexLock lock(&mutex_);
  return queued_bytes_ > 0;
}

void Http2Stream::MarkGone() {
  if (request.cancelled) *request.cancelled = true;
  MutexLock lock(&mutex_);  // wakes a writer that waits for room
  gone_ = true;
  queue_.clear();
  offset_ = queued_bytes_ = 0;
}

void Http2ResponseWriter::SetHeader(std::string_view name, std::string_view value) {
  headers_.emplace_back(absl::AsciiStrToLower(ToAbsl(name)), value);
}

void Http2ResponseWriter::Send(int status, std::string_view content_type, std::string body) {
  if (started_) return;
  started_ = sent_ = true;
  if (shape_.gzip && body.size() >= kMinGzipBytes && !HasHeader("content-encoding")) {
    body = GzipStream().Compress(body, Z_FINISH);
    SetHeader("content-encoding", "gzip");
  }
  if (status != 204 && status != 304) SetHeader("content-length", StrCat(body.size()));
  PostHead(status, content_type);
  if (!shape_.head) stream_->Enqueue(std::move(body));
}

absl::Status Http2ResponseWriter::Start(int status, std::string_view content_type) {
  started_ = true;
  // An event stream must reach its reader event by event.
  if (shape_.gzip && content_type != "text/event-stream" && !HasHeader("content-encoding")) {
    gzip_ = std::make_unique<GzipStream>();
    SetHeader("content-encoding", "gzip");
  }
  PostHead(status, content_type);
  return Result(stream_->Enqueue(""));
}

absl::Status Http2ResponseWriter::Write(std::string_view piece) {
  if (shape_.head) return absl::OkStatus();
  return Result(stream_->Enqueue(gzip_ ? gzip_->Compress(piece, Z_NO_FLUSH) : std::string(piece)));
}

void Http2ResponseWriter::BreakOff() {
  broken_ = true;
  stream_->Break();
}

void Http2ResponseWriter::Complete() {
  if (broken_) return;
  if (!started_) Send(500, "text/plain; charset=utf-8", "no answer\n");
  if (!sent_ && !shape_.head && gzip_) stream_->Enqueue(gzip_->Compress("", Z_FINISH));
  stream_->Finish();
}

bool Http2ResponseWriter::HasHeader(std::string_view lower_name) const {
  return std::any_of(headers_.begin(), headers_.end(), [&](const auto& h) { return h.first == lower_name; });
}

void Http2ResponseWriter::PostHead(int status, std::string_view content_type) {
  Http2Stream::Headers head{{":status", StrCat(status)}};
  if (!content_type.empty()) head.emplace_back("content-type", content_type);
  for (auto& header : headers_) {
    if (header.first != "connection") head.push_back(std::move(header));
  }
  if (shape_.gzip) head.emplace_back("vary", "Accept-Encoding");
  if (shape_.now_ms != 0) head.emplace_back("date", HttpDate(shape_.now_ms));
  stream_->PostHead(std::move(head));
}

}  // namespace narthex
