// A rule group: its rules in order, evaluated together at one timestamp.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "rules/rule.h"
#include "rules/rules.h"

namespace narthex::rules {

struct GroupMetrics {
  GroupMetrics(MetricsRegistry* registry, const std::string& group);
  Counter *evaluations, *failures, *iterations, *missed;
  Gauge *interval, *last_duration, *last_evaluation, *last_samples, *rules;
  HistogramMetric *rule_seconds, *group_seconds;
};

// Shared by the manager and the tasks that evaluate it. Thread-safe.
class Group {
 public:
  // `defaults` has the options, external labels and the global query offset.
  Group(GroupSpec spec, RuleContext defaults, int64_t default_interval_ms);

  const std::string& file() const { return context_.file; }
  const std::string& name() const { return context_.group; }
  int64_t interval_ms() const { return context_.interval_ms; }
  // Everything that makes the group what it is; equal means that a reload leaves it alone.
  const std::string& fingerprint() const { return fingerprint_; }

  // The first evaluation time after now_ms: groups of one interval are spread over it by their names.
  int64_t NextEvaluation(int64_t now_ms) const;
  void EvaluateAt(int64_t t_ms);
  void CountMissed(int64_t n) { metrics_.missed->Add(static_cast<double>(n)); }
  // Goes on with the alerts that an earlier run saved; before the first evaluation.
  void RestoreAlerts();
  void RememberAlerts(int64_t now_ms);
  // The wall clock stepped; takes effect with the next evaluation.
  void ClockStepped(int64_t step_ms) { clock_step_ms_ += step_ms; }
  // Nothing is evaluated any more: saves what is not saved.
  void Flush();
  // Takes the state of rules that `before` had too; ends the series of those that are gone. `before` (may be
  // null) never evaluates again.
  void Replace(Group* before, int64_t now_ms);
  // The group is gone: its series end.
  void Retire(int64_t now_ms);
  GroupView View() const;

  // The manager's: when it runs next, and whether it is running or queued.
  int64_t next_ms = 0;
  std::atomic<bool> busy{false};

 private:
  // One rule; the number of samples.
  int64_t EvaluateRule(Rule* rule, int64_t t_ms);
  // Rules that do not depend on each other, on this thread and on those of the pool that are idle.
  int64_t EvaluateTogether(const std::vector<Rule*>& rules, int64_t t_ms);

  RuleContext context_;
  std::string fingerprint_;
  GroupMetrics metrics_;
  Mutex evaluate_mutex_;  // one evaluation at a time
  bool retired_ ABSL_GUARDED_BY(evaluate_mutex_) = false;
  std::vector<std::unique_ptr<Rule>> rules_;  // these three never change
  std::vector<Rule*> together_;               // to be evaluated first, at the same time
  std::vector<Rule*> in_order_;
  std::atomic<int64_t> clock_step_ms_{0};
  mutable Mutex view_mutex_;
  int64_t last_evaluation_ms_ ABSL_GUARDED_BY(view_mutex_) = 0;
  double evaluation_time_s_ ABSL_GUARDED_BY(view_mutex_) = 0;
};

}  // namespace narthex::rules
