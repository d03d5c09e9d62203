// The targets of one job.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scraper/scheduler.h"

namespace narthex::scraper {

// Not thread-safe; owner: the manager, under its lock. Removing the pool's targets is Clear(), not
// destruction.
class ScrapePool {
 public:
  ScrapePool(ScrapeContext* context, Scheduler* scheduler, std::shared_ptr<const ScrapeConfig> config);

  void SetConfig(std::shared_ptr<const ScrapeConfig> config) { config_ = std::move(config); }
  const std::shared_ptr<const ScrapeConfig>& config() const { return config_; }
  // Makes the targets be what discovery says: new ones start, vanished ones end.
  void Sync(const std::vector<discovery::TargetGroup>& groups);
  void Clear();

  void States(std::vector<TargetState>* out) const;
  void Metadata(const std::string& metric, std::vector<std::pair<Labels, TargetMetadata>>* out) const;
  const std::vector<DroppedTarget>& dropped() const { return dropped_; }
  int dropped_count() const { return dropped_count_; }

 private:
  struct Entry {
    std::shared_ptr<Runner> runner;
    std::shared_ptr<const ScrapeConfig> config;
    Target target;
  };
  std::map<std::string, Target> MakeTargets(const std::vector<discovery::TargetGroup>& groups);
  void NoteDropped(Labels discovered);

  ScrapeContext* const context_;
  const ManagerOptions& options_;
  ScrapeMetrics* const metrics_;
  Scheduler* const scheduler_;
  std::shared_ptr<const ScrapeConfig> config_;
  std::map<std::string, Entry> entries_;  // by the target's key
  std::vector<discovery::TargetGroup> synced_groups_;
  std::shared_ptr<const ScrapeConfig> synced_config_;
  std::vector<DroppedTarget> dropped_;
  int dropped_count_ = 0;
};

}  // namespace narthex::scraper
