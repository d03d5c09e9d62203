// CONTRACT of rules: rule files, groups, recording and alerting rules, alert state.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "promql/promql.h"
#include "tsdb/tsdb.h"

namespace narthex::rules {

struct RuleSpec {
  bool alerting = false;
  std::string name;  // record or alert
  std::string expr;  // as written
  promql::ExprPtr tree;
  int64_t for_ms = 0, keep_firing_for_ms = 0;
  std::vector<std::pair<std::string, std::string>> labels, annotations;
  int line = 0;
};

struct GroupSpec {
  std::string file, name;
  int64_t interval_ms = 0;  // 0 = the global evaluation_interval
  std::optional<int64_t> query_offset_ms;
  int64_t limit = 0;
  std::vector<std::pair<std::string, std::string>> labels;  // added to every rule of the group
  std::vector<RuleSpec> rules;
};

// Parses and validates one rule file; the error has all problems in upstream's words ("file: line:col: group
// ...").
absl::StatusOr<std::vector<GroupSpec>> ParseRuleFile(const std::string& path, std::string_view text,
                                                     const promql::ParserOptions& parser,
                                                     bool ignore_unknown = false,
                                                     NameValidation names = NameValidation::kUtf8);
// Files for globs, sorted. A glob that matches nothing is fine.
absl::StatusOr<std::vector<std::string>> ExpandGlobs(const std::vector<std::string>& patterns,
                                                     const std::string& base_dir);

enum class AlertState { kInactive, kPending, kFiring };
struct Alert {
  Labels labels, annotations;  // with alertname and rule labels, before external labels
  AlertState state = AlertState::kInactive;
  double value = 0;
  int64_t active_at_ms = 0, fired_at_ms = 0, resolved_at_ms = 0, last_sent_at_ms = 0, valid_until_ms = 0,
          keep_firing_since_ms = 0;
};

// An alert on its way to the Alertmanagers.
struct Notification {
  Labels labels, annotations;
  int64_t starts_at_ms = 0, ends_at_ms = 0;
  std::string generator_url;
  bool resolved = false;
  bool transition = true;  // it began or ended; false: the same as sent before, once more
};

// Implemented by alerting.
class AlertSink {
 public:
  virtual ~AlertSink() = default;
  virtual void Send(std::vector<Notification> alerts) = 0;  // must not block
};

struct RuleView {
  bool alerting = false;
  std::string name, query, health = "unknown", last_error;  // ok, err, unknown
  int64_t for_ms = 0, keep_firing_for_ms = 0;
  Labels labels, annotations;
  AlertState state = AlertState::kInactive;
  std::vector<Alert> alerts;
  double evaluation_time_s = 0;
  int64_t last_evaluation_ms = 0;
};
struct GroupView {
  std::string name, file;
  int64_t interval_ms = 0, limit = 0, last_evaluation_ms = 0;
  double evaluation_time_s = 0;
  std::vector<RuleView> rules;
};

// One run of a rule's query, for the query log.
struct RuleQuery {
  const promql::Expr* tree = nullptr;  // lives as long as the call
  std::string file, group, error;
  int64_t t_ms = 0;
  promql::QueryStats stats;
};

struct ManagerOptions {
  tsdb::Db* db = nullptr;
  promql::Engine* engine = nullptr;
  AlertSink* sink = nullptr;
  ThreadPool* pool = nullptr;  // groups are evaluated here
  const Clock* clock = nullptr;
  const Logger* logger = nullptr;
  MetricsRegistry* metrics = nullptr;
  std::string external_url;
  std::vector<std::pair<std::string, std::string>> external_labels;
  int64_t outage_tolerance_ms = 3600'000, for_grace_period_ms = 600'000, resend_delay_ms = 60'000;
  int max_concurrent_evals = 4;
  std::function<void(const RuleQuery&)> on_query;  // may be empty; called on the evaluating thread
  bool concurrent_rules = false;  // independent rules of one group at the same time, on the pool
};

// One scheduler thread; groups are staggered by hash as upstream does. Thread-safe.
class Manager {
 public:
  static std::unique_ptr<Manager> Create(ManagerOptions options);
  virtual ~Manager() = default;
  // Unchanged rules keep their state. Groups without an interval get default_interval_ms.
  virtual absl::Status Apply(std::vector<GroupSpec> groups, int64_t default_interval_ms,
                             int64_t query_offset_ms,
                             std::vector<std::pair<std::string, std::string>> external_labels) = 0;
  virtual std::vector<GroupView> Groups() const = 0;
  virtual void Start() = 0;  // begins evaluating
  virtual void Stop() = 0;
  // Evaluates every group once at `t_ms`, in order, on this thread (tests, `narthex test rules`).
  virtual void EvaluateAllAt(int64_t t_ms) = 0;
};

}  // namespace narthex::rules
