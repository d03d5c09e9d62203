// docker_sd_configs: the containers that a Docker daemon runs.
#include <map>

#include "base/go_format.h"
#include "base/http_status.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "discovery/sources.h"

namespace narthex::discovery {
namespace {

constexpr std::string_view kPrefix = "__meta_docker_";

std::string Text(const YamlNode& node, std::string_view name) {
  const YamlNode* field = node.IsMapping() ? node.Find(name) : nullptr;
  return field == nullptr || field->IsNull() || field->IsMapping() || field->IsSequence()
             ? ""
             : std::string(field->scalar());
}

// A mapping below `node` by the path of names; nullptr if there is none.
const YamlNode* Mapping(const YamlNode& node, std::initializer_list<std::string_view> path) {
  const YamlNode* at = &node;
  for (std::string_view name : path) {
    at = at->IsMapping() ? at->Find(name) : nullptr;
    if (at == nullptr || !at->IsMapping()) return nullptr;
  }
  return at;
}

std::string SanitizeLabelName(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain) c = '_';
  }
  return out;
}

void AddLabels(const YamlNode& node, std::string_view kind, LabelsBuilder* out) {
  const YamlNode* labels = Mapping(node, {"Labels"});
  if (labels == nullptr) return;
  for (const auto& [name, value] : labels->fields()) {
    out->Set(StrCat(kPrefix, kind, "_label_", SanitizeLabelName(name)), value.scalar());
  }
}

std::string JoinHostPort(const std::string& host, std::string_view port) {
  return host.find(':') == std::string::npos ? StrCat(host, ":", port) : StrCat("[", host, "]:", port);
}

constexpr std::string_view kListing = "error while listing containers: ";
constexpr std::string_view kNetworking = "error while computing network labels: ";

absl::StatusOr<YamlNode> ParseList(std::string_view doing, std::string_view json) {
  absl::StatusOr<YamlNode> root = YamlNode::Parse(json);  // YAML reads JSON too
  if (root.ok() && (root->IsSequence() || root->IsNull())) return root;
  return absl::InvalidArgumentError(StrCat(doing, "not a list"));
}

// What the daemon says: its message, or else the status line.
std::string DaemonError(const HttpClientResponse& response) {
  const absl::StatusOr<YamlNode> body = YamlNode::Parse(response.body);
  const std::string message = body.ok() ? Text(*body, "message") : "";
  return StrCat("Error response from daemon: ", message.empty() ? HttpStatusLine(response.status) : message);
}

std::string ConnectionError(std::string_view host, std::string_view error) {
  if (error.find("connection refused") == error.npos && error.find("dial unix") == error.npos)
    return StrCat("error during connect: ", error);
  if (error.find("permission denied") != error.npos)
    return StrCat("permission denied while trying to connect to the Docker daemon socket at ", host, ": ",
                  error);
  return StrCat("Cannot connect to the Docker daemon at ", host, ". Is the docker daemon running?");
}

using Networks = std::map<std::string, const YamlNode*>;  // by name, those that are there

// Turns one list of containers into targets. Views into the parsed lists, which outlive it.
class Converter {
 public:
  Converter(const Configs::DockerSd& config, const YamlNode& containers, const YamlNode& networks)
      : config_(config) {
    for (const YamlNode& container : containers.items()) by_id_[Text(container, "Id")] = &container;
    for (const YamlNode& network : networks.items()) {
      LabelsBuilder labels;
      labels.Set(StrCat(kPrefix, "network_id"), Text(network, "Id"));
      labels.Set(StrCat(kPrefix, "network_name"), Text(network, "Name"));
      labels.Set(StrCat(kPrefix, "network_scope"), Text(network, "Scope"));
      for (const auto& [field, label] :
           {std::pair("Internal", "internal"), std::pair("Ingress", "ingress")}) {
        labels.Set(StrCat(kPrefix, "network_", label), Text(network, field) == "true" ? "true" : "false");
      }
      AddLabels(network, "network", &labels);
      network_labels_[Text(network, "Id")] = labels.Build();
    }
  }

  void Add(const YamlNode& container, std::vector<Labels>* out) const {
    const YamlNode* names = container.IsMapping() ? container.Find("Names") : nullptr;
    if (names == nullptr || !names->IsSequence() || names->items().empty()) return;
    const YamlNode* host_config = Mapping(container, {"HostConfig"});
    const std::string mode = host_config == nullptr ? "" : Text(*host_config, "NetworkMode");
    LabelsBuilder common;
    common.Set(StrCat(kPrefix, "container_id"), Text(container, "Id"));
    common.Set(StrCat(kPrefix, "container_name"), names->items()[0].scalar());
    common.Set(StrCat(kPrefix, "container_network_mode"), mode);
    AddLabels(container, "container", &common);
    Networks networks = NetworksOf(container, mode);
    // The first by name, so that it is the same one each time.
    if (config_.match_first_network && networks.size() > 1)
      networks.erase(++networks.begin(), networks.end());
    for (const auto& [name, network] : networks) {
      LabelsBuilder labels = common;
      auto known = network_labels_.find(Text(*network, "NetworkID"));
      if (known != network_labels_.end()) {
        for (LabelView l : known->second) labels.Set(l.name, l.value);
      }
      const std::string ip = Text(*network, "IPAddress");
      labels.Set(StrCat(kPrefix, "network_ip"), ip);
      if (AddPorts(container, labels, ip, out)) continue;
      labels.Set("__address__",
                 mode == "host" ? config_.host_networking_host : JoinHostPort(ip, StrCat(config_.port)));
      out->push_back(labels.Build());
    }
  }

