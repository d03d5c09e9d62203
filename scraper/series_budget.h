// How many series scraping may have: a limit for all jobs together and one for each job.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/metrics.h"
#include "base/mutex.h"

namespace narthex::scraper {

// One account, for a job or for all. Thread-safe.
class SeriesAccount {
 public:
  // limit 0 = none.
  SeriesAccount(int64_t limit, std::shared_ptr<SeriesAccount> parent)
      : limit_(limit), parent_(std::move(parent)) {}

  // Takes place for one series. False: there is none, and nothing was taken.
  bool Take() {
    if (used_.fetch_add(1, std::memory_order_relaxed) >= limit_ && limit_ > 0) {
      used_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    if (parent_ == nullptr || parent_->Take()) return true;
    used_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  void Give(int64_t n) {
    used_.fetch_sub(n, std::memory_order_relaxed);
    if (parent_ != nullptr) parent_->Give(n);
  }
  int64_t used() const { return used_.load(std::memory_order_relaxed); }
  int64_t limit() const { return limit_; }

 private:
  const int64_t limit_;
  const std::shared_ptr<SeriesAccount> parent_;
  std::atomic<int64_t> used_{0};
};

// What one target holds of its job's account. Its series keep their place over a reload, which forgets them
// for a moment. Not thread-safe; owner: one ScrapeLoop.
class SeriesShare {
 public:
  explicit SeriesShare(std::shared_ptr<SeriesAccount> account) : account_(std::move(account)) {}
  ~SeriesShare() { account_->Give(held_); }
  SeriesShare(const SeriesShare&) = delete;
  SeriesShare& operator=(const SeriesShare&) = delete;

  // Place for one more series than before.
  bool Take() {
    if (used_ == held_) {
      if (!account_->Take()) return false;
      ++held_;
    }
    ++used_;
    return true;
  }
  void Return() { --used_; }  // of what Take took
  // All series are forgotten; their places are kept until Settle.
  void Forget() { used_ = 0; }
  // The target has so many series now: what is over is given back.
  void Settle(int64_t series) {
    used_ = series;
    if (held_ <= used_) return;
    account_->Give(held_ - used_);
    held_ = used_;
  }

 private:
  const std::shared_ptr<SeriesAccount> account_;
  int64_t held_ = 0, used_ = 0;
};

// The accounts of all jobs. Owner: the manager. Thread-safe.
class SeriesBudget {
 public:
  SeriesBudget(int64_t limit, int64_t job_limit, MetricsRegistry* metrics);
  std::shared_ptr<SeriesAccount> Job(const std::string& job);

 private:
  const std::shared_ptr<SeriesAccount> all_;
  const int64_t job_limit_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<SeriesAccount>> jobs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace narthex::scraper
