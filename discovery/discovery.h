// CONTRACT of discovery: who there is to talk to. Static lists, target files, HTTP, DNS and Docker, for
// scrape jobs and for Alertmanagers alike.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/yaml.h"
#include "model/labels.h"

namespace narthex::discovery {

// A discovered group of targets: one label set a target, and labels common to all.
struct TargetGroup {
  std::vector<Labels> targets;  // each has __address__
  Labels labels;
  std::string source;
};

// Discovery sections of one job (or Alertmanager config); mechanisms that are not served are named as
// unsupported.
struct Configs {
  std::vector<TargetGroup> static_groups;
  struct FileSd {
    std::vector<std::string> files;
    int64_t refresh_interval_ms = 300'000;
  };
  std::vector<FileSd> file_sd;
  struct HttpSd {
    std::string url;
    int64_t refresh_interval_ms = 60'000;
    std::shared_ptr<HttpClientConfig> http;
  };
  std::vector<HttpSd> http_sd;
  struct DnsSd {
    std::vector<std::string> names;
    std::string type = "SRV";
    int64_t port = 0;
    int64_t refresh_interval_ms = 30'000;
  };
  std::vector<DnsSd> dns_sd;
  struct DockerSd {
    std::string host;  // "unix:///var/run/docker.sock", "tcp://...", "http://..."
    int64_t port = 80;
    std::string host_networking_host = "localhost";
    bool match_first_network = true;
    std::vector<std::pair<std::string, std::vector<std::string>>> filters;
    int64_t refresh_interval_ms = 60'000;
    std::shared_ptr<HttpClientConfig> http;
  };
  std::vector<DockerSd> docker_sd;
  std::vector<std::string> unsupported;  // "kubernetes_sd_configs", ...
};
// Takes *_sd_configs and static_configs out of the map.
absl::Status ReadConfigs(YamlMap* map, const std::string& base_dir, Configs* out);
// One file of file_sd (JSON or YAML by extension).
absl::StatusOr<std::vector<TargetGroup>> ParseTargetFile(const std::string& path, std::string_view text);

// One answer of the domain name system.
struct DnsRecord {
  std::string target;  // an address, or a host name without its last dot
  int64_t port = 0;    // of an SRV record
};
// Asks for records of a type (A, AAAA, SRV, MX, NS). A name that does not exist has none.
using DnsLookup =
    std::function<absl::StatusOr<std::vector<DnsRecord>>(const std::string& name, const std::string& type)>;

struct WatcherOptions {
  HttpClient* http = nullptr;
  const Clock* clock = nullptr;
  const Logger* logger = nullptr;
  MetricsRegistry* metrics = nullptr;  // may be null
  std::string name;                    // the job, for log and metrics
  DnsLookup dns;                       // empty: the system's servers and search list
};

// Turns discovery sections into target groups over time: files are watched by their modification time, the
// others are asked again when due. Thread-safe.
class Watcher {
 public:
  static std::unique_ptr<Watcher> Create(Configs configs, WatcherOptions options);
  static std::unique_ptr<Watcher> Create(Configs configs, HttpClient* http, const Clock* clock,
                                         const Logger* logger);
  virtual ~Watcher() = default;
  // What is known now; refreshes what is due first (may block on HTTP or DNS: call it from a thread that
  // may). A source that fails keeps its last good answer.
  virtual std::vector<TargetGroup> Current() = 0;
  // Ends a Current() that waits for an answer; later ones do not ask any more.
  virtual void Interrupt() {}
};

}  // namespace narthex::discovery
