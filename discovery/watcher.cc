// Discovery over time. Each source keeps its last good answer.
#include <glob.h>
#include <sys/stat.h>

#include <map>

#include "absl/base/thread_annotations.h"
#include "base/files.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "discovery/discovery.h"
#include "discovery/sources.h"
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

absl::StatusOr<std::vector<TargetGroup>> ReadTargetFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  return ParseTargetFile(path, text);
}

// Thread-safe: one refresh at a time under the mutex.
class WatcherImpl : public Watcher {
 public:
  WatcherImpl(Configs configs, WatcherOptions options)
      : configs_(std::move(configs)), options_(std::move(options)) {
    for (const std::string& name : configs_.unsupported) {
      options_.logger->Warn("This service discovery is not supported; the rest of the configuration runs",
                            {{"config", options_.name}, {"discovery", name}});
    }
    for (const auto& section : configs_.http_sd)
      sources_.push_back({NewHttpSource(section, options_, interruption_)});
    for (const auto& section : configs_.docker_sd)
      sources_.push_back({NewDockerSource(section, options_, interruption_)});
    for (const auto& section : configs_.dns_sd) {
      for (const auto& name : section.names) sources_.push_back({NewDnsSource(section, name, options_)});
    }
  }

  std::vector<TargetGroup> Current() override {
    MutexLock lock(&mutex_);
    std::vector<TargetGroup> out = configs_.static_groups;
    AddFiles(&out);
    for (Asked& asked : sources_) {
      Refresh(&asked);
      out.insert(out.end(), asked.groups.begin(), asked.groups.end());
    }
    return out;
  }

  void Interrupt() override { interruption_->Interrupt(); }

 private:
  struct Remembered {
    std::pair<int64_t, int64_t> stamp{0, 0};
    std::vector<TargetGroup> groups;
  };
  struct Asked {
    std::unique_ptr<Source> source;
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
      if (options_.metrics != nullptr) {
        options_.metrics
            ->GetCounter("prometheus_sd_file_read_errors_total", "The number of File-SD read errors.")
            ->Add();
      }
      options_.logger->Error("Error reading file",
                             {{"path", path}, {"err", std::string(groups.status().message())}});
    }
  }

  void Refresh(Asked* asked) {
    const int64_t start = options_.clock->MonotonicNs();
    if (asked->due_ns > start || interruption_->interrupted()) return;
    Source& source = *asked->source;
    asked->due_ns = start + std::max<int64_t>(source.refresh_interval_ms(), 1000) * 1'000'000;
    absl::StatusOr<std::vector<TargetGroup>> groups = source.Ask();
    if (interruption_->interrupted()) return;
    Count(source, groups.ok(), start);
    if (groups.ok()) {
      asked->groups = *std::move(groups);
      return;
    }
    options_.logger->Error("Unable to refresh target groups",
                           {{"discovery", source.mechanism()},
                            {"config", options_.name},
                            {"address", source.address()},
                            {"err", std::string(groups.status().message())}});
  }

  void Count(const Source& source, bool ok, int64_t start_ns) {
    MetricsRegistry* metrics = options_.metrics;
    if (metrics == nullptr) return;
    const MetricLabels labels{{"config", options_.name}, {"mechanism", source.mechanism()}};
    metrics
        ->GetHistogram("prometheus_sd_refresh_duration_seconds", "The duration of a refresh in seconds.",
                       {0.01, 0.1, 1, 10}, labels)
        ->Observe(static_cast<double>(options_.clock->MonotonicNs() - start_ns) / 1e9);
    metrics
        ->GetCounter("prometheus_sd_refresh_failures_total",
                     "Number of refresh failures for the given SD mechanism.", labels)
        ->Add(ok ? 0 : 1);
    if (source.mechanism() != "http") return;
    metrics
        ->GetCounter("prometheus_sd_http_failures_total",
                     "Number of HTTP service discovery refresh failures.")
        ->Add(ok ? 0 : 1);
  }

  const Configs configs_;
  const WatcherOptions options_;
  const std::shared_ptr<Interruption> interruption_ = std::make_shared<Interruption>();
  Mutex mutex_;
  std::map<std::string, Remembered> files_ ABSL_GUARDED_BY(mutex_);
  std::vector<Asked> sources_;  // under mutex_ once made
};

}  // namespace

std::unique_ptr<Watcher> Watcher::Create(Configs configs, WatcherOptions options) {
  return std::make_unique<WatcherImpl>(std::move(configs), std::move(options));
}

std::unique_ptr<Watcher> Watcher::Create(Configs configs, HttpClient* http, const Clock* clock,
                                         const Logger* logger) {
  WatcherOptions options;
  options.http = http;
  options.clock = clock;
  options.logger = logger;
  return Create(std::move(configs), std::move(options));
}

}  // namespace narthex::discovery
