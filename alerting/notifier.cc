// Finds the Alertmanagers and hands every alert to the queue of each.
#include <algorithm>
#include <map>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "alerting/alerting.h"
#include "alerting/alertmanager.h"
#include "alerting/send_queue.h"
#include "base/mutex.h"
#include "base/strings.h"

namespace narthex::alerting {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;
using Queues = std::map<std::string, std::shared_ptr<SendQueue>>;

// Discovery that may block (HTTP, DNS) is asked by the discovery thread only.
bool MayBlock(const discovery::Configs& configs) {
  return !configs.http_sd.empty() || !configs.dns_sd.empty();
}

// What every alert goes through before it is queued. Immutable.
struct AlertRules {
  std::vector<RelabelConfig> relabel;
  std::vector<std::pair<std::string, std::string>> external_labels;
};

std::vector<rules::Notification> RelabelAlerts(
    const std::vector<RelabelConfig>& relabel,
    const std::vector<std::pair<std::string, std::string>>& external_labels,
    std::vector<rules::Notification> alerts) {
  std::vector<rules::Notification> kept;
  kept.reserve(alerts.size());
  for (rules::Notification& alert : alerts) {
    LabelsBuilder labels(alert.labels);
    for (const auto& [name, value] : external_labels) {
      if (labels.Get(name).empty()) labels.Set(name, value);
    }
    if (!Relabel(relabel, &labels)) continue;
    alert.labels = labels.Build();
    kept.push_back(std::move(alert));
  }
  return kept;
}

NotifierOptions Checked(NotifierOptions options) {
  options.queue_capacity = std::max<int64_t>(options.queue_capacity, 1);
  if (options.batch_size <= 0) options.batch_size = 256;
  options.max_backoff_ms = std::max(options.max_backoff_ms, options.retry_backoff_ms);
  return options;
}

struct Webhook {
  std::shared_ptr<const WebhookConfig> config;
  std::shared_ptr<SendQueue> queue;
};

// One entry of alerting.alertmanagers and who was found for it.
struct AlertmanagerSet {
  std::shared_ptr<const AlertmanagerConfig> config;
  std::shared_ptr<discovery::Watcher> watcher;
  bool resolved = false;
  ResolvedAlertmanagers found;
  Queues queues;  // by URL
};

// Two threads: one asks discovery, one starts the requests. Neither they nor Send hold the mutex while they
// wait for anything. Thread-safe.
class NotifierImpl : public Notifier {
 public:
  explicit NotifierImpl(NotifierOptions options)
      : options_(Checked(options)),
        wakeup_(std::make_shared<Wakeup>()),
        rules_(std::make_shared<const AlertRules>()) {
    options_.metrics
        ->GetGauge("prometheus_notifications_queue_capacity",
                   "The capacity of the alert notifications queue.")
        ->Set(static_cast<double>(options_.queue_capacity));
    CountDiscovered(0);
    MutexLock lock(&mutex_);
    LoadLeft();
    send_thread_ = std::thread([this] { SendLoop(); });
    discovery_thread_ = std::thread([this] { DiscoveryLoop(); });
  }
  ~NotifierImpl() override { Stop(); }

  absl::Status Apply(AlertingConfig config,
                     std::vector<std::pair<std::string, std::string>> external_labels) override;
  void Send(std::vector<rules::Notification> alerts) override;
  std::vector<AlertmanagerView> Active() const override;
  std::vector<AlertmanagerView> Dropped() const override;
  void Stop() override;

