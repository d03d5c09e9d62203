#include "alerting/send_queue.h"

#include <algorithm>
#include <iterator>

#include "absl/time/clock.h"
#include "alerting/alert_json.h"
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

SendQueue::SendQueue(const NotifierOptions& options, SendTarget target, std::shared_ptr<Wakeup> wakeup)
    : options_(options),
      url_(target.url),
      wakeup_(std::move(wakeup)),
      sent_(options.metrics->GetCounter(kSent, "Total number of alerts sent.", Label(url_))),
      errors_(options.metrics->GetCounter(kErrors, "Total number of sent alerts affected by errors.",
                                          Label(url_))),
      dropped_(options.metrics->GetCounter(
          kDropped, "Total number of alerts dropped due to errors when sending to Alertmanager.",
          Label(url_))),
      length_(
          options.metrics->GetGauge(kLength, "The number of alert notifications in the queue.", Label(url_))),
      latency_(options.metrics->GetHistogram(kLatency, "Latency histogram for sending alert notifications.",
                                             {.01, .1, 1, 10}, Label(url_))),
      target_(std::move(target)) {}

void SendQueue::RemoveMetrics(MetricsRegistry* registry, const std::string& url) {
  for (std::string_view name : {kSent, kErrors, kDropped, kLength, kLatency}) {
    registry->Remove(name, Label(url));
  }
}

void SendQueue::Add(std::vector<rules::Notification> alerts) {
  MutexLock lock(&mutex_);
  if (closed_ || draining_) return;
  const int64_t capacity = options_.queue_capacity;
  int64_t excess = static_cast<int64_t>(queue_.size() + alerts.size()) - capacity;
  if (excess > 0) {
    options_.logger->Warn(static_cast<int64_t>(alerts.size()) > capacity
                              ? "Alert batch larger than queue capacity, dropping alerts"
                              : "Alert notification queue full, dropping alerts",
                          {{"alertmanager", url_}, {"count", StrCat(excess)}});
    dropped_->Add(static_cast<double>(excess));
  }
  for (rules::Notification& alert : alerts) queue_.push_back(std::move(alert));
  for (; excess > 0; --excess) queue_.pop_front();
  length_->Set(static_cast<double>(queue_.size()));
  wakeup_->Notify();
}

void SendQueue::SetTarget(SendTarget target) {
  MutexLock lock(&mutex_);
  target_ = std::move(target);
}

std::vector<rules::Notification> SendQueue::TakeBatch(int64_t now_ns) {
  batch_size_ = std::min(queue_.size(), static_cast<size_t>(options_.batch_size));
  batch_since_ns_ = now_ns;
  const auto end = queue_.begin() + static_cast<ptrdiff_t>(batch_size_);
  std::vector<rules::Notification> batch(std::make_move_iterator(queue_.begin()),
                                         std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  length_->Set(static_cast<double>(queue_.size()));
  return batch;
}

int64_t SendQueue::Pump(int64_t now_ns) {
  HttpClientRequest request;
  std::vector<rules::Notification> batch;
  {
    MutexLock lock(&mutex_);
    if (closed_ || in_flight_ || (batch_size_ == 0 && queue_.empty())) return kNever;
    if (batch_size_ > 0 && due_ns_ > now_ns) return due_ns_;
    if (batch_size_ == 0) batch = TakeBatch(now_ns);
    in_flight_ = true;
    request.url = target_.url;
    request.timeout_ms = target_.timeout_ms;
    request.config = target_.http;
    request.body = body_;
  }
  if (!batch.empty()) {
    request.body = EncodeAlerts(batch);
    MutexLock lock(&mutex_);
    body_ = request.body;
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
    sent_->Add(static_cast<double>(batch_size_));
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
  errors_->Add(static_cast<double>(batch_size_));
  options_.logger->Error("Error sending alerts",
                         {{"alertmanager", url_}, {"count", StrCat(batch_size_)}, {"err", error}});
  const bool too_old = (now_ns - batch_since_ns_) / 1'000'000 >= options_.give_up_ms;
  if (!retryable || draining_ || too_old) {
    dropped_->Add(static_cast<double>(batch_size_));
    FinishBatch();
    return;
  }
  backoff_ms_ = std::clamp(backoff_ms_ * 2, options_.retry_backoff_ms, options_.max_backoff_ms);
  due_ns_ = now_ns + backoff_ms_ * 1'000'000;
}

void SendQueue::FinishBatch() {
  batch_size_ = 0;
  backoff_ms_ = 0;
  body_.clear();
}

void SendQueue::Drain() {
  MutexLock lock(&mutex_);
  draining_ = true;
  due_ns_ = std::numeric_limits<int64_t>::min();
  wakeup_->Notify();
}

bool SendQueue::Idle() const {
  MutexLock lock(&mutex_);
  return queue_.empty() && batch_size_ == 0;
}

int64_t SendQueue::Close() {
  MutexLock lock(&mutex_);
  if (closed_) return 0;
  closed_ = true;
  const int64_t left = static_cast<int64_t>(queue_.size() + batch_size_);
  dropped_->Add(static_cast<double>(left));
  length_->Set(0);
  queue_.clear();
  FinishBatch();
  return left;
}

}  // namespace narthex::alerting
