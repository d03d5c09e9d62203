#include "base/http_response.h"

#include <algorithm>
#include <chrono>

#include "base/http_status.h"
#include "base/strings.h"

namespace narthex {
namespace {

constexpr size_t kOwnPiece = 4 << 10;  // a body so long is not copied behind its head
constexpr size_t kHeadBytes = 256;     // mostly enough
constexpr int64_t kFirstDateMs = -62'135'596'800'000, kLastDateMs = 253'402'300'799'999;  // years 1 to 9999

absl::Status Result(bool ok) { return ok ? absl::OkStatus() : absl::CancelledError("the client went away"); }

}  // namespace

bool AcceptsGzip(const HttpRequest& request) {
  std::string_view accept = request.Header("accept-encoding");
  size_t at = accept.find("gzip");
  return at != accept.npos && !accept.substr(at).starts_with("gzip;q=0,") && accept.substr(at) != "gzip;q=0";
}

std::string HttpDate(int64_t ms) {
  static constexpr const char *kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
                              *kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // Years of four digits; no zone is looked up.
  const std::chrono::sys_time<std::chrono::milliseconds> at{
      std::chrono::milliseconds(std::clamp(ms, kFirstDateMs, kLastDateMs))};
  const auto midnight = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(at - midnight));
  std::string out = "Thu, 01 Jan 1970 00:00:00 GMT";
  const auto put_two = [&out](size_t to, unsigned n) {
    out[to] = static_cast<char>('0' + n / 10);
    out[to + 1] = static_cast<char>('0' + n % 10);
  };
  out.replace(0, 3, kDays[std::chrono::weekday(midnight).c_encoding()]);
  put_two(5, static_cast<unsigned>(date.day()));
  out.replace(8, 3, kMonths[static_cast<unsigned>(date.month()) - 1]);
  const unsigned year = static_cast<unsigned>(static_cast<int>(date.year()));
  put_two(12, year / 100);
  put_two(14, year % 100);
  put_two(17, static_cast<unsigned>(time.hours().count()));
  put_two(20, static_cast<unsigned>(time.minutes().count()));
  put_two(23, static_cast<unsigned>(time.seconds().count()));
  return out;
}

ResponseWriter::ResponseWriter(ByteSink* sink, ResponseShape shape) : sink_(sink), shape_(shape) {}
ResponseWriter::~ResponseWriter() = default;

void ResponseWriter::SetHeader(std::string_view name, std::string_view value) {
  headers_.emplace_back(name, value);
}

void ResponseWriter::Send(int status, std::string_view content_type, std::string body) {
  if (started_) return;
  started_ = done_ = true;
  if (shape_.gzip && body.size() >= kMinGzipBytes && !HasHeader("Content-Encoding")) {
    body = GzipStream().Compress(body, Z_FINISH);
    SetHeader("Content-Encoding", "gzip");
  }
  const bool is_short = body.size() < kOwnPiece;
  std::string out = Head(status, content_type, is_short ? body.size() : 0);
  if (status != 204 && status != 304) StrAppend(&out, "Content-Length: ", body.size(), "\r\n");
  out += "\r\n";
  if (!shape_.head && is_short) out += body;
  sink_->EnqueueLast(std::move(out));
  if (!shape_.head && !is_short) sink_->EnqueueLast(std::move(body));
}

absl::Status ResponseWriter::Start(int status, std::string_view content_type) {
  started_ = true;
  if (!shape_.http11)
    shape_.keep_alive = false;  // HTTP/1.0 has no chunks: the end of the connection ends the body
  // An event stream must reach its reader event by event.
  if (shape_.gzip && content_type != "text/event-stream" && !HasHeader("Content-Encoding")) {
    gzip_ = std::make_unique<GzipStream>();
    SetHeader("Content-Encoding", "gzip");
  }
  std::string out = Head(status, content_type);
  if (shape_.http11) out += "Transfer-Encoding: chunked\r\n";
  return Result(sink_->Enqueue(out + "\r\n"));
}

absl::Status ResponseWriter::Write(std::string_view piece) {
  if (shape_.head) return absl::OkStatus();
  if (gzip_) return WriteRaw(gzip_->Compress(piece, Z_NO_FLUSH));
  return WriteRaw(piece);
}

bool ResponseWriter::Complete() {
  if (broken_) return false;
  if (!started_) Send(500, "text/plain; charset=utf-8", "no answer\n");
  if (!done_ && !shape_.head) {
    if (gzip_) (void)WriteRaw(gzip_->Compress("", Z_FINISH));
    if (shape_.http11) sink_->EnqueueLast("0\r\n\r\n");
  }
  return shape_.keep_alive;
}

bool ResponseWriter::HasHeader(std::string_view name) const {
  for (const auto& header : headers_) {
    if (header.first == name) return true;
  }
  return false;
}

absl::Status ResponseWriter::WriteRaw(std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  if (!shape_.http11) return Result(sink_->Enqueue(std::string(bytes)));
  return Result(sink_->Enqueue(StrCat(absl::Hex(bytes.size()), "\r\n", bytes, "\r\n")));
}

std::string ResponseWriter::Head(int status, std::string_view content_type, size_t body_bytes) {
  std::string out;
  out.reserve(kHeadBytes + body_bytes);
  out += status == 200 ? "HTTP/1.1 200 OK\r\n" : StrCat("HTTP/1.1 ", HttpReason(status), "\r\n");
  if (!content_type.empty()) ((out += "Content-Type: ") += content_type) += "\r\n";
  for (const auto& [name, value] : headers_) (((out += name) += ": ") += value) += "\r\n";
  if (shape_.gzip) out += "Vary: Accept-Encoding\r\n";
  if (shape_.now_ms != 0) ((out += "Date: ") += HttpDate(shape_.now_ms)) += "\r\n";
  if (!shape_.keep_alive) out += "Connection: close\r\n";
  return out;
}

}  // namespace narthex
