#include "api/instrument.h"

#include <utility>

#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr std::string_view kRequests = "prometheus_http_requests_total";
constexpr std::string_view kRequestsHelp = "Counter of HTTP requests.";

}  // namespace

HandlerMetrics::HandlerMetrics(std::string handler, MetricsRegistry* registry)
    : handler_(std::move(handler)),
      registry_(registry),
      ok_(CounterOf(200)),  // exists from the start, so that rates have a first sample
      seconds_(registry->GetHistogram("prometheus_http_request_duration_seconds",
                                      "Histogram of latencies for HTTP requests.",
                                      {0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120}, {{"handler", handler_}})),
      bytes_(registry->GetHistogram("prometheus_http_response_size_bytes",
                                    "Histogram of response size for HTTP requests.",
                                    {100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}, {{"handler", handler_}})) {}

Counter* HandlerMetrics::CounterOf(int status) const {
  return registry_->GetCounter(kRequests, kRequestsHelp, {{"code", StrCat(status)}, {"handler", handler_}});
}

void HandlerMetrics::Observe(int status, double seconds, double bytes) const {
  (status == 200 ? ok_ : CounterOf(status))->Add();
  seconds_->Observe(seconds);
  bytes_->Observe(bytes);
}

void CountingWriter::Send(int status, std::string_view content_type, std::string body) {
  status_ = status;
  bytes_ += body.size();
  inner_->Send(status, content_type, std::move(body));
}

absl::Status CountingWriter::Start(int status, std::string_view content_type) {
  status_ = status;
  return inner_->Start(status, content_type);
}

absl::Status CountingWriter::Write(std::string_view piece) {
  bytes_ += piece.size();
  return inner_->Write(piece);
}

}  // namespace narthex::api