 private:
  AlertmanagerSet MakeSet(AlertmanagerConfig config) const;
  void Install(const ResolvedAlertmanagers& found, AlertmanagerSet* set)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Leaves queues to whoever wants their URL.
  void Abandon(Queues* queues) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Queues that nobody claims any more are closed, once every set knows its Alertmanagers.
  void CloseOrphans() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::shared_ptr<SendQueue>> AllQueues() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The queues on disk that an earlier run left, and those of them that nobody wants.
  void LoadLeft() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetLeft() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void InstallWebhooks(std::vector<WebhookConfig> webhooks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<SendQueue> NewQueue(SendTarget target) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountDiscovered(size_t count) const;
  void DiscoveryLoop();
  void SendLoop();

  const NotifierOptions options_;
  const std::shared_ptr<Wakeup> wakeup_;
  mutable Mutex mutex_;
  Mutex apply_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // one Apply at a time
  std::shared_ptr<const AlertRules> rules_ ABSL_GUARDED_BY(mutex_);
  std::vector<AlertmanagerSet> sets_ ABSL_GUARDED_BY(mutex_);
  std::vector<Webhook> webhooks_ ABSL_GUARDED_BY(mutex_);
  Queues orphans_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Entries> left_ ABSL_GUARDED_BY(mutex_);  // by URL
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool refresh_now_ ABSL_GUARDED_BY(mutex_) = false;
  CondVar refresh_;
  absl::Time drain_until_ ABSL_GUARDED_BY(mutex_);
  std::thread send_thread_ ABSL_GUARDED_BY(mutex_);
  std::thread discovery_thread_ ABSL_GUARDED_BY(mutex_);
};

AlertmanagerSet NotifierImpl::MakeSet(AlertmanagerConfig config) const {
  AlertmanagerSet set;
  set.watcher = discovery::Watcher::Create(config.discovery, options_.http, options_.clock, options_.logger);
  if (!MayBlock(config.discovery)) {
    set.found = Resolve(set.watcher->Current(), config, options_.logger);
    set.resolved = true;
  }
  set.config = std::make_shared<const AlertmanagerConfig>(std::move(config));
  return set;
}

absl::Status NotifierImpl::Apply(AlertingConfig config,
                                 std::vector<std::pair<std::string, std::string>> external_labels) {
  MutexLock applying(&apply_mutex_);
  std::vector<std::string> known;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return absl::FailedPreconditionError("notifier is stopped");
    for (const AlertmanagerSet& set : sets_) known.push_back(set.config->fingerprint);
  }
  // Making a set reads target files: not under the lock that Send needs.
  std::vector<AlertmanagerSet> next;
  std::vector<int> kept;  // by position in next: the old set that goes on, or -1
  for (AlertmanagerConfig& am : config.alertmanagers) {
    auto old = am.fingerprint.empty() ? known.end() : std::find(known.begin(), known.end(), am.fingerprint);
    kept.push_back(old == known.end() ? -1 : static_cast<int>(old - known.begin()));
    next.push_back(old == known.end() ? MakeSet(std::move(am)) : AlertmanagerSet());
    if (old != known.end()) old->clear();
  }
  MutexLock lock(&mutex_);
  rules_ = std::make_shared<const AlertRules>(
      AlertRules{std::move(config.alert_relabel_configs), std::move(external_labels)});
  for (size_t i = 0; i < next.size(); ++i) {
    if (kept[i] >= 0) next[i] = std::move(sets_[kept[i]]);
  }
  for (AlertmanagerSet& gone : sets_) Abandon(&gone.queues);
  sets_ = std::move(next);
  InstallWebhooks(std::move(config.webhooks));
  for (size_t i = 0; i < sets_.size(); ++i) {
    if (kept[i] < 0 && sets_[i].resolved) Install(sets_[i].found, &sets_[i]);
  }
  CloseOrphans();
  refresh_now_ = true;
  refresh_.SignalAll();
  return absl::OkStatus();
}

void NotifierImpl::Install(const ResolvedAlertmanagers& found, AlertmanagerSet* set) {
  set->found = found;
  set->resolved = true;
  // An answer with nobody in it is what a name service gives in an outage, too: those known last are sent to
  // until there is another answer.
  if (found.active.empty() && !set->queues.empty() && MayBlock(set->config->discovery)) return;
  Queues next;
  for (const std::string& url : found.active) {
    SendTarget target{url, set->config->timeout_ms, set->config->http};
    auto node = set->queues.extract(url);
    if (node.empty()) node = orphans_.extract(url);
    if (!node.empty()) {
      node.mapped()->SetTarget(std::move(target));
      next.insert(std::move(node));
    } else {
      next.emplace(url, NewQueue(std::move(target)));
    }
  }
  Abandon(&set->queues);
  set->queues = std::move(next);
  wakeup_->Notify();
}

void NotifierImpl::Abandon(Queues* queues) {
  orphans_.merge(*queues);
  // What merge left behind has its URL among the orphans already: one of them is enough.
  for (auto& [url, queue] : *queues) queue->Close(/*gone=*/true);
  queues->clear();
}

void NotifierImpl::CloseOrphans() {
  size_t active = 0;
  for (const AlertmanagerSet& set : sets_) {
    if (!set.resolved) return;
    active += set.found.active.size();
  }
  CountDiscovered(active);
  for (auto& [url, queue] : orphans_) {
    const int64_t lost = queue->Close(/*gone=*/true);
    if (lost > 0) {
      options_.logger->Warn("Alertmanager is gone, dropping its alerts",
                            {{"alertmanager", url}, {"count", StrCat(lost)}});
    }
    const bool used = std::any_of(sets_.begin(), sets_.end(),
                                  [&url = url](const auto& set) { return set.queues.contains(url); });
    if (!used) SendQueue::RemoveMetrics(options_.metrics, url);
  }
  orphans_.clear();
  ForgetLeft();
}

std::shared_ptr<SendQueue> NotifierImpl::NewQueue(SendTarget target) {
  auto left = left_.extract(target.name.empty() ? target.url : target.name);
  return std::make_shared<SendQueue>(options_, std::move(target), wakeup_,
                                     left.empty() ? Entries() : left.mapped());
}

void NotifierImpl::InstallWebhooks(std::vector<WebhookConfig> webhooks) {
  std::vector<Webhook> next;
  for (WebhookConfig& config : webhooks) {
    SendTarget target{config.url, config.timeout_ms, config.http};
    // Two hooks may have one URL.
    target.name = StrCat("webhook ", config.name, " ", config.url);
    for (const Webhook& other : next) {
      if (other.queue->name() == target.name) target.name += "'";
    }
    auto shared = std::make_shared<const WebhookConfig>(std::move(config));
    target.webhook = shared;
    auto old = std::find_if(webhooks_.begin(), webhooks_.end(), [&](const Webhook& hook) {
      return hook.queue != nullptr && hook.queue->name() == target.name;
    });
    if (old == webhooks_.end()) {
      next.push_back({shared, NewQueue(std::move(target))});
      continue;
    }
    next.push_back({shared, std::move(old->queue)});
    old->queue = nullptr;
    next.back().queue->SetTarget(std::move(target));
  }
  for (const Webhook& gone : webhooks_) {
    if (gone.queue == nullptr) continue;
    gone.queue->Close(/*gone=*/true);
    SendQueue::RemoveMetrics(options_.metrics, gone.queue->name());
  }
  webhooks_ = std::move(next);
}

void NotifierImpl::LoadLeft() {
  if (options_.store == nullptr) return;
  absl::StatusOr<Entries> entries = options_.store->Scan(AlertQueue::kPrefix);
  if (!entries.ok()) {
    options_.logger->Error("Reading the queues of notifications failed",
                           {{"err", std::string(entries.status().message())}});
    return;
  }
  for (auto& entry : *entries) {
    left_[std::string(AlertQueue::NameInKey(entry.first))].push_back(std::move(entry));
  }
}

void NotifierImpl::ForgetLeft() {
  // Discovery that found nobody may not have been able to ask.
  for (const AlertmanagerSet& set : sets_) {
    if (set.queues.empty() && MayBlock(set.config->discovery)) return;
  }
  if (sets_.empty() && webhooks_.empty()) return;
  for (const auto& [url, entries] : left_) {
    std::vector<QueueStore::Change> changes;
    for (const auto& [key, value] : entries) changes.push_back({key, std::nullopt});
    absl::Status status = options_.store->Write(changes);
    options_.logger->Warn(
        "Alertmanager is gone, dropping its alerts",
        {{"alertmanager", url}, {"count", StrCat(entries.size())}, {"err", std::string(status.message())}});
  }
  left_.clear();
}

void NotifierImpl::CountDiscovered(size_t count) const {
  options_.metrics
      ->GetGauge("prometheus_notifications_alertmanagers_discovered",
                 "The number of alertmanagers discovered and active.")
      ->Set(static_cast<double>(count));
}

void NotifierImpl::Send(std::vector<rules::Notification> alerts) {
  struct Receiver {
    std::shared_ptr<const AlertmanagerConfig> config;
    std::vector<std::shared_ptr<SendQueue>> queues;
  };
  std::shared_ptr<const AlertRules> rules;
  std::vector<Receiver> receivers;
  std::vector<Webhook> webhooks;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return;
    rules = rules_;
    webhooks = webhooks_;
    for (const AlertmanagerSet& set : sets_) {
      Receiver receiver{set.config, {}};
      for (const auto& [url, queue] : set.queues) receiver.queues.push_back(queue);
      if (!receiver.queues.empty()) receivers.push_back(std::move(receiver));
    }
  }
  alerts = RelabelAlerts(rules->relabel, rules->external_labels, std::move(alerts));
  if (alerts.empty()) return;
  for (const Receiver& receiver : receivers) {
    std::vector<rules::Notification> own = alerts;
    if (!receiver.config->alert_relabel_configs.empty()) {
      own = RelabelAlerts(receiver.config->alert_relabel_configs, {}, std::move(own));
    }
    if (own.empty()) continue;
    for (const std::shared_ptr<SendQueue>& queue : receiver.queues) queue->Add(own);
  }
  for (const Webhook& hook : webhooks) {
    std::vector<rules::Notification> own;
    // A receiver of webhooks wants to hear of each change once.
    for (const rules::Notification& alert : alerts) {
      if (alert.transition && (hook.config->send_resolved || !alert.resolved)) own.push_back(alert);
    }
    own = RelabelAlerts(hook.config->alert_relabel_configs, {}, std::move(own));
    if (!own.empty()) hook.queue->Add(std::move(own));
  }
}

