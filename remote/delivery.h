// One request to one endpoint, again and again until it is taken or refused.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "remote/remote.h"

namespace narthex::remote {

// The prometheus_remote_storage_* metrics of one endpoint. Made once; thread-safe.
struct EndpointMetrics {
  EndpointMetrics(MetricsRegistry* registry, const std::string& name, const std::string& url);
  Counter *samples, *histograms, *exemplars, *metadata;
  Counter *samples_failed, *histograms_failed, *exemplars_failed, *metadata_failed;
  Counter *samples_retried, *histograms_retried, *exemplars_retried, *metadata_retried;
  Counter *dropped_relabelled, *dropped_too_old, *bytes, *metadata_bytes;
  Gauge *pending, *shards, *shards_min, *shards_max, *shards_desired, *shard_capacity, *per_send;
  Gauge *highest_sent, *highest_seen;
  HistogramMetric* batch_seconds;
};

// What a request carries, for the metrics.
struct Load {
  int64_t samples = 0, histograms = 0, exemplars = 0, metadata = 0;
};

// kDoubtful: refused, but an earlier attempt whose answer got lost may have been taken; not counted as
// failed.
enum class Verdict { kTaken, kRefused, kDoubtful, kStopped };

// Posts to one endpoint. Thread-safe: shards share it.
class Delivery {
 public:
  Delivery(const SenderOptions& options, const RemoteWriteConfig& config, EndpointMetrics* metrics);
  // Blocks through retries. A refusal is logged. `doubtful`: it may have been sent before.
  Verdict Send(const std::string& body, bool v2, const Load& load, bool doubtful);
  void Stop();  // ends waits; requests under way are abandoned
  bool failing() const { return failing_; }

 private:
  struct Answer;
  absl::StatusOr<HttpClientResponse> Post(const std::string& body, bool v2, int attempt);
  bool Pause(int64_t ms);  // false: stopped
  bool Recoverable(int status) const;
  void CountRetried(const Load& load);
  void CountEnd(const Load& load, bool taken, size_t bytes);

  const SenderOptions& options_;
  const RemoteWriteConfig& config_;
  EndpointMetrics* const metrics_;
  std::atomic<bool> failing_{false};
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// Seconds or an HTTP date; 0 if there is nothing to wait for.
int64_t RetryAfterMs(std::string_view header, int64_t now_ms);

}  // namespace narthex::remote
