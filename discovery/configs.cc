// The discovery sections of a job, read and checked.
#include <utility>

#include "absl/strings/ascii.h"
#include "base/go_url.h"
#include "base/regex.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "discovery/discovery.h"

namespace narthex::discovery {
namespace {

// Accepted, and named once in the log: the job runs with the rest.
constexpr std::string_view kUnsupported[] = {
    "aws_sd_configs",         "azure_sd_configs",     "consul_sd_configs",     "digitalocean_sd_configs",
    "dockerswarm_sd_configs", "ec2_sd_configs",       "eureka_sd_configs",     "gce_sd_configs",
    "hetzner_sd_configs",     "ionos_sd_configs",     "kubernetes_sd_configs", "kuma_sd_configs",
    "lightsail_sd_configs",   "linode_sd_configs",    "marathon_sd_configs",   "nerve_sd_configs",
    "nomad_sd_configs",       "openstack_sd_configs", "outscale_sd_configs",   "ovhcloud_sd_configs",
    "puppetdb_sd_configs",    "scaleway_sd_configs",  "serverset_sd_configs",  "stackit_sd_configs",
    "triton_sd_configs",      "uyuni_sd_configs",     "vultr_sd_configs"};

absl::Status NotAList(const YamlNode& node, std::string_view what) {
  return absl::InvalidArgumentError(
      StrCat("yaml: unmarshal errors:\n  line ", node.line(), ": cannot unmarshal ", what, ": not a list"));
}

absl::Status CheckItem(const YamlNode& item, std::string_view section) {
  if (!item.IsNull()) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("empty or null section in ", section));
}

absl::Status ReadStatic(const YamlNode& node, Configs* out) {
  if (!node.IsSequence()) return NotAList(node, "static_configs");
  for (const YamlNode& item : node.items()) {
    RETURN_IF_ERROR(CheckItem(item, "static_configs"));
    YamlMap map(item, "struct");
    std::vector<std::string> targets;
    std::vector<std::pair<std::string, std::string>> labels;
    map.Get("targets", &targets);
    map.Get("labels", &labels);
    RETURN_IF_ERROR(map.Finish());
    for (const auto& [name, value] : labels) {
      if (name.empty()) return absl::InvalidArgumentError("\"\" is not a valid label name");
    }
    TargetGroup group;
    group.source = StrCat(out->static_groups.size());
    group.labels = Labels::FromPairs(std::move(labels));
    for (const std::string& target : targets) group.targets.push_back(Labels({{"__address__", target}}));
    out->static_groups.push_back(std::move(group));
  }
  return absl::OkStatus();
}

std::string Join(const std::string& base_dir, const std::string& file) {
  return file.starts_with("/") || base_dir.empty() ? file : StrCat(base_dir, "/", file);
}

absl::Status ReadFiles(const YamlNode& node, const std::string& base_dir, Configs* out) {
  if (!node.IsSequence()) return NotAList(node, "file_sd_configs");
  static const absl::StatusOr<Regex> kPattern =
      Regex::Compile(R"([^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML))");
  for (const YamlNode& item : node.items()) {
    RETURN_IF_ERROR(CheckItem(item, "file_sd_configs"));
    YamlMap map(item, "file.plain");
    Configs::FileSd config;
    map.Get("files", &config.files);
    map.GetDuration("refresh_interval", &config.refresh_interval_ms);
    RETURN_IF_ERROR(map.Finish());
    if (config.files.empty()) {
      return absl::InvalidArgumentError("file service discovery config must contain at least one path name");
    }
    for (std::string& file : config.files) {
      if (!kPattern->Matches(file)) {
        return absl::InvalidArgumentError(StrCat("path name \"", file, "\" is not valid for file discovery"));
      }
      file = Join(base_dir, file);
    }
    out->file_sd.push_back(std::move(config));
  }
  return absl::OkStatus();
}

absl::Status ReadHttp(const YamlNode& node, const std::string& base_dir, Configs* out) {
  if (!node.IsSequence()) return NotAList(node, "http_sd_configs");
  for (const YamlNode& item : node.items()) {
    RETURN_IF_ERROR(CheckItem(item, "http_sd_configs"));
    YamlMap map(item, "http.plain");
    Configs::HttpSd config;
    config.http = std::make_shared<HttpClientConfig>();
    map.Get("url", &config.url);
    map.GetDuration("refresh_interval", &config.refresh_interval_ms);
    RETURN_IF_ERROR(ReadHttpClientConfig(&map, base_dir, config.http.get()));
    RETURN_IF_ERROR(map.Finish());
    if (config.url.empty()) return absl::InvalidArgumentError("URL is missing");
    RETURN_IF_ERROR(CheckUrl(config.url));
    bool http = config.url.starts_with("http://") || config.url.starts_with("https://");
    if (!http) return absl::InvalidArgumentError("URL scheme must be 'http' or 'https'");
    size_t host = config.url.find("://") + 3;
    if (host == config.url.size() || std::string_view("/?#").find(config.url[host]) != std::string_view::npos)
      return absl::InvalidArgumentError("host is missing in URL");
    out->http_sd.push_back(std::move(config));
  }
  return absl::OkStatus();
}

absl::Status ReadDockerFilters(const YamlNode& node, Configs::DockerSd* out) {
  if (!node.IsSequence()) return NotAList(node, "filters");
  for (const YamlNode& item : node.items()) {
    YamlMap map(item, "moby.Filter");
    auto& [name, values] = out->filters.emplace_back();
    map.Get("name", &name);
    map.Get("values", &values);
    RETURN_IF_ERROR(map.Finish());
  }
  return absl::OkStatus();
}

absl::Status ReadDocker(const YamlNode& node, const std::string& base_dir, Configs* out) {
  if (!node.IsSequence()) return NotAList(node, "docker_sd_configs");
  for (const YamlNode& item : node.items()) {
    RETURN_IF_ERROR(CheckItem(item, "docker_sd_configs"));
    YamlMap map(item, "moby.plain");
    Configs::DockerSd config;
    config.http = std::make_shared<HttpClientConfig>();
    map.Get("host", &config.host);
    map.Get("port", &config.port);
    map.Get("host_networking_host", &config.host_networking_host);
    map.Get("match_first_network", &config.match_first_network);
    map.GetDuration("refresh_interval", &config.refresh_interval_ms);
    if (const YamlNode* filters = map.Child("filters")) RETURN_IF_ERROR(ReadDockerFilters(*filters, &config));
    RETURN_IF_ERROR(ReadHttpClientConfig(&map, base_dir, config.http.get()));
    RETURN_IF_ERROR(map.Finish());
    if (config.host.empty()) return absl::InvalidArgumentError("host missing");
    RETURN_IF_ERROR(CheckUrl(config.host));
    const size_t scheme = config.host.find("://");
    const bool known = config.host.starts_with("unix://") || config.host.starts_with("tcp://") ||
                       config.host.starts_with("http://") || config.host.starts_with("https://");
    if (scheme == std::string::npos || scheme + 3 == config.host.size()) {
      return absl::InvalidArgumentError(StrCat("unable to parse docker host `", config.host, "`"));
    }
    if (!known) return absl::InvalidArgumentError(StrCat("unsupported docker host `", config.host, "`"));
    out->docker_sd.push_back(std::move(config));
  }
  return absl::OkStatus();
}

absl::Status ReadDns(const YamlNode& node, Configs* out) {
  if (!node.IsSequence()) return NotAList(node, "dns_sd_configs");
  for (const YamlNode& item : node.items()) {
    RETURN_IF_ERROR(CheckItem(item, "dns_sd_configs"));
    YamlMap map(item, "dns.plain");
    Configs::DnsSd config;
    map.Get("names", &config.names);
    map.Get("type", &config.type);
    map.Get("port", &config.port);
    map.GetDuration("refresh_interval", &config.refresh_interval_ms);
    RETURN_IF_ERROR(map.Finish());
    if (config.names.empty()) {
      return absl::InvalidArgumentError("DNS-SD config must contain at least one SRV record name");
    }
    std::string given = std::exchange(config.type, absl::AsciiStrToUpper(config.type));
    if (config.type == "A" || config.type == "AAAA" || config.type == "MX" || config.type == "NS") {
      if (config.port == 0) {
        return absl::InvalidArgumentError(
            "a port is required in DNS-SD configs for all record types except SRV");
      }
    } else if (config.type != "SRV") {
      return absl::InvalidArgumentError(StrCat("invalid DNS-SD records type ", given));
    }
    out->dns_sd.push_back(std::move(config));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadConfigs(YamlMap* map, const std::string& base_dir, Configs* out) {
  if (const YamlNode* node = map->Child("static_configs")) RETURN_IF_ERROR(ReadStatic(*node, out));
  if (const YamlNode* node = map->Child("file_sd_configs")) RETURN_IF_ERROR(ReadFiles(*node, base_dir, out));
  if (const YamlNode* node = map->Child("http_sd_configs")) RETURN_IF_ERROR(ReadHttp(*node, base_dir, out));
  if (const YamlNode* node = map->Child("dns_sd_configs")) RETURN_IF_ERROR(ReadDns(*node, out));
  if (const YamlNode* node = map->Child("docker_sd_configs")) {
    RETURN_IF_ERROR(ReadDocker(*node, base_dir, out));
  }
  for (std::string_view name : kUnsupported) {
    if (map->Child(name) != nullptr) out->unsupported.emplace_back(name);
  }
  return absl::OkStatus();
}

}  // namespace narthex::discovery