std::vector<AlertmanagerView> NotifierImpl::Active() const {
  MutexLock lock(&mutex_);
  std::vector<AlertmanagerView> views;
  for (const AlertmanagerSet& set : sets_) {
    for (const std::string& url : set.found.active) views.push_back({url});
  }
  return views;
}

std::vector<AlertmanagerView> NotifierImpl::Dropped() const {
  MutexLock lock(&mutex_);
  std::vector<AlertmanagerView> views;
  for (const AlertmanagerSet& set : sets_) {
    for (const std::string& url : set.found.dropped) views.push_back({url});
  }
  return views;
}

std::vector<std::shared_ptr<SendQueue>> NotifierImpl::AllQueues() const {
  std::vector<std::shared_ptr<SendQueue>> all;
  for (const AlertmanagerSet& set : sets_) {
    for (const auto& [url, queue] : set.queues) all.push_back(queue);
  }
  for (const auto& [url, queue] : orphans_) all.push_back(queue);
  for (const Webhook& hook : webhooks_) all.push_back(hook.queue);
  return all;
}

void NotifierImpl::Stop() {
  std::thread sender, discoverer;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    drain_until_ =
        absl::Now() + absl::Milliseconds(options_.drain_on_shutdown ? options_.drain_timeout_ms : 0);
    if (options_.drain_on_shutdown) {
      for (const auto& queue : AllQueues()) queue->Drain();
    }
    sender.swap(send_thread_);
    discoverer.swap(discovery_thread_);
    refresh_.SignalAll();
  }
  wakeup_->Notify();
  if (sender.joinable()) sender.join();
  int64_t lost = 0;
  {
    MutexLock lock(&mutex_);
    for (const auto& queue : AllQueues()) lost += queue->Close(/*gone=*/false);
  }
  if (lost > 0) {
    options_.logger->Warn("Alert notification queue not drained on shutdown, dropping alerts",
                          {{"count", StrCat(lost)}});
  }
  if (discoverer.joinable()) discoverer.join();
}

