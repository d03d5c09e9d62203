// The state of alerts on disk: written at each change, so that a restart goes on where the last run ended.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "rules/rules.h"

namespace narthex::rules {

// What was known of a rule's alerts when it was last written.
struct SavedAlerts {
  std::vector<Alert> alerts;
  int64_t evaluated_at_ms = 0;  // the last evaluation that wrote anything
};

// One for the manager. Thread-safe. `rule` names a rule: its file, group and identity (RuleKey).
class AlertStore {
 public:
  // Reads everything that the store has. A damaged entry is left out and logged.
  AlertStore(tsdb::Db* db, const Logger* logger);

  static std::string RuleKey(std::string_view file, std::string_view group, std::string_view identity);

  // What was saved for the rule before this run; the second call for the same rule gives nothing.
  SavedAlerts Take(const std::string& rule);
  // Writes alerts that changed, deletes those that are gone: all of it or nothing.
  absl::Status Save(const std::string& rule, int64_t evaluated_at_ms,
                    const std::vector<const Alert*>& changed, const std::vector<Labels>& gone);
  absl::Status SaveEvaluation(const std::string& rule, int64_t evaluated_at_ms);
  // The rule is gone, and so are these of its alerts.
  absl::Status Forget(const std::string& rule, const std::vector<Labels>& alerts);
  // Deletes what nobody has taken: the rules of an older configuration.
  absl::Status ForgetUntaken();

  // The highest time of the wall clock (ClockWatch); INT64_MIN if unknown.
  int64_t ReadClockMark() const;
  absl::Status SaveClockMark(int64_t mark_ms);

 private:
  tsdb::Db* const db_;
  const Logger* const logger_;
  mutable Mutex mutex_;
  std::map<std::string, SavedAlerts> saved_ ABSL_GUARDED_BY(mutex_);
};

// One alert as bytes and back; false if the bytes are damaged.
std::string EncodeAlert(const Alert& alert);
bool DecodeAlert(std::string_view bytes, Alert* alert);

}  // namespace narthex::rules
