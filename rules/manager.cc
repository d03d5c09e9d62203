#include <algorithm>
#include <map>
#include <thread>

#include "absl/time/time.h"
#include "base/strings.h"
#include "rules/alert_store.h"
#include "rules/clock_watch.h"
#include "rules/group.h"
#include "rules/rules.h"

namespace narthex::rules {
namespace {

class ManagerImpl : public Manager {
 public:
  explicit ManagerImpl(ManagerOptions options)
      : options_(std::move(options)),
        alert_store_(options_.db, options_.logger),
        clock_watch_(options_.clock) {
    MutexLock lock(&mutex_);
    const int64_t mark = alert_store_.ReadClockMark();
    if (mark != INT64_MIN) clock_watch_.RestoreMark(mark);
    saved_mark_ms_ = clock_watch_.mark_ms();
    WatchClock();
  }
  ~ManagerImpl() override { Stop(); }

  absl::Status Apply(std::vector<GroupSpec> specs, int64_t default_interval_ms, int64_t query_offset_ms,
                     std::vector<std::pair<std::string, std::string>> external_labels) override {
    RuleContext defaults;
    defaults.options = &options_;
    defaults.alert_store = &alert_store_;
    defaults.clock_behind = &clock_behind_;
    defaults.query_offset_ms = query_offset_ms;
    defaults.external_labels = std::move(external_labels);
    MutexLock apply_lock(&apply_mutex_);
    std::map<std::string, std::shared_ptr<Group>> old;
    for (const std::shared_ptr<Group>& group : Snapshot()) old[Key(*group)] = group;
    int64_t now = options_.clock->NowMs();
    std::vector<std::shared_ptr<Group>> groups;
    for (GroupSpec& spec : specs) {
      auto group = std::make_shared<Group>(std::move(spec), defaults, default_interval_ms);
      auto it = old.find(Key(*group));
      if (it != old.end() && it->second->fingerprint() == group->fingerprint()) {
        groups.push_back(it->second);
      } else {
        // A new group starts at its place in the interval, a changed one goes on from where it is.
        group->Replace(it == old.end() ? nullptr : it->second.get(), now);
        if (it == old.end()) group->RestoreAlerts();
        group->next_ms = group->NextEvaluation(now);
        groups.push_back(std::move(group));
      }
      if (it != old.end()) old.erase(it);
    }
    for (const auto& [key, group] : old) group->Retire(now);
    MutexLock lock(&mutex_);
    groups_ = std::move(groups);
    wake_.Signal();
    return absl::OkStatus();
  }

  std::vector<GroupView> Groups() const override {
    std::vector<GroupView> out;
    for (const std::shared_ptr<Group>& group : Snapshot()) out.push_back(group->View());
    std::sort(out.begin(), out.end(), [](const GroupView& a, const GroupView& b) {
      return std::tie(a.file, a.name) < std::tie(b.file, b.name);
    });
    return out;
  }

  void Start() override {
    int64_t now = options_.clock->NowMs();
    for (const std::shared_ptr<Group>& group : Snapshot()) {
      group->RememberAlerts(now);
      group->next_ms = group->NextEvaluation(now);
    }
    absl::Status forgotten = alert_store_.ForgetUntaken();
    if (!forgotten.ok()) {
      options_.logger->Error("Deleting the state of removed alerts failed",
                             {{"err", std::string(forgotten.message())}});
    }
    thread_ = std::thread([this] { Schedule(); });
  }

  void Stop() override {
    {
      MutexLock lock(&mutex_);
      stop_ = true;
      wake_.Signal();
    }
    if (thread_.joinable()) thread_.join();
    // Evaluations that are running use what the owner is about to destroy.
    MutexLock lock(&mutex_);
    auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ == 0; };
    mutex_.Await(Condition(&idle));
    for (const std::shared_ptr<Group>& group : groups_) group->Flush();
  }

  void EvaluateAllAt(int64_t t_ms) override {
    {
      MutexLock lock(&mutex_);
      WatchClock();
    }
    for (const std::shared_ptr<Group>& group : Snapshot()) group->EvaluateAt(t_ms);
  }

 private:
  static std::string Key(const Group& group) { return StrCat(group.file(), ";", group.name()); }

  std::vector<std::shared_ptr<Group>> Snapshot() const {
    MutexLock lock(&mutex_);
    return groups_;
  }

  // After a step of the wall clock, groups are due at their places in the new time, and alerts are told.
  void WatchClock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int64_t step = clock_watch_.Observe();
    clock_behind_ = clock_watch_.behind();
    if (clock_watch_.mark_ms() - saved_mark_ms_ >= kSaveMarkEveryMs) {
      saved_mark_ms_ = clock_watch_.mark_ms();
      absl::Status saved = alert_store_.SaveClockMark(saved_mark_ms_);
      if (!saved.ok()) {
        options_.logger->Warn("Saving the time failed", {{"err", std::string(saved.message())}});
      }
    }
    if (step == 0) return;
    options_.logger->Warn("The clock stepped", {{"step_seconds", StrCat(step / 1000)}});
    const int64_t now = options_.clock->NowMs();
    for (const std::shared_ptr<Group>& group : groups_) {
      group->ClockStepped(step);
      group->next_ms = group->NextEvaluation(now);
    }
  }

  void Schedule() {
    MutexLock lock(&mutex_);
    while (!stop_) {
      WatchClock();
      int64_t now = options_.clock->NowMs(), wait_ms = 1000;
      for (const std::shared_ptr<Group>& group : groups_) {
        if (now >= group->next_ms && !group->busy) Submit(group, now);
        wait_ms = std::min(wait_ms, std::max<int64_t>(group->next_ms - now, group->busy ? 50 : 1));
      }
      wake_.WaitWithTimeout(&mutex_, absl::Milliseconds(wait_ms));
    }
  }

  void Submit(const std::shared_ptr<Group>& group, int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    int64_t missed = (now - group->next_ms) / group->interval_ms();
    if (missed > 0) group->CountMissed(missed);
    int64_t t = group->next_ms + missed * group->interval_ms();
    group->next_ms = t + group->interval_ms();
    group->busy = true;
    ++running_;
    bool accepted = options_.pool->Submit([this, group, t] {
      group->EvaluateAt(t);
      group->busy = false;
      MutexLock lock(&mutex_);
      --running_;
    });
    if (!accepted) --running_;
  }

  static constexpr int64_t kSaveMarkEveryMs = 300'000;

  const ManagerOptions options_;
  AlertStore alert_store_;
  std::atomic<bool> clock_behind_{false};
  Mutex apply_mutex_;  // one Apply at a time
  mutable Mutex mutex_;
  CondVar wake_;
  std::vector<std::shared_ptr<Group>> groups_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  ClockWatch clock_watch_ ABSL_GUARDED_BY(mutex_);
  int64_t saved_mark_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Manager> Manager::Create(ManagerOptions options) {
  return std::make_unique<ManagerImpl>(std::move(options));
}

}  // namespace narthex::rules