// Starts what is due, then sleeps until something is. When stopping it goes on until the queues are empty or
// the time for draining is over.
void NotifierImpl::SendLoop() {
  while (true) {
    std::vector<std::shared_ptr<SendQueue>> queues;
    absl::Time until = absl::InfiniteFuture();
    {
      MutexLock lock(&mutex_);
      queues = AllQueues();
      if (stopping_) {
        until = drain_until_;
        const bool idle = std::all_of(queues.begin(), queues.end(), [](const auto& q) { return q->Idle(); });
        if (idle || absl::Now() >= until) return;
      }
    }
    const int64_t now = options_.clock->MonotonicNs();
    int64_t next = SendQueue::kNever;
    for (const std::shared_ptr<SendQueue>& queue : queues) next = std::min(next, queue->Pump(now));
    if (next != SendQueue::kNever) {
      until = std::min(until, absl::Now() + absl::Nanoseconds(std::max<int64_t>(next - now, 1'000'000)));
    }
    wakeup_->Wait(until);
  }
}

// Watchers are asked without the lock; an answer is used only if its set is still there.
void NotifierImpl::DiscoveryLoop() {
  while (true) {
    std::vector<std::pair<std::shared_ptr<discovery::Watcher>, std::shared_ptr<const AlertmanagerConfig>>>
        ask;
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      refresh_now_ = false;
      for (const AlertmanagerSet& set : sets_) ask.emplace_back(set.watcher, set.config);
    }
    for (const auto& [watcher, config] : ask) {
      const ResolvedAlertmanagers found = Resolve(watcher->Current(), *config, options_.logger);
      MutexLock lock(&mutex_);
      if (stopping_) return;
      auto set = std::find_if(sets_.begin(), sets_.end(),
                              [&watcher = watcher](const auto& s) { return s.watcher == watcher; });
      if (set != sets_.end()) Install(found, &*set);
      CloseOrphans();
    }
    MutexLock lock(&mutex_);
    const absl::Time until = absl::Now() + absl::Milliseconds(options_.discovery_reload_interval_ms);
    while (!stopping_ && !refresh_now_ && !refresh_.WaitWithDeadline(&mutex_, until)) {
    }
  }
}

}  // namespace

std::unique_ptr<Notifier> Notifier::Create(NotifierOptions options) {
  return std::make_unique<NotifierImpl>(std::move(options));
}

}  // namespace narthex::alerting
