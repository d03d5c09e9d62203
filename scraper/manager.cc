#include <unistd.h>

#include <map>
#include <set>
#include <thread>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "scraper/scrape_pool.h"
#include "scraper/scraper.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

// Discovery that may block (HTTP, DNS) is asked by the discovery thread only.
bool MayBlock(const discovery::Configs& configs) {
  return !configs.http_sd.empty() || !configs.dns_sd.empty() || !configs.docker_sd.empty();
}

uint64_t JitterSeed(const GlobalConfig& global) {
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  std::string text = host;
  for (const auto& [name, value] : global.external_labels) StrAppend(&text, "\xff", name, "\xff", value);
  return Fnv64(text);
}

class ManagerImpl : public Manager {
 public:
  explicit ManagerImpl(ManagerOptions options) : context_(options), options_(context_.options) {}
  ~ManagerImpl() override { Stop(); }

  absl::Status Apply(const GlobalConfig& global, std::vector<ScrapeConfig> configs) override {
    MutexLock lock(&mutex_);
    if (stopped_) return absl::FailedPreconditionError("scrape manager is stopped");
    if (scheduler_ == nullptr) Start(global);
    context_.failures.Reopen();
    std::set<std::string> wanted;
    for (ScrapeConfig& config : configs) {
      wanted.insert(config.job_name);
      ApplyJob(std::make_shared<const ScrapeConfig>(std::move(config)));
    }
    for (auto it = jobs_.begin(); it != jobs_.end();) {
      if (wanted.contains(it->first)) {
        ++it;
        continue;
      }
      it->second.watcher->Interrupt();
      it->second.pool->Clear();
      it = jobs_.erase(it);
    }
    ++applied_;
    wake_.SignalAll();
    return absl::OkStatus();
  }

  std::vector<TargetState> ActiveTargets() const override {
    MutexLock lock(&mutex_);
    std::vector<TargetState> states;
    for (const auto& [name, job] : jobs_) job.pool->States(&states);
    return states;
  }

  std::vector<DroppedTarget> DroppedTargets() const override {
    MutexLock lock(&mutex_);
    std::vector<DroppedTarget> dropped;
    for (const auto& [name, job] : jobs_) {
      dropped.insert(dropped.end(), job.pool->dropped().begin(), job.pool->dropped().end());
    }
    return dropped;
  }

  std::map<std::string, int> DroppedCounts() const override {
    MutexLock lock(&mutex_);
    std::map<std::string, int> counts;
    for (const auto& [name, job] : jobs_) counts[name] = job.pool->dropped_count();
    return counts;
  }

  std::vector<std::string> Pools() const override {
    MutexLock lock(&mutex_);
    std::vector<std::string> names;
    for (const auto& [name, job] : jobs_) names.push_back(name);
    return names;
  }

  std::map<std::string, std::vector<std::string>> UnsupportedDiscovery() const override {
    MutexLock lock(&mutex_);
    std::map<std::string, std::vector<std::string>> out;
    for (const auto& [name, job] : jobs_) {
      const std::vector<std::string>& sections = job.pool->config()->discovery.unsupported;
      if (!sections.empty()) out[name] = sections;
    }
    return out;
  }

  std::vector<std::pair<Labels, TargetMetadata>> Metadata(const std::string& metric) const override {
    MutexLock lock(&mutex_);
    std::vector<std::pair<Labels, TargetMetadata>> out;
    for (const auto& [name, job] : jobs_) job.pool->Metadata(metric, &out);
    return out;
  }

  void Stop() override {
    std::vector<std::thread> threads;
    {
      MutexLock lock(&mutex_);
      stopped_ = true;
      threads.swap(discovery_threads_);
      for (const auto& [name, job] : jobs_) job.watcher->Interrupt();
      wake_.SignalAll();
    }
    for (std::thread& thread : threads) thread.join();
    std::shared_ptr<Scheduler> scheduler;
    {
      MutexLock lock(&mutex_);
      scheduler = scheduler_;
    }
    if (scheduler != nullptr) scheduler->Stop();
    MutexLock lock(&mutex_);
    jobs_.clear();
  }

 private:
  struct Job {
    std::unique_ptr<ScrapePool> pool;
    std::shared_ptr<discovery::Watcher> watcher;
  };

  void Start(const GlobalConfig& global) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    scheduler_ = std::make_shared<Scheduler>(options_, JitterSeed(global));
    scheduler_->Start();
    // Those that wait for servers have a thread of their own, so that the others do not wait with them.
    for (bool may_block : {false, true}) {
      discovery_threads_.emplace_back([this, may_block] { DiscoveryLoop(may_block); });
    }
  }

  void ApplyJob(std::shared_ptr<const ScrapeConfig> config) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Job& job = jobs_[config->job_name];
    if (job.pool == nullptr) {
      context_.metrics.pools->Add();
      job.pool = std::make_unique<ScrapePool>(&context_, scheduler_.get(), config);
    } else if (job.pool->config()->fingerprint == config->fingerprint) {
      return;
    } else {
      context_.metrics.pool_reloads->Add();
      job.pool->SetConfig(config);
    }
    if (job.watcher != nullptr) job.watcher->Interrupt();
    discovery::WatcherOptions watching;
    watching.http = options_.http;
    watching.clock = options_.clock;
    watching.logger = options_.logger;
    watching.metrics = options_.metrics;
    watching.name = config->job_name;
    job.watcher = discovery::Watcher::Create(config->discovery, std::move(watching));
    if (!MayBlock(config->discovery)) job.pool->Sync(job.watcher->Current());
  }

  // Refreshes every job's targets each discovery interval. Watchers are asked without the lock; an answer is
  // used only if its job still has the same watcher.
  void DiscoveryLoop(bool may_block) {
    uint64_t seen = 0;  // the last Apply whose jobs were asked
    while (true) {
      std::vector<std::pair<std::string, std::shared_ptr<discovery::Watcher>>> watchers;
      {
        MutexLock lock(&mutex_);
        if (stopped_) return;
        seen = applied_;
        for (const auto& [name, job] : jobs_) {
          if (MayBlock(job.pool->config()->discovery) == may_block) watchers.emplace_back(name, job.watcher);
        }
      }
      for (const auto& [name, watcher] : watchers) {
        std::vector<discovery::TargetGroup> groups = watcher->Current();
        MutexLock lock(&mutex_);
        if (stopped_) return;
        auto it = jobs_.find(name);
        if (it != jobs_.end() && it->second.watcher == watcher) it->second.pool->Sync(groups);
      }
      MutexLock lock(&mutex_);
      const absl::Time until = absl::Now() + absl::Milliseconds(options_.discovery_reload_interval_ms);
      while (!stopped_ && applied_ == seen && !wake_.WaitWithDeadline(&mutex_, until)) {
      }
    }
  }

  ScrapeContext context_;
  const ManagerOptions& options_;
  mutable Mutex mutex_;
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t applied_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<Scheduler> scheduler_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> discovery_threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Manager> Manager::Create(ManagerOptions options) {
  return std::make_unique<ManagerImpl>(std::move(options));
}

}  // namespace narthex::scraper
