#include "base/http_response.h"

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "base/http_status.h"
#include "base/strings.h"

namespace narthex {
namespace {

absl::Status Result(bool ok) { return ok ? absl::OkStatus() : absl::CancelledError("the client went away"); }

}  // namespace

bool AcceptsGzip(const HttpRequest& request) {
  std::string_view accept = request.Header("accept-encoding");
  size_t at = accept.find("gzip");
  return at != accept.npos && !accept.substr(at).starts_with("gzip;q=0,") && accept.substr(at) != "gzip;q=0";
}

std::string HttpDate(int64_t ms) {
  static constexpr const char *kDays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"},
                              *kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const absl::CivilSecond at = absl::ToCivilSecond(absl::FromUnixMillis(ms), absl::UTCTimeZone());
  const int64_t days = absl::CivilDay(at) - absl::CivilDay(1970, 1, 1);
  auto two = [](int n) { return absl::Dec(n, absl::kZeroPad2); };
  return StrCat(kDays[((days % 7) + 7) % 7], ", ", two(at.day()), " ", kMonths[at.month() - 1], " ",
                absl::Dec(at.year(), absl::kZeroPad4), " ", two(at.hour()), ":", two(at.minute()), ":",
                two(at.second()), " GMT");
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
  std::string out = Head(status, content_type);
  if (status != 204 && status != 304) StrAppend(&out, "Content-Length: ", body.size(), "\r\n");
  out += "\r\n";
  if (!shape_.head) out += body;
  sink_->EnqueueLast(std::move(out));
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

std::string ResponseWriter::Head(int status, std::string_view content_type) {
  std::string out = StrCat("HTTP/1.1 ", HttpReason(status), "\r\n");
  if (!content_type.empty()) StrAppend(&out, "Content-Type: ", content_type, "\r\n");
  for (const auto& [name, value] : headers_) StrAppend(&out, name, ": ", value, "\r\n");
  if (shape_.gzip) out += "Vary: Accept-Encoding\r\n";
  if (shape_.now_ms != 0) StrAppend(&out, "Date: ", HttpDate(shape_.now_ms), "\r\n");
  if (!shape_.keep_alive) out += "Connection: close\r\n";
  return out;
}

}  // namespace narthex
