#include "scraper/scrape_pool.h"

#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

bool SameGroups(const std::vector<discovery::TargetGroup>& a, const std::vector<discovery::TargetGroup>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].source != b[i].source || a[i].labels != b[i].labels || a[i].targets != b[i].targets)
      return false;
  }
  return true;
}

}  // namespace

ScrapePool::ScrapePool(ScrapeContext* context, Scheduler* scheduler,
                       std::shared_ptr<const ScrapeConfig> config)
    : context_(context),
      options_(context->options),
      metrics_(&context->metrics),
      scheduler_(scheduler),
      config_(std::move(config)) {}

void ScrapePool::NoteDropped(Labels discovered) {
  ++dropped_count_;
  if (config_->keep_dropped_targets == 0 ||
      static_cast<int64_t>(dropped_.size()) < config_->keep_dropped_targets) {
    dropped_.push_back({std::move(discovered), config_->job_name});
  }
}

std::map<std::string, Target> ScrapePool::MakeTargets(const std::vector<discovery::TargetGroup>& groups) {
  std::map<std::string, Target> targets;
  int failures = 0, discovered_count = 0;
  for (const discovery::TargetGroup& group : groups) {
    for (size_t i = 0; i < group.targets.size(); ++i) {
      ++discovered_count;
      Labels discovered = DiscoveredLabels(group.targets[i], group.labels, *config_);
      auto target = MakeTarget(discovered, *config_);
      if (!target.ok()) {
        ++failures;
        options_.logger->Error(
            "Creating target failed",
            {{"scrape_pool", config_->job_name},
             {"err", StrCat("instance ", i, " in group ", group.source, ": ", Message(target.status()))}});
      } else if (!target->has_value()) {
        NoteDropped(std::move(discovered));
      } else {
        // The pool's name keeps jobs apart whose relabelling gives equal labels.
        LabelsBuilder key((*target)->key);
        (*target)->key = key.Set("__scrape_pool__", config_->job_name).Build();
        std::string id = (*target)->key.encoded();
        targets.emplace(std::move(id), std::move(**target));
      }
    }
  }
  const MetricLabels job{{"scrape_job", config_->job_name}};
  metrics_->registry
      ->GetCounter("prometheus_target_sync_failed_total", "Total number of target sync failures.", job)
      ->Add(failures);
  metrics_->registry
      ->GetGauge("prometheus_sd_discovered_targets", "Current number of discovered targets.",
                 {{"config", config_->job_name}, {"name", "scrape"}})
      ->Set(discovered_count);
  return targets;
}

void ScrapePool::Sync(const std::vector<discovery::TargetGroup>& groups) {
  if (synced_config_ == config_ && SameGroups(synced_groups_, groups)) return;
  synced_config_ = config_;
  synced_groups_ = groups;
  const int64_t start = options_.clock->MonotonicNs();
  dropped_.clear();
  dropped_count_ = 0;
  std::map<std::string, Target> targets = MakeTargets(groups);
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (targets.contains(it->first)) {
      ++it;
      continue;
    }
    scheduler_->Remove(it->second.runner);
    it = entries_.erase(it);
  }
  std::string forced_error;
  if (config_->target_limit > 0 && static_cast<int64_t>(targets.size()) > config_->target_limit) {
    metrics_->exceeded_target_limit->Add();
    forced_error = StrCat("target_limit exceeded (number of targets: ", targets.size(),
                          ", limit: ", config_->target_limit, ")");
  }
  for (auto& [id, target] : targets) {
    auto it = entries_.find(id);
    if (it == entries_.end()) {
      auto loop = std::make_shared<ScrapeLoop>(context_, config_, target);
      entries_.emplace(id, Entry{scheduler_->Add(std::move(loop), forced_error), config_, std::move(target)});
      continue;
    }
    Entry& entry = it->second;
    scheduler_->SetForcedError(entry.runner, forced_error);
    const bool same_target = entry.target.labels == target.labels &&
                             entry.target.discovered == target.discovered && entry.target.url == target.url;
    if (entry.config == config_ && same_target) continue;
    entry.config = config_;
    entry.target = target;
    scheduler_->Change(entry.runner, config_, std::move(target));
  }
  const MetricLabels job{{"scrape_job", config_->job_name}};
  metrics_->registry
      ->GetGauge("prometheus_target_scrape_pool_targets", "Current number of targets in this scrape pool.",
                 job)
      ->Set(static_cast<double>(entries_.size()));
  metrics_->registry
      ->GetGauge("prometheus_target_scrape_pool_target_limit",
                 "Maximum number of targets allowed in this scrape pool.", job)
      ->Set(static_cast<double>(config_->target_limit));
  metrics_->registry
      ->GetCounter("prometheus_target_scrape_pool_sync_total",
                   "Total number of syncs that were executed on a scrape pool.", job)
      ->Add();
  metrics_->sync_length->Observe(config_->job_name,
                                 static_cast<double>(options_.clock->MonotonicNs() - start) / 1e9);
}

void ScrapePool::Clear() {
  for (auto& [id, entry] : entries_) scheduler_->Remove(entry.runner);
  entries_.clear();
  const MetricLabels job{{"scrape_job", config_->job_name}};
  for (std::string_view name :
       {"prometheus_target_scrape_pool_targets", "prometheus_target_scrape_pool_target_limit",
        "prometheus_target_scrape_pool_sync_total", "prometheus_target_sync_failed_total"}) {
    metrics_->registry->Remove(name, job);
  }
  metrics_->registry->Remove("prometheus_sd_discovered_targets",
                             {{"config", config_->job_name}, {"name", "scrape"}});
  metrics_->sync_length->Drop(config_->job_name);
}

void ScrapePool::States(std::vector<TargetState>* out) const {
  for (const auto& [id, entry] : entries_) out->push_back(entry.runner->loop->State());
}

void ScrapePool::Metadata(const std::string& metric,
                          std::vector<std::pair<Labels, TargetMetadata>>* out) const {
  for (const auto& [id, entry] : entries_) entry.runner->loop->Metadata(metric, out);
}

}  // namespace narthex::scraper
