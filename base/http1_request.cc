#include "base/http1_request.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/strings.h"

namespace narthex {
namespace {

namespace http = boost::beast::http;
using Error = boost::beast::error_code;
using BeastView = boost::beast::string_view;

constexpr uint64_t kReservedBody = 1 << 20;  // of what a client announces

class RequestParser : public http::basic_parser<true> {
 public:
  RequestParser(HttpRequest* request, int64_t max_header_bytes, int64_t max_body_bytes) : request_(request) {
    eager(true);
    header_limit(static_cast<uint32_t>(max_header_bytes));
    body_limit(static_cast<uint64_t>(max_body_bytes));
  }
  bool http11() const { return version_ >= 11; }
  bool expects_continue = false;

 private:
  void on_request_impl(http::verb, BeastView method, BeastView target, int version, Error&) override {
    version_ = version;
    request_->method.assign(method.data(), method.size());
    const size_t question = target.find('?');
    request_->path.assign(target.data(), std::min(question, target.size()));
    request_->query.clear();
    if (question != target.npos) {
      request_->query.assign(target.data() + question + 1, target.size() - question - 1);
    }
  }
  void on_response_impl(int, BeastView, int, Error& error) override { error = http::error::bad_version; }
  void on_field_impl(http::field field, BeastView name, BeastView value, Error&) override {
    auto& header = request_->headers.emplace_back(std::string(name.data(), name.size()),
                                                  std::string(value.data(), value.size()));
    absl::AsciiStrToLower(&header.first);
    if (field == http::field::expect) {
      expects_continue = absl::EqualsIgnoreCase(ToAbsl(header.second), "100-continue");
    }
  }
  void on_header_impl(Error&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>& length, Error&) override {
    if (length) request_->body.reserve(std::min(*length, kReservedBody));
  }
  size_t on_body_impl(BeastView body, Error&) override {
    request_->body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(uint64_t, BeastView, Error&) override {}
  size_t on_chunk_body_impl(uint64_t, BeastView body, Error& error) override {
    return on_body_impl(body, error);
  }
  void on_finish_impl(Error&) override {}

  HttpRequest* const request_;
  int version_ = 0;
};

}  // namespace

struct Http1Request::Parser {
  std::optional<RequestParser> beast;
};

Http1Request::Http1Request(int64_t max_header_bytes, int64_t max_body_bytes)
    : max_header_bytes_(max_header_bytes),
      max_body_bytes_(max_body_bytes),
      parser_(std::make_unique<Parser>()) {}
Http1Request::~Http1Request() = default;

void Http1Request::Begin(HttpRequest* request) {
  request->headers.clear();
  request->body.clear();
  parser_->beast.emplace(request, max_header_bytes_, max_body_bytes_);
}

Http1Request::State Http1Request::Add(std::string_view* bytes) {
  RequestParser& beast = *parser_->beast;
  while (!beast.is_done()) {
    if (bytes->empty()) return State::kMore;
    Error error;
    const size_t n = beast.put(boost::asio::buffer(bytes->data(), bytes->size()), error);
    bytes->remove_prefix(n);
    if (error == http::error::need_more) return State::kMore;
    if (error == http::error::header_limit) return State::kHeaderTooLarge;
    if (error == http::error::body_limit) return State::kBodyTooLarge;
    if (error) return State::kMalformed;
  }
  return State::kDone;
}

bool Http1Request::in_body() const { return parser_->beast->is_header_done(); }
bool Http1Request::expects_continue() const { return parser_->beast->expects_continue; }
bool Http1Request::keep_alive() const { return parser_->beast->keep_alive(); }
bool Http1Request::http11() const { return parser_->beast->http11(); }

}  // namespace narthex
