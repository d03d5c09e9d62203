// When to scrape whom: a heap of due times.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "scraper/scrape_loop.h"

namespace narthex::scraper {

// A target with its place in the schedule. All fields are the scheduler's, under its mutex.
struct Runner {
  std::shared_ptr<ScrapeLoop> loop;
  int64_t interval_ns = 0;
  uint64_t generation = 0;  // heap entries of other generations are void
  bool in_flight = false;
  bool removed = false;
  std::string forced_error;  // not empty: the scrape fails with this, nobody is asked
  // Its last scrape was worked off so fast that the next one is worked off where the answer arrives.
  bool quick = false;
  std::shared_ptr<const HttpClientRequest> request;  // null: to be made
  int64_t start_ms = 0, start_ns = 0;                // of the scrape in flight
  struct Change {
    std::shared_ptr<const ScrapeConfig> config;
    Target target;
  };
  std::optional<Change> pending;  // waits for the scrape in flight
};

// Thread-safe. Lives on the HTTP client's thread: scrapes start there and answers come back there, and those
// of quick targets are worked off at once, as handing them over would cost more; all others on the pool. What
// arrives after Stop is dropped, so the object is shared with the requests in flight.
class Scheduler : public std::enable_shared_from_this<Scheduler> {
 public:
  Scheduler(const ManagerOptions& options, uint64_t seed) : options_(options), seed_(seed) {}
  void Start();
  void Stop();  // waits for what is being appended, not for what is being fetched

  std::shared_ptr<Runner> Add(std::shared_ptr<ScrapeLoop> loop, const std::string& forced_error);
  // The target ends: stale markers, at once or after the scrape in flight.
  void Remove(const std::shared_ptr<Runner>& runner);
  void Change(const std::shared_ptr<Runner>& runner, std::shared_ptr<const ScrapeConfig> config,
              Target target);
  void SetForcedError(const std::shared_ptr<Runner>& runner, const std::string& error);

 private:
  struct Due {
    int64_t at_ns;
    uint64_t generation;
    std::weak_ptr<Runner> runner;
    bool operator>(const Due& other) const { return at_ns > other.at_ns; }
  };

  int64_t Tick();  // starts what is due; returns the nanoseconds until it should be called again
  std::vector<std::shared_ptr<Runner>> TakeDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Push(const std::shared_ptr<Runner>& runner, const Target& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ApplyChange(Runner* runner, Runner::Change change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Scrape(const std::shared_ptr<Runner>& runner);
  std::shared_ptr<const HttpClientRequest> MakeRequest(const std::shared_ptr<Runner>& runner);
  void Handle(const std::shared_ptr<Runner>& runner, absl::StatusOr<HttpClientResponse> response);
  void HandlePiece(const std::shared_ptr<Runner>& runner, HttpClientResponse piece,
                   std::function<void()> resume);
  void WorkOff(const std::shared_ptr<Runner>& runner, absl::StatusOr<HttpClientResponse> response);
  void Finish(const std::shared_ptr<Runner>& runner, bool quick);

  const ManagerOptions options_;
  const uint64_t seed_;
  Mutex mutex_;
  CondVar wake_ ABSL_GUARDED_BY(mutex_);
  std::priority_queue<Due, std::vector<Due>, std::greater<Due>> heap_ ABSL_GUARDED_BY(mutex_);
  // Wall-clock time where the monotonic clock is 0. Held on to while it is about right, as targets of one
  // slot are then due at the very same time.
  int64_t wall_origin_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int working_ ABSL_GUARDED_BY(mutex_) = 0;
  int ticker_ = 0;
};

}  // namespace narthex::scraper