 private:
  static Networks Own(const YamlNode& container) {
    Networks out;
    const YamlNode* networks = Mapping(container, {"NetworkSettings", "Networks"});
    if (networks == nullptr) return out;
    for (const auto& [name, network] : networks->fields()) {
      if (network.IsMapping()) out.emplace(name, &network);
    }
    return out;
  }

  // A container may share another one's networks ("container:ID"), which may do so again.
  Networks NetworksOf(const YamlNode& container, std::string mode) const {
    Networks networks = Own(container);
    for (size_t hops = 0; networks.empty() && hops < by_id_.size() && mode.starts_with("container:");
         ++hops) {
      auto other = by_id_.find(mode.substr(10));
      if (other == by_id_.end()) break;
      networks = Own(*other->second);
      const YamlNode* host_config = Mapping(*other->second, {"HostConfig"});
      mode = host_config == nullptr ? "" : Text(*host_config, "NetworkMode");
    }
    return networks;
  }

  // One target for each TCP port. False: there is none.
  static bool AddPorts(const YamlNode& container, const LabelsBuilder& common, const std::string& ip,
                       std::vector<Labels>* out) {
    const YamlNode* ports = container.Find("Ports");
    if (ports == nullptr || !ports->IsSequence()) return false;
    bool added = false;
    for (const YamlNode& port : ports->items()) {
      if (Text(port, "Type") != "tcp") continue;
      const std::string private_port = Text(port, "PrivatePort"), public_port = Text(port, "PublicPort");
      LabelsBuilder labels = common;
      labels.Set(StrCat(kPrefix, "port_private"), private_port);
      if (!public_port.empty() && public_port != "0") {
        labels.Set(StrCat(kPrefix, "port_public"), public_port);
        labels.Set(StrCat(kPrefix, "port_public_ip"), Text(port, "IP"));
      }
      labels.Set("__address__", JoinHostPort(ip, private_port));
      out->push_back(labels.Build());
      added = true;
    }
    return added;
  }

  const Configs::DockerSd& config_;
  std::map<std::string, const YamlNode*> by_id_;
  std::map<std::string, Labels> network_labels_;
};

class DockerSource : public Source {
 public:
  DockerSource(const Configs::DockerSd& config, HttpClient* http, std::shared_ptr<Interruption> interruption)
      : config_(config), http_(http), interruption_(std::move(interruption)) {}

  absl::StatusOr<std::vector<TargetGroup>> Ask() override {
    ASSIGN_OR_RETURN(std::string containers, Get(kListing, StrCat("/containers/json", Filters())));
    ASSIGN_OR_RETURN(std::string networks, Get(kNetworking, "/networks"));
    ASSIGN_OR_RETURN(TargetGroup group, ParseDockerTargets(config_, containers, networks));
    return std::vector<TargetGroup>{std::move(group)};
  }
  int64_t refresh_interval_ms() const override { return config_.refresh_interval_ms; }
  std::string mechanism() const override { return "docker"; }
  std::string address() const override { return config_.host; }

 private:
  std::string Filters() const {
    if (config_.filters.empty()) return "";
    JsonWriter json;
    json.BeginObject();
    for (const auto& [name, values] : config_.filters) {
      json.Key(name).BeginObject();
      for (const std::string& value : values) json.Key(value).Bool(true);
      json.EndObject();
    }
    return StrCat("?filters=", UrlEscape(json.EndObject().Take()));
  }

  absl::StatusOr<std::string> Get(std::string_view doing, const std::string& path) {
    HttpClientRequest request;
    request.config = config_.http;
    request.timeout_ms = std::max<int64_t>(config_.refresh_interval_ms, 1000);
    request.max_body_bytes = 64 << 20;
    request.headers = {{"User-Agent", "Narthex/0.1"}};
    const std::string host = config_.host.substr(config_.host.find("://") + 3);
    if (config_.host.starts_with("unix://")) {
      request.unix_socket = host;
      request.url = StrCat("http://localhost", path);
    } else {
      const TlsConfig& tls = config_.http->tls;
      const bool secure = config_.host.starts_with("https://") || !tls.ca.empty() || !tls.ca_file.empty() ||
                          !tls.cert_file.empty() || tls.insecure_skip_verify;
      request.url = StrCat(secure ? "https://" : "http://", host, path);
    }
    absl::StatusOr<HttpClientResponse> response = interruption_->Fetch(http_, std::move(request));
    if (!response.ok()) {
      return absl::UnavailableError(
          StrCat(doing, ConnectionError(config_.host, std::string(response.status().message()))));
    }
    if (response->status != 200) return absl::UnavailableError(StrCat(doing, DaemonError(*response)));
    return std::move(response->body);
  }

  const Configs::DockerSd config_;
  HttpClient* const http_;
  const std::shared_ptr<Interruption> interruption_;
};

}  // namespace

absl::StatusOr<TargetGroup> ParseDockerTargets(const Configs::DockerSd& config, std::string_view containers,
                                               std::string_view networks) {
  ASSIGN_OR_RETURN(YamlNode container_list, ParseList(kListing, containers));
  ASSIGN_OR_RETURN(YamlNode network_list, ParseList(kNetworking, networks));
  TargetGroup group;
  group.source = "Docker";
  Converter converter(config, container_list, network_list);
  for (const YamlNode& container : container_list.items()) converter.Add(container, &group.targets);
  return group;
}

std::unique_ptr<Source> NewDockerSource(const Configs::DockerSd& config, const WatcherOptions& options,
                                        std::shared_ptr<Interruption> interruption) {
  return std::make_unique<DockerSource>(config, options.http, std::move(interruption));
}

}  // namespace narthex::discovery
