// narthex check healthy and check ready: asks a running server.
#include <cstdio>

#include "base/files.h"
#include "base/http_client.h"
#include "base/strings.h"
#include "cli/config.h"
#include "cli/tool/check.h"
#include "cli/tool/tool_flags.h"

namespace narthex::cli {
namespace {

absl::StatusOr<std::shared_ptr<HttpClientConfig>> ReadHttpConfig(const std::string& file) {
  auto config = std::make_shared<HttpClientConfig>();
  if (file.empty()) return config;
  absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  absl::StatusOr<YamlNode> node = YamlNode::Parse(*text);
  if (!node.ok()) return node.status();
  YamlMap map(*node, "config.HTTPClientConfig");
  absl::Status read = ReadHttpClientConfig(&map, ".", config.get());
  absl::Status finished = map.Finish();
  if (!finished.ok()) return finished;
  if (!read.ok()) return read;
  return config;
}

int Ask(const std::string& what, const std::vector<std::string>& args) {
  ToolFlags flags(StrCat("check ", what, " [<flags>]"));
  std::string url = "http://localhost:9090", config_file;
  int64_t lookback_ms = 0;
  flags.Add("url", "The URL for the Prometheus server.", &url);
  flags.Add("http.config.file", "HTTP client configuration file to connect to the server.", &config_file);
  flags.AddDuration("query.lookback-delta", "Of no effect here.", &lookback_ms);
  std::vector<std::string> positional;
  if (std::optional<int> status = flags.Parse(args, &positional)) return *status;
  if (!positional.empty()) return UsageError(StrCat("unexpected ", positional[0]));
  absl::StatusOr<std::shared_ptr<HttpClientConfig>> config = ReadHttpConfig(config_file);
  if (!config.ok()) {
    std::fprintf(stderr, "failed to load HTTP config file: %s\n",
                 std::string(config.status().message()).c_str());
    return 1;
  }
  while (url.ends_with("/")) url.pop_back();
  HttpClient http;
  HttpClientRequest request;
  request.url = StrCat(url, "/-/", what);
  request.timeout_ms = 30'000;
  request.config = *config;
  absl::StatusOr<HttpClientResponse> response = http.Fetch(request);
  if (!response.ok()) {
    std::fprintf(stderr, "Get \"%s\": %s\n", request.url.c_str(),
                 std::string(response.status().message()).c_str());
    return 1;
  }
  if (response->status != 200) {
    std::fprintf(stderr, "check failed: URL=%s, status=%d\n", request.url.c_str(), response->status);
    return 1;
  }
  std::fprintf(stderr, "  SUCCESS: Prometheus is %s.\n", what.c_str());
  return 0;
}

}  // namespace

int RunCheckHealthy(const std::vector<std::string>& args) { return Ask("healthy", args); }
int RunCheckReady(const std::vector<std::string>& args) { return Ask("ready", args); }

}  // namespace narthex::cli
