// http_sd_configs.
#include "absl/strings/ascii.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "discovery/sources.h"
#include "discovery/target_groups.h"

namespace narthex::discovery {
namespace {

class HttpSource : public Source {
 public:
  HttpSource(const Configs::HttpSd& config, HttpClient* http, std::shared_ptr<Interruption> interruption)
      : config_(config), http_(http), interruption_(std::move(interruption)) {}

  absl::StatusOr<std::vector<TargetGroup>> Ask() override {
    HttpClientRequest request;
    request.url = config_.url;
    request.config = config_.http;
    request.headers = {{"Accept", "application/json"},
                       {"User-Agent", "Narthex/0.1"},
                       {"X-Prometheus-Refresh-Interval-Seconds",
                        FormatFloatF(static_cast<double>(config_.refresh_interval_ms) / 1000)}};
    request.timeout_ms = std::max<int64_t>(config_.refresh_interval_ms, 1000);
    request.max_body_bytes = 64 << 20;
    ASSIGN_OR_RETURN(HttpClientResponse response, interruption_->Fetch(http_, std::move(request)));
    if (response.status != 200) {
      return absl::UnavailableError(StrCat("server returned HTTP status ", response.StatusLine()));
    }
    const std::string type = absl::AsciiStrToLower(response.content_type);
    if (!type.starts_with("application/json") ||
        (type.size() > 16 && type.find("charset=utf-8") == std::string::npos)) {
      return absl::InvalidArgumentError(StrCat("unsupported content type ", GoQuote(response.content_type)));
    }
    ASSIGN_OR_RETURN(std::vector<TargetGroup> groups, ParseTargetGroups(config_.url, response.body));
    for (TargetGroup& group : groups) {
      group.labels = LabelsBuilder(group.labels).Set("__meta_url", config_.url).Build();
    }
    return groups;
  }
  int64_t refresh_interval_ms() const override { return config_.refresh_interval_ms; }
  std::string mechanism() const override { return "http"; }
  std::string address() const override { return config_.url; }

 private:
  const Configs::HttpSd config_;
  HttpClient* const http_;
  const std::shared_ptr<Interruption> interruption_;
};

}  // namespace

std::unique_ptr<Source> NewHttpSource(const Configs::HttpSd& config, const WatcherOptions& options,
                                      std::shared_ptr<Interruption> interruption) {
  return std::make_unique<HttpSource>(config, options.http, std::move(interruption));
}

}  // namespace narthex::discovery
