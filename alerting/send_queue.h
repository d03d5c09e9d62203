// The alerts on their way to one Alertmanager.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "alerting/alert_queue.h"
#include "alerting/alerting.h"
#include "base/mutex.h"

namespace narthex::alerting {

// Wakes the sending thread. Shared with requests in flight, which may outlive the notifier. Thread-safe.
class Wakeup {
 public:
  void Notify();
  // Until Notify (also an earlier one that nobody waited for) or the deadline.
  void Wait(absl::Time deadline);

 private:
  Mutex mutex_;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
};

// Where and how to post.
struct SendTarget {
  std::string url;
  int64_t timeout_ms = 10'000;
  std::shared_ptr<const HttpClientConfig> http;
  std::string name = "";                                   // of the queue; empty: the URL
  std::shared_ptr<const WebhookConfig> webhook = nullptr;  // not an Alertmanager, but this
};

// A bounded queue and at most one batch of it on its way. Owner: the
// notifier; a request in flight holds a reference. Thread-safe; only the sending thread calls Pump.
class SendQueue : public std::enable_shared_from_this<SendQueue> {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // `left`: what an earlier run left on disk for this URL.
  SendQueue(const NotifierOptions& options, SendTarget target, std::shared_ptr<Wakeup> wakeup,
            const std::vector<std::pair<std::string, std::string>>& left);
  const std::string& name() const { return name_; }

  // Drops alerts if there are too many.
  void Add(std::vector<rules::Notification> alerts);
  void SetTarget(SendTarget target);
  // Starts the next request if it is due. When to call again (monotonic clock); kNever if only an answer or
  // new alerts can change anything.
  int64_t Pump(int64_t now_ns);
  // Sends what is left without delay, until a batch fails.
  void Drain();
  bool Idle() const;  // nothing is left to do, or, when draining, nothing more can be done
  // Nothing is sent or counted afterwards. What is left stays on disk for the next run, or is dropped: always
  // if the Alertmanager is `gone`, else if there is no disk. Returns how much was dropped.
  int64_t Close(bool gone);

  // Removes what is counted for `url`. REQUIRES: every queue with this URL is closed.
  static void RemoveMetrics(MetricsRegistry* registry, const std::string& url);

 private:
  void Answered(int64_t started_ns, const absl::StatusOr<HttpClientResponse>& response);
  void Failed(const std::string& error, bool retryable, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string TakeBatch(int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LogWriteError(const absl::Status& status) const;

  const NotifierOptions options_;
  const std::string name_;  // in metrics, logs and on disk
  const std::shared_ptr<Wakeup> wakeup_;
  // Valid until Close.
  Counter* const sent_;
  Counter* const errors_;
  Counter* const dropped_;
  Gauge* const length_;
  HistogramMetric* const latency_;

  mutable Mutex mutex_;
  SendTarget target_ ABSL_GUARDED_BY(mutex_);
  AlertQueue queue_ ABSL_GUARDED_BY(mutex_);
  int64_t batch_since_ns_ ABSL_GUARDED_BY(mutex_) = 0;  // since when the first alerts were tried
  int64_t due_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t backoff_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  bool in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool failed_draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace narthex::alerting
