#include "remote/delivery.h"

#include <algorithm>
#include <ctime>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "base/strings.h"

namespace narthex::remote {
namespace {

constexpr int64_t kMaxRetryAfterMs = 600'000;
constexpr size_t kLoggedBody = 256;

// One exchange: outlives the waiter if that gives up.
struct Exchange {
  Mutex mutex;
  CondVar done;
  std::optional<absl::StatusOr<HttpClientResponse>> answer ABSL_GUARDED_BY(mutex);
};

std::string_view HeaderOf(const HttpClientResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

EndpointMetrics::EndpointMetrics(MetricsRegistry* registry, const std::string& name, const std::string& url) {
  const MetricLabels labels = {{"remote_name", name}, {"url", url}};
  const std::string prefix = "prometheus_remote_storage_";
  auto counter = [&](std::string_view metric, std::string_view help) {
    return registry->GetCounter(StrCat(prefix, metric), help, labels);
  };
  auto gauge = [&](std::string_view metric, std::string_view help) {
    return registry->GetGauge(StrCat(prefix, metric), help, labels);
  };
  auto four = [&](std::string_view suffix, std::string_view what, Counter** a, Counter** b, Counter** c,
                  Counter** d) {
    *a = counter(StrCat("samples", suffix), StrCat("Total number of samples ", what));
    *b = counter(StrCat("histograms", suffix), StrCat("Total number of histograms ", what));
    *c = counter(StrCat("exemplars", suffix), StrCat("Total number of exemplars ", what));
    *d = counter(StrCat("metadata", suffix), StrCat("Total number of metadata entries ", what));
  };
  four("_total", "sent to remote storage.", &samples, &histograms, &exemplars, &metadata);
  four("_failed_total", "which failed on send to remote storage, non-recoverable errors.", &samples_failed,
       &histograms_failed, &exemplars_failed, &metadata_failed);
  four("_retried_total",
       "which failed on send to remote storage but were retried because the send error was recoverable.",
       &samples_retried, &histograms_retried, &exemplars_retried, &metadata_retried);
  auto dropped = [&](const char* reason) {
    MetricLabels with = labels;
    with.insert(with.begin(), {"reason", reason});
    return registry->GetCounter(
        prefix + "samples_dropped_total",
        "Total number of samples which were dropped after being read from storage before "
        "being sent via remote write, either via relabelling or because they are too old.",
        with);
  };
  dropped_relabelled = dropped("dropped_series");
  dropped_too_old = dropped("too_old");
  bytes = counter("bytes_total",
                  "The total number of bytes of data (not metadata) sent by the queue after compression.");
  metadata_bytes = counter("metadata_bytes_total",
                           "The total number of bytes of metadata sent by the queue after compression.");
  pending = gauge("samples_pending",
                  "The number of samples pending in the queues shards to be sent to the remote storage.");
  shards = gauge("shards", "The number of shards used for parallel sending to the remote storage.");
  shards_min = gauge("shards_min", "The minimum number of shards that the queue is allowed to run.");
  shards_max = gauge("shards_max", "The maximum number of shards that the queue is allowed to run.");
  shards_desired =
      gauge("shards_desired", "The number of shards that the queues shard calculation wants to run.");
  shard_capacity =
      gauge("shard_capacity", "The capacity of each shard of the queue used for parallel sending.");
  per_send = gauge("max_samples_per_send", "The maximum number of samples to be sent, in a single request.");
  highest_sent =
      gauge("queue_highest_sent_timestamp_seconds",
            "Timestamp from the newest sample, the highest timestamp successfully sent by this queue, in "
            "seconds since epoch.");
  highest_seen = gauge("queue_highest_timestamp_seconds",
                       "Highest timestamp that was enqueued, in seconds since epoch.");
  batch_seconds = registry->GetHistogram(
      prefix + "sent_batch_duration_seconds", "Duration of send calls to the remote storage.",
      {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 60, 120, 300}, labels);
}

int64_t RetryAfterMs(std::string_view header, int64_t now_ms) {
  int64_t seconds = 0;
  if (absl::SimpleAtoi(ToAbsl(header), &seconds))
    return std::clamp<int64_t>(seconds, 0, kMaxRetryAfterMs / 1000) * 1000;
  std::tm parts{};
  std::string text(header);
  const char* end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr) return 0;
  return std::clamp<int64_t>(timegm(&parts) * int64_t{1000} - now_ms, 0, kMaxRetryAfterMs);
}

Delivery::Delivery(const SenderOptions& options, const RemoteWriteConfig& config, EndpointMetrics* metrics)
    : options_(options), config_(config), metrics_(metrics) {}

void Delivery::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.SignalAll();
}

bool Delivery::Pause(int64_t ms) {
  MutexLock lock(&mutex_);
  absl::Time until = absl::Now() + absl::Milliseconds(ms);
  while (!stopped_ && !changed_.WaitWithDeadline(&mutex_, until)) {
  }
  return !stopped_;
}

bool Delivery::Recoverable(int status) const {
  return status / 100 == 5 || (status == 429 && config_.queue.retry_on_429);
}

void Delivery::CountRetried(const Load& load) {
  metrics_->samples_retried->Add(static_cast<double>(load.samples));
  metrics_->histograms_retried->Add(static_cast<double>(load.histograms));
  metrics_->exemplars_retried->Add(static_cast<double>(load.exemplars));
  metrics_->metadata_retried->Add(static_cast<double>(load.metadata));
}

void Delivery::CountEnd(const Load& load, bool taken, size_t bytes) {
  (taken ? metrics_->samples : metrics_->samples_failed)->Add(static_cast<double>(load.samples));
  (taken ? metrics_->histograms : metrics_->histograms_failed)->Add(static_cast<double>(load.histograms));
  (taken ? metrics_->exemplars : metrics_->exemplars_failed)->Add(static_cast<double>(load.exemplars));
  (taken ? metrics_->metadata : metrics_->metadata_failed)->Add(static_cast<double>(load.metadata));
  (load.metadata > 0 ? metrics_->metadata_bytes : metrics_->bytes)->Add(static_cast<double>(bytes));
}

absl::StatusOr<HttpClientResponse> Delivery::Post(const std::string& body, bool v2, int attempt) {
  HttpClientRequest request;
  request.method = "POST";
  request.url = config_.url;
  request.body = body;
  request.timeout_ms = config_.timeout_ms;
  request.max_body_bytes = 1 << 20;
  request.config = config_.http;
  request.headers = config_.headers;
  request.headers.emplace_back("Content-Encoding", "snappy");
  request.headers.emplace_back(
      "Content-Type", v2 ? StrCat("application/x-protobuf;proto=", kWriteV2) : "application/x-protobuf");
  request.headers.emplace_back("X-Prometheus-Remote-Write-Version", v2 ? "2.0.0" : "0.1.0");
  if (attempt > 0) request.headers.emplace_back("Retry-Attempt", StrCat(attempt));
  auto exchange = std::make_shared<Exchange>();
  options_.http->Start(std::move(request), [exchange](absl::StatusOr<HttpClientResponse> answer) {
    MutexLock lock(&exchange->mutex);
    exchange->answer = std::move(answer);
    exchange->done.Signal();
  });
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (stopped_) return absl::CancelledError("stopped");
    }
    MutexLock lock(&exchange->mutex);
    if (!exchange->answer) exchange->done.WaitWithTimeout(&exchange->mutex, absl::Milliseconds(200));
    if (exchange->answer) return *std::move(exchange->answer);
  }
}

