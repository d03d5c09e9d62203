#include "base/http1_answer.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/go_format.h"
#include "base/strings.h"

namespace narthex {
namespace {

namespace http = boost::beast::http;
using Error = boost::beast::error_code;
using BeastView = boost::beast::string_view;

constexpr uint32_t kLongestHead = 256 << 10;
constexpr std::string_view kBrokenTransport = "net/http: HTTP/1.x transport connection broken: ";

std::string_view View(BeastView text) { return {text.data(), text.size()}; }

class AnswerParser : public http::basic_parser<false> {
 public:
  explicit AnswerParser(Http1Events* events) : events_(events) {
    eager(true);
    body_limit(UINT64_MAX);
    header_limit(kLongestHead + 1024);
  }
  bool informational() const { return status_ < 200; }

 private:
  void on_request_impl(http::verb, BeastView, BeastView, int, Error& error) override {
    error = http::error::bad_method;
  }
  void on_response_impl(int code, BeastView reason, int, Error&) override {
    status_ = code;
    reason_ = View(reason);
  }
  void on_field_impl(http::field name, BeastView, BeastView value, Error&) override {
    if (name == http::field::content_type) content_type_ = View(value);
    if (name == http::field::content_encoding) content_encoding_ = View(value);
    if (name == http::field::location) location_ = View(value);
  }
  void on_header_impl(Error&) override {
    if (informational()) return;
    const auto length = content_length();
    events_->OnHead({status_, reason_, content_type_, content_encoding_, location_, length ? *length : 0});
  }
  void on_body_init_impl(const boost::optional<uint64_t>&, Error&) override {}
  size_t on_body_impl(BeastView body, Error&) override {
    events_->OnBody(View(body));
    return body.size();
  }
  void on_chunk_header_impl(uint64_t, BeastView, Error&) override {}
  size_t on_chunk_body_impl(uint64_t, BeastView body, Error&) override {
    events_->OnBody(View(body));
    return body.size();
  }
  void on_finish_impl(Error&) override {}

  Http1Events* const events_;
  int status_ = 0;
  std::string reason_, content_type_, content_encoding_, location_;
};

// Behind the empty line; npos: it has not come.
size_t EndOfHead(std::string_view bytes) {
  const size_t proper = bytes.find("\r\n\r\n");
  for (size_t at = bytes.find('\n'); at < std::min(proper, bytes.size() - 1); at = bytes.find('\n', at + 1)) {
    if (bytes[at + 1] == '\n') return at + 2;
    if (bytes.substr(at + 1, 2) == "\r\n") return at + 3;
  }
  return proper == bytes.npos ? proper : proper + 4;
}

// The head as the standard wants it.
std::string StandardHead(std::string_view head) {
  std::string out;
  while (!head.empty()) {
    const size_t end = std::min(head.find('\n'), head.size() - 1);
    std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool status_line = out.empty();
    out += line;
    if (status_line && std::count(line.begin(), line.end(), ' ') < 2) out += ' ';
    out += "\r\n";
  }
  return out;
}

// Two lengths that differ: nobody can know where the answer ends. "" if there are none.
std::string LengthsError(std::string_view head) {
  std::string first;
  bool any = false;
  for (size_t at = head.find('\n'); at < head.size(); at = head.find('\n', at + 1)) {
    const std::string_view line = head.substr(at + 1, head.find('\n', at + 1) - at - 1);
    if (!absl::StartsWithIgnoreCase(ToAbsl(line), "content-length:")) continue;
    const std::string value(absl::StripAsciiWhitespace(ToAbsl(line.substr(line.find(':') + 1))));
    if (any && value != first) {
      return StrCat(kBrokenTransport, "http: message cannot contain multiple Content-Length headers; got [",
                    GoQuote(first), " ", GoQuote(value), "]");
    }
    first = value;
    any = true;
  }
  return "";
}

}  // namespace

struct Http1Answer::Parser {
  std::optional<AnswerParser> beast;
};

Http1Answer::Http1Answer(Http1Events* events) : events_(events), parser_(std::make_unique<Parser>()) {}
Http1Answer::~Http1Answer() = default;

void Http1Answer::Begin() {
  parser_->beast.emplace(events_);
  in_head_ = true;
  excess_ = false;
  rest_.clear();
}

Http1Answer::State Http1Answer::Broken(std::string error) {
  error_ = std::move(error);
  return State::kBroken;
}

Http1Answer::State Http1Answer::Add(std::string_view bytes) {
  std::string joined;
  if (!rest_.empty()) {
    joined = std::exchange(rest_, "");
    joined.append(bytes);
    bytes = joined;
  }
  while (in_head_) {
    constexpr std::string_view kProtocol = "HTTP/";
    const size_t known = std::min(bytes.size(), kProtocol.size());
    if (bytes.substr(0, known) != kProtocol.substr(0, known)) {
      return Broken(StrCat(kBrokenTransport, "malformed HTTP response"));
    }
    const size_t end = EndOfHead(bytes);
    if (end == bytes.npos && bytes.size() <= kLongestHead) {
      rest_ = bytes;
      return State::kMore;
    }
    const std::string_view head = bytes.substr(0, std::min(end, bytes.size()));
    if (std::string error = LengthsError(head); !error.empty()) return Broken(std::move(error));
    const std::string standard = StandardHead(head);
    Error error;
    parser_->beast->put(boost::asio::buffer(standard.data(), standard.size()), error);
    const bool incomplete = !parser_->beast->is_header_done();
    if (incomplete || (error && error != http::error::need_more)) {
      return Broken(StrCat(kBrokenTransport, "malformed HTTP response"));
    }
    bytes.remove_prefix(head.size());
    in_head_ = parser_->beast->informational();
    if (in_head_) parser_->beast.emplace(events_);
  }
  return Parse(bytes);
}

Http1Answer::State Http1Answer::Parse(std::string_view bytes) {
  AnswerParser& beast = *parser_->beast;
  while (!bytes.empty() && !beast.is_done()) {
    Error error;
    const size_t n = beast.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(n);
    if (error == http::error::need_more) break;
    if (error) return Broken("invalid byte in chunk length");
    if (n == 0) break;
  }
  if (!beast.is_done()) {
    rest_ = bytes;
    return State::kMore;
  }
  excess_ = !bytes.empty();  // belongs to nothing that was asked for
  return State::kDone;
}

Http1Answer::State Http1Answer::End() {
  if (in_head_) return Broken(StrCat(kBrokenTransport, "unexpected EOF"));
  Error error;
  parser_->beast->put_eof(error);
  return !error && parser_->beast->is_done() ? State::kDone : Broken("unexpected EOF");
}

bool Http1Answer::keep_alive() const { return !excess_ && parser_->beast->keep_alive(); }

}  // namespace narthex
