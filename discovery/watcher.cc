// Discovery over time. Each source keeps its last good answer.
#include <arpa/inet.h>
#include <glob.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "discovery/discovery.h"
#include "discovery/target_groups.h"

namespace narthex::discovery {
namespace {

std::vector<std::string> Glob(const std::string& pattern) {
  glob_t found;
  std::vector<std::string> out;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    out.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return out;
}

// Modification time and size: what tells that a file has changed. 0 if it is not there.
std::pair<int64_t, int64_t> FileStamp(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return {0, 0};
  return {info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec, info.st_size};
}

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  std::error_code error;
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path, error)) {
    return absl::UnavailableError(StrCat("open ", path, ": not a readable file"));
  }
  std::stringstream buffer;
  buffer << in.rdbuf();
  return std::move(buffer).str();
}

absl::StatusOr<std::vector<TargetGroup>> ReadTargetFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadAll(path));
  return ParseTargetFile(path, text);
}

// The addresses of a host, as texts; IPv6 in brackets.
absl::StatusOr<std::vector<std::string>> Resolve(const std::string& name, int family) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (int error = getaddrinfo(name.c_str(), nullptr, &hints, &list); error != 0) {
    return absl::UnavailableError(StrCat("lookup ", name, ": ", gai_strerror(error)));
  }
  std::vector<std::string> out;
  for (addrinfo* a = list; a != nullptr; a = a->ai_next) {
    char text[INET6_ADDRSTRLEN] = "";
    if (a->ai_family == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(a->ai_addr)->sin_addr, text, sizeof text);
      out.emplace_back(text);
    } else if (a->ai_family == AF_INET6) {
      inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(a->ai_addr)->sin6_addr, text, sizeof text);
      out.push_back(StrCat("[", text, "]"));
    }
  }
  freeaddrinfo(list);
  return out;
}

// Thread-safe: one refresh at a time under the mutex.
class WatcherImpl : public Watcher {
 public:
  WatcherImpl(Configs configs, HttpClient* http, const Clock* clock, const Logger* logger)
      : configs_(std::move(configs)), http_(http), clock_(clock), logger_(logger) {
    for (const std::string& name : configs_.unsupported) {
      logger_->Warn("This service discovery is not supported; the rest of the configuration runs",
                    {{"discovery", name}});
    }
    for (const Configs::DnsSd& dns : configs_.dns_sd) {
      if (dns.type != "A" && dns.type != "AAAA") {
        logger_->Warn("DNS discovery answers A and AAAA records only", {{"type", dns.type}});
      }
    }
  }

  std::vector<TargetGroup> Current() override {
    MutexLock lock(&mutex_);
    std::vector<TargetGroup> out = configs_.static_groups;
    AddFiles(&out);
    AddHttp(&out);
    AddDns(&out);
    return out;
  }

 private:
  struct Remembered {
    std::pair<int64_t, int64_t> stamp{0, 0};
    int64_t due_ns = 0;
    std::vector<TargetGroup> groups;
  };

  void AddFiles(std::vector<TargetGroup>* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::map<std::string, Remembered> kept;
    for (const Configs::FileSd& config : configs_.file_sd) {
      for (const std::string& pattern : config.files) {
        for (const std::string& path : Glob(pattern)) {
          if (kept.contains(path)) continue;  // two patterns name it
          Remembered file = std::move(files_[path]);
          std::pair<int64_t, int64_t> stamp = FileStamp(path);
          if (stamp != file.stamp) RefreshFile(path, &file);
          file.stamp = stamp;
          out->insert(out->end(), file.groups.begin(), file.groups.end());
          kept[path] = std::move(file);
        }
      }
    }
    files_ = std::move(kept);
  }

  void RefreshFile(const std::string& path, Remembered* file) {
    absl::StatusOr<std::vector<TargetGroup>> groups = ReadTargetFile(path);
    if (groups.ok()) {
      file->groups = *std::move(groups);
    } else {
      logger_->Error("Error reading file", {{"path", path}, {"err", std::string(groups.status().message())}});
    }
  }

  bool Due(Remembered* source, int64_t interval_ms) {
    int64_t now = clock_->MonotonicNs();
    if (source->due_ns > now) return false;
    source->due_ns = now + std::max<int64_t>(interval_ms, 1000) * 1'000'000;
    return true;
  }

  void AddHttp(std::vector<TargetGroup>* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const Configs::HttpSd& config : configs_.http_sd) {
      Remembered& source = remote_[config.url];
      if (Due(&source, config.refresh_interval_ms)) RefreshHttp(config, &source);
      out->insert(out->end(), source.groups.begin(), source.groups.end());
    }
  }

  void RefreshHttp(const Configs::HttpSd& config, Remembered* source) {
    HttpClientRequest request;
    request.url = config.url;
    request.config = config.http;
    request.headers = {{"Accept", "application/json"},
                       {"User-Agent", "Narthex/0.1"},
                       {"X-Prometheus-Refresh-Interval-Seconds", StrCat(config.refresh_interval_ms / 1000)}};
    request.timeout_ms = std::max<int64_t>(config.refresh_interval_ms, 1000);
    request.max_body_bytes = 64 << 20;
    absl::StatusOr<HttpClientResponse> response = http_->Fetch(std::move(request));
    absl::Status status = response.status();
    if (response.ok() && response->status != 200) {
      status = absl::UnavailableError(StrCat("server returned HTTP status ", response->status));
    }
    if (status.ok()) {
      absl::StatusOr<std::vector<TargetGroup>> groups = ParseTargetGroups(config.url, response->body);
      status = groups.status();
      if (groups.ok()) {
        source->groups = *std::move(groups);
        for (TargetGroup& group : source->groups) {
          group.labels = LabelsBuilder(group.labels).Set("__meta_url", config.url).Build();
        }
      }
    }
    if (!status.ok()) {
      logger_->Error("Unable to refresh target groups",
                     {{"url", config.url}, {"err", std::string(status.message())}});
    }
  }

  void AddDns(std::vector<TargetGroup>* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const Configs::DnsSd& config : configs_.dns_sd) {
      if (config.type != "A" && config.type != "AAAA") continue;
      for (const std::string& name : config.names) {
        Remembered& source = remote_[StrCat(config.type, " ", name)];
        if (Due(&source, config.refresh_interval_ms)) RefreshDns(config, name, &source);
        out->insert(out->end(), source.groups.begin(), source.groups.end());
      }
    }
  }

  void RefreshDns(const Configs::DnsSd& config, const std::string& name, Remembered* source) {
    absl::StatusOr<std::vector<std::string>> addresses =
        Resolve(name, config.type == "A" ? AF_INET : AF_INET6);
    if (!addresses.ok()) {
      logger_->Error("Error looking up DNS",
                     {{"name", name}, {"err", std::string(addresses.status().message())}});
      return;
    }
    TargetGroup group;
    group.source = name;
    for (const std::string& address : *addresses) {
      group.targets.push_back(
          Labels({{"__address__", StrCat(address, ":", config.port)}, {"__meta_dns_name", name}}));
    }
    source->groups = {std::move(group)};
  }

  const Configs configs_;
  HttpClient* const http_;
  const Clock* const clock_;
  const Logger* const logger_;
  Mutex mutex_;
  std::map<std::string, Remembered> files_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Remembered> remote_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Watcher> Watcher::Create(Configs configs, HttpClient* http, const Clock* clock,
                                         const Logger* logger) {
  return std::make_unique<WatcherImpl>(std::move(configs), http, clock, logger);
}

}  // namespace narthex::discovery