Verdict Delivery::Send(const std::string& body, bool v2, const Load& load, bool doubtful) {
  int64_t backoff = config_.queue.min_backoff_ms;
  for (int attempt = 0;; ++attempt) {
    int64_t began = options_.clock->MonotonicNs();
    absl::StatusOr<HttpClientResponse> answer = Post(body, v2, attempt);
    metrics_->batch_seconds->Observe(static_cast<double>(options_.clock->MonotonicNs() - began) / 1e9);
    if (answer.ok() && answer->status / 100 == 2) {
      failing_ = false;
      CountEnd(load, true, body.size());
      return Verdict::kTaken;
    }
    if (answer.status().code() == absl::StatusCode::kCancelled) return Verdict::kStopped;
    std::string error = answer.ok() ? StrCat("server returned HTTP status ", answer->status, ": ",
                                             std::string_view(answer->body).substr(0, kLoggedBody))
                                    : std::string(answer.status().message());
    if (answer.ok() && !Recoverable(answer->status)) {
      failing_ = false;
      if (doubtful || attempt > 0) return Verdict::kDoubtful;
      CountEnd(load, false, 0);
      options_.logger->Error("non-recoverable error", {{"component", "remote"},
                                                       {"url", config_.url},
                                                       {"failedSampleCount", StrCat(load.samples)},
                                                       {"err", error}});
      return Verdict::kRefused;
    }
    if (!failing_.exchange(true)) {
      options_.logger->Warn("Failed to send batch, retrying",
                            {{"component", "remote"}, {"url", config_.url}, {"err", error}});
    }
    CountRetried(load);
    int64_t wait = backoff;
    if (answer.ok()) {
      wait = std::max(wait, RetryAfterMs(HeaderOf(*answer, "retry-after"), options_.clock->NowMs()));
    }
    if (!Pause(wait)) return Verdict::kStopped;
    backoff = std::min(backoff * 2, config_.queue.max_backoff_ms);
  }
}

}  // namespace narthex::remote
