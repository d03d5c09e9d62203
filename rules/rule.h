// One recording or alerting rule at work.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "rules/alert_store.h"
#include "rules/alert_table.h"
#include "rules/rules.h"

namespace narthex::rules {

// What every rule of a group evaluates with. Owned by the group.
struct RuleContext {
  const ManagerOptions* options = nullptr;
  AlertStore* alert_store = nullptr;
  const std::atomic<bool>* clock_behind = nullptr;  // the wall clock is not to be trusted
  std::string file, group;
  int64_t interval_ms = 0, query_offset_ms = 0, limit = 0;
  std::vector<std::pair<std::string, std::string>> external_labels;
};

// Evaluated by one thread at a time (its group's); View may be called from any thread.
class Rule {
 public:
  // `labels`: those of the group and, over them, the rule's own. `number` tells rules of the same name apart.
  Rule(RuleSpec spec, std::vector<std::pair<std::string, std::string>> labels, int number);

  const RuleSpec& spec() const { return spec_; }
  // What makes two rules the same rule for a reload.
  const std::string& identity() const { return identity_; }
  // Takes over what `before`, the same rule, knew: alerts and series. `before` is dead then.
  void Inherit(Rule* before);
  // Goes on with the alerts that an earlier run saved.
  void RestoreAlerts(const RuleContext& context);
  // Without saved ones: looks up in ALERTS_FOR_STATE what was active (data that Prometheus wrote).
  absl::Status RememberAlerts(const RuleContext& context, int64_t now_ms);
  void ClockStepped(const RuleContext& context, int64_t step_ms);
  // Saves what changed without a change of state (annotations, when last sent), for a clean stop.
  void Flush(const RuleContext& context);

  // Runs the rule at t_ms, stores its samples, sends its alerts. The number of samples.
  absl::StatusOr<int64_t> Evaluate(const RuleContext& context, int64_t t_ms);
  // The rule goes away: its series end, its alerts are forgotten.
  void EndSeries(const RuleContext& context, int64_t t_ms);
  RuleView View() const;

 private:
  struct OutputSample {
    Labels labels;
    double v = 0;
    HistogramPtr h;
  };
  absl::StatusOr<std::vector<OutputSample>> EvaluateRecording(const RuleContext& context, int64_t t_ms);
  absl::StatusOr<std::vector<OutputSample>> EvaluateAlerting(const RuleContext& context, int64_t t_ms);
  absl::StatusOr<std::vector<OutputSample>> RunQuery(const RuleContext& context, int64_t t_ms);
  void ReportQuery(const RuleContext& context, int64_t t_ms,
                   const absl::StatusOr<promql::Result>& answer) const;
  absl::StatusOr<Alert> MakeAlert(const RuleContext& context, const OutputSample& sample, int64_t t_ms) const;
  std::string Expand(const RuleContext& context, const std::string& text, const OutputSample& sample,
                     int64_t t_ms) const;
  absl::Status Store(const RuleContext& context, int64_t t_ms, const std::vector<OutputSample>& samples);
  absl::Status OpenAppender(const RuleContext& context);
  absl::StatusOr<std::vector<Alert>> CurrentAlerts(const RuleContext& context, int64_t t_ms);
  void SaveAlerts(const RuleContext& context, int64_t t_ms);
  void SendAlerts(const RuleContext& context, const std::vector<AlertTable::Due>& due);
  std::string StoreKey(const RuleContext& context) const;
  void Publish(const absl::Status& status, int64_t t_ms, double seconds);

  const RuleSpec spec_;
  const std::vector<std::pair<std::string, std::string>> labels_;
  const std::string identity_;
  std::unique_ptr<tsdb::GroupAppender> appender_;
  absl::flat_hash_map<Labels, tsdb::Slot> slots_;
  AlertTable alerts_;
  bool restored_ = false;        // saved alerts were found
  int64_t evaluated_at_ms_ = 0;  // the last evaluation; 0 = none in this run
  mutable Mutex view_mutex_;
  RuleView view_ ABSL_GUARDED_BY(view_mutex_);
};

}  // namespace narthex::rules
