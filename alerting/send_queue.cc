#include "alerting/send_queue.h"

#include <algorithm>
#include <iterator>

#include "absl/time/clock.h"
#include "alerting/alert_json.h"
#include "alerting/webhook_json.h"
#include "base/strings.h"

namespace narthex::alerting {
namespace {

constexpr std::string_view kSent = "prometheus_notifications_sent_total";
constexpr std::string_view kErrors = "prometheus_notifications_errors_total";
constexpr std::string_view kDropped = "prometheus_notifications_dropped_total";
constexpr std::string_view kLength = "prometheus_notifications_queue_length";
constexpr std::string_view kLatency = "prometheus_notifications_latency_histogram_seconds";

MetricLabels Label(const std::string& url) { return {{"alertmanager", url}}; }

}  // namespace

void Wakeup::Notify() {
  MutexLock lock(&mutex_);
  notified_ = true;
}

void Wakeup::Wait(absl::Time deadline) {
  MutexLock lock(&mutex_);
  mutex_.AwaitWithDeadline(Condition(&notified_), deadline);
  notified_ = false;
}

SendQueue::SendQueue(const NotifierOptions& options, SendTarget target, std::shared_ptr<Wakeup> wakeup,
                     const std::vector<std::pair<std::string, std::string>>& left)
    : options_(options),
      name_(target.name.empty() ? target.url : target.name),
      wakeup_(std::move(wakeup)),
      sent_(options.metrics->GetCounter(kSent, "Total number of alerts sent.", Label(name_))),
      errors_(options.metrics->GetCounter(kErrors, "Total number of sent alerts affected by errors.",
                                          Label(name_))),
      dropped_(options.metrics->GetCounter(
          kDropped, "Total number of alerts dropped due to errors when sending to Alertmanager.",
          Label(name_))),
      length_(options.metrics->GetGauge(kLength, "The number of alert notifications in the queue.",
                                        Label(name_))),
      latency_(options.metrics->GetHistogram(kLatency, "Latency histogram for sending alert notifications.",
                                             {.01, .1, 1, 10}, Label(name_))),
      target_(std::move(target)),
      queue_(options.store, name_, options.queue_capacity) {
  MutexLock lock(&mutex_);
  queue_.Load(left);
  length_->Set(static_cast<double>(queue_.size()));
}

void SendQueue::LogWriteError(const absl::Status& status) const {
  if (status.ok()) return;
  options_.logger->Error("Writing the queue of notifications failed; it is in memory only",
                         {{"alertmanager", name_}, {"err", std::string(status.message())}});
}

void SendQueue::RemoveMetrics(MetricsRegistry* registry, const std::string& url) {
  for (std::string_view name : {kSent, kErrors, kDropped, kLength, kLatency}) {
    registry->Remove(name, Label(url));
  }
}

void SendQueue::Add(std::vector<rules::Notification> alerts) {
  MutexLock lock(&mutex_);
  if (closed_) return;
  const size_t count = alerts.size();
  absl::StatusOr<int64_t> dropped = queue_.Add(std::move(alerts));
  LogWriteError(dropped.status());
  if (dropped.ok() && *dropped > 0) {
    options_.logger->Warn(static_cast<int64_t>(count) > options_.queue_capacity
                              ? "Alert batch larger than queue capacity, dropping alerts"
                              : "Alert notification queue full, dropping alerts",
                          {{"alertmanager", name_}, {"count", StrCat(*dropped)}});
    dropped_->Add(static_cast<double>(*dropped));
  }
  length_->Set(static_cast<double>(queue_.size() - queue_.taken()));
  wakeup_->Notify();
}

void SendQueue::SetTarget(SendTarget target) {
  MutexLock lock(&mutex_);
  target_ = std::move(target);
}

std::string SendQueue::TakeBatch(int64_t now_ns) {
  std::vector<rules::Notification> batch;
  const WebhookConfig* webhook = target_.webhook.get();
  AlertQueue::SameBatch together;
  if (webhook != nullptr) {
    together = [webhook](const rules::Notification& a, const rules::Notification& b) {
      return GroupLabels(*webhook, a.labels) == GroupLabels(*webhook, b.labels);
    };
  }
  for (const rules::Notification* alert : queue_.Take(static_cast<size_t>(options_.batch_size), together)) {
    batch.push_back(*alert);
  }
  if (backoff_ms_ == 0) batch_since_ns_ = now_ns;
  length_->Set(static_cast<double>(queue_.size() - batch.size()));
  return webhook != nullptr ? EncodeWebhook(*webhook, options_.external_url, batch) : EncodeAlerts(batch);
}

int64_t SendQueue::Pump(int64_t now_ns) {
  HttpClientRequest request;
  {
    MutexLock lock(&mutex_);
    if (closed_ || in_flight_ || queue_.size() == 0) return kNever;
    if (backoff_ms_ > 0 && due_ns_ > now_ns) return due_ns_;
    in_flight_ = true;
    request.body = TakeBatch(now_ns);
    request.url = target_.url;
    request.timeout_ms = target_.timeout_ms;
    request.config = target_.http;
  }
  request.method = "POST";
  request.headers = {{"User-Agent", "Narthex/0.1"}, {"Content-Type", "application/json"}};
  request.max_body_bytes = 1 << 20;
  request.accept_gzip = false;
  options_.http->Start(std::move(request), [self = shared_from_this(), started = now_ns](
                                               const absl::StatusOr<HttpClientResponse>& response) {
    self->Answered(started, response);
  });
  return kNever;
}

void SendQueue::Answered(int64_t started_ns, const absl::StatusOr<HttpClientResponse>& response) {
  MutexLock lock(&mutex_);
  in_flight_ = false;
  if (closed_) return;
  const int64_t now = options_.clock->MonotonicNs();
  if (response.ok() && response->status / 100 == 2) {
    sent_->Add(static_cast<double>(queue_.taken()));
    latency_->Observe(static_cast<double>(now - started_ns) / 1e9);
    FinishBatch();
  } else if (response.ok()) {
    const bool retryable = response->status >= 500 || response->status == 429;
    Failed(StrCat("bad response status ", response->status), retryable, now);
  } else {
    Failed(std::string(response.status().message()), true, now);
  }
  wakeup_->Notify();
}

void SendQueue::Failed(const std::string& error, bool retryable, int64_t now_ns) {
  const size_t count = queue_.taken();
  errors_->Add(static_cast<double>(count));
  options_.logger->Error("Error sending alerts",
                         {{"alertmanager", name_}, {"count", StrCat(count)}, {"err", error}});
  const bool too_old =
      options_.give_up_ms > 0 && (now_ns - batch_since_ns_) / 1'000'000 >= options_.give_up_ms;
  // With a disk, what is left is for the next run, in order; without, the next batch may have more luck.
  const bool last_chance = draining_ && options_.store == nullptr;
  if (!retryable || too_old || last_chance) {
    dropped_->Add(static_cast<double>(count));
    FinishBatch();
    return;
  }
  queue_.PutBack();
  length_->Set(static_cast<double>(queue_.size()));
  if (draining_) failed_draining_ = true;
  backoff_ms_ = std::clamp(backoff_ms_ * 2, options_.retry_backoff_ms, options_.max_backoff_ms);
  due_ns_ = now_ns + backoff_ms_ * 1'000'000;
}

void SendQueue::FinishBatch() {
  LogWriteError(queue_.Finish());
  backoff_ms_ = 0;
}

void SendQueue::Drain() {
  MutexLock lock(&mutex_);
  draining_ = true;
  due_ns_ = std::numeric_limits<int64_t>::min();
  wakeup_->Notify();
}

bool SendQueue::Idle() const {
  MutexLock lock(&mutex_);
  return queue_.size() == 0 || (failed_draining_ && !in_flight_);
}

int64_t SendQueue::Close(bool gone) {
  MutexLock lock(&mutex_);
  if (closed_) return 0;
  closed_ = true;
  length_->Set(0);
  if (!gone && options_.store != nullptr) return 0;
  const int64_t left = static_cast<int64_t>(queue_.size());
  dropped_->Add(static_cast<double>(left));
  LogWriteError(queue_.Clear());
  return left;
}

}  // namespace narthex::alerting
