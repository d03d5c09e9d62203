// The alerts on their way to one Alertmanager.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
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
};

// A bounded queue and at most one batch on its way: in flight, or waiting to be tried again. Owner: the
// notifier; a request in flight holds a reference. Thread-safe; only the sending thread calls Pump.
class SendQueue : public std::enable_shared_from_this<SendQueue> {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  SendQueue(const NotifierOptions& options, SendTarget target, std::shared_ptr<Wakeup> wakeup);
  const std::string& url() const { return url_; }

  // Drops the oldest alerts if there are too many.
  void Add(std::vector<rules::Notification> alerts);
  void SetTarget(SendTarget target);
  // Starts the next request if it is due. When to call again (monotonic clock); kNever if only an answer or
  // new alerts can change anything.
  int64_t Pump(int64_t now_ns);
  // From now on each batch is tried once, without delay.
  void Drain();
  bool Idle() const;
  // Drops what is left, returns how much. Nothing is sent or counted afterwards.
  int64_t Close();

  // Removes what is counted for `url`. REQUIRES: every queue with this URL is closed.
  static void RemoveMetrics(MetricsRegistry* registry, const std::string& url);

 private:
  void Answered(int64_t started_ns, const absl::StatusOr<HttpClientResponse>& response);
  void Failed(const std::string& error, bool retryable, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<rules::Notification> TakeBatch(int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const NotifierOptions options_;
  const std::string url_;
  const std::shared_ptr<Wakeup> wakeup_;
  // Valid until Close.
  Counter* const sent_;
  Counter* const errors_;
  Counter* const dropped_;
  Gauge* const length_;
  HistogramMetric* const latency_;

  mutable Mutex mutex_;
  SendTarget target_ ABSL_GUARDED_BY(mutex_);
  std::deque<rules::Notification> queue_ ABSL_GUARDED_BY(mutex_);
  std::string body_ ABSL_GUARDED_BY(mutex_);  // of the batch
  size_t batch_size_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t batch_since_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t due_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t backoff_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  bool in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace narthex::alerting
