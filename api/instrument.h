// Counts what the server answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/http_server.h"
#include "base/metrics.h"

namespace narthex::api {

// The prometheus_http_* metrics of one route. Made once; thread-safe.
class HandlerMetrics {
 public:
  HandlerMetrics(std::string handler, MetricsRegistry* registry);
  void Observe(int status, double seconds, double bytes) const;

 private:
  Counter* CounterOf(int status) const;
  const std::string handler_;
  MetricsRegistry* const registry_;
  Counter* const ok_;
  HistogramMetric* const seconds_;
  HistogramMetric* const bytes_;
};

// Passes everything on and remembers status and size. Lives as long as one request.
class CountingWriter : public HttpResponseWriter {
 public:
  explicit CountingWriter(HttpResponseWriter* inner) : inner_(inner) {}
  void SetHeader(std::string_view name, std::string_view value) override { inner_->SetHeader(name, value); }
  void Send(int status, std::string_view content_type, std::string body) override;
  absl::Status Start(int status, std::string_view content_type) override;
  absl::Status Write(std::string_view piece) override;
  void ExpectLong() override { inner_->ExpectLong(); }
  void BreakOff() override { inner_->BreakOff(); }
  bool answered() const { return status_ != 0; }
  int status() const { return status_; }
  double bytes() const { return static_cast<double>(bytes_); }

 private:
  HttpResponseWriter* const inner_;
  int status_ = 0;
  size_t bytes_ = 0;
};

}  // namespace narthex::api
