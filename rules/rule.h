// One recording or alerting rule at work.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "rules/alert_table.h"
#include "rules/rules.h"

namespace narthex::rules {

// What every rule of a group evaluates with. Owned by the group.
struct RuleContext {
  const ManagerOptions* options = nullptr;
  std::string file, group;
  int64_t interval_ms = 0, query_offset_ms = 0, limit = 0;
  std::vector<std::pair<std::string, std::string>> external_labels;
};

// Evaluated by one thread at a time (its group's); View may be called from any thread.
class Rule {
 public:
  // `labels`: those of the group and, over them, the rule's own. `number` tells rules of the same name apart.
  Rule(RuleSpec spec, std::vector<std::pair<std::string, std::string>> labels, int number);

  // What makes two rules the same rule for a reload.
  const std::string& identity() const { return identity_; }
  // Takes over what `before`, the same rule, knew: alerts and series. `before` is dead then.
  void Inherit(Rule* before);
  // Looks up the alerts that were active before a restart.
  absl::Status RememberAlerts(const RuleContext& context, int64_t now_ms);

  // Runs the rule at t_ms, stores its samples, sends its alerts. The number of samples.
  absl::StatusOr<int64_t> Evaluate(const RuleContext& context, int64_t t_ms);
  // The rule goes away: its series end.
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
  absl::StatusOr<Alert> MakeAlert(const RuleContext& context, const OutputSample& sample, int64_t t_ms) const;
  std::string Expand(const RuleContext& context, const std::string& text, const OutputSample& sample,
                     int64_t t_ms) const;
  absl::Status Store(const RuleContext& context, int64_t t_ms, const std::vector<OutputSample>& samples);
  absl::Status OpenAppender(const RuleContext& context);
  void SendAlerts(const RuleContext& context, int64_t t_ms);
  void Publish(const absl::Status& status, int64_t t_ms, double seconds);

  const RuleSpec spec_;
  const std::vector<std::pair<std::string, std::string>> labels_;
  const std::string identity_;
  std::unique_ptr<tsdb::GroupAppender> appender_;
  absl::flat_hash_map<Labels, tsdb::Slot> slots_;
  AlertTable alerts_;
  mutable Mutex view_mutex_;
  RuleView view_ ABSL_GUARDED_BY(view_mutex_);
};

}  // namespace narthex::rules
