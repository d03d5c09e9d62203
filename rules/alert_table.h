// The alerts of one alerting rule and how they move: pending, firing, resolved.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "rules/rules.h"

namespace narthex::rules {

struct AlertTiming {
  int64_t for_ms = 0, keep_firing_for_ms = 0;
};

// What is known of an alert from ALERTS_FOR_STATE: when it became active, and when that was last written.
struct RememberedAlert {
  int64_t active_at_ms = 0, last_seen_ms = 0;
};

// Owned by a rule; not thread-safe.
class AlertTable {
 public:
  // Alerts that appear with these labels until `until_ms` go on where they were (imported data: there is no
  // saved state).
  void Remember(std::map<Labels, RememberedAlert> remembered, int64_t until_ms);
  // Alerts as an earlier run saved them after its evaluation at `evaluated_at_ms`. The time until the next
  // evaluation counts neither as pending nor as kept firing. For `hold_ms` of evaluations, an alert that has
  // not been seen since is left as it is: the first scrapes may still be under way.
  void Restore(std::vector<Alert> saved, int64_t evaluated_at_ms, int64_t hold_ms);
  // The clock stepped: all times move along. For `hold_ms` of evaluations nothing changes, because queries
  // see few samples at the new time, or old ones.
  void ClockStepped(int64_t step_ms, int64_t hold_ms);
  // Whether an evaluation at t_ms would change nothing; starts the time to hold.
  bool Frozen(int64_t t_ms);

  // One evaluation at t_ms: `current` are the alerts that the expression gave. ResourceExhausted, and no
  // alerts left, if more than `limit` (0 = any number) are active.
  absl::Status Update(int64_t t_ms, std::vector<Alert> current, const AlertTiming& timing, int64_t limit);
  // Marks and returns the alerts that are to be sent now: firing ones again after resend_delay_ms, resolved
  // ones at least once. They are valid for four intervals.
  struct Due {
    Alert alert;
    bool transition = false;  // it began or ended since it was sent last
  };
  std::vector<Due> TakeDue(int64_t t_ms, int64_t resend_delay_ms, int64_t interval_ms);

  const std::map<Labels, Alert>& alerts() const { return alerts_; }
  std::vector<Alert> Active() const;  // pending and firing
  AlertState MaxState() const;
  // Some alert's future depends on when the last evaluation was.
  bool InTransition() const;

  // What is not on disk yet.
  struct Unsaved {
    std::vector<const Alert*> changed;  // valid until the next change
    std::vector<Labels> gone;
  };
  Unsaved unsaved() const;
  void MarkSaved() { dirty_.clear(); }
  void MarkAllUnsaved();

 private:
  void ContinueRemembered(int64_t t_ms, int64_t for_ms, Alert* alert);
  void ContinueRestored(int64_t t_ms);
  void ShiftTimes(int64_t step_ms);
  void AddCurrent(int64_t t_ms, std::vector<Alert> current, int64_t for_ms, std::set<Labels>* seen);

  std::map<Labels, Alert> alerts_;     // active ones, and resolved ones for a while
  absl::flat_hash_set<Labels> dirty_;  // not saved since they changed
  std::map<Labels, RememberedAlert> remembered_;
  int64_t remembered_until_ms_ = 0;

  bool restored_ = false;  // and not evaluated since
  int64_t evaluated_at_ms_ = 0;
  std::set<Labels> unconfirmed_;  // restored, and not seen since
  int64_t hold_ms_ = 0;           // to begin with the next evaluation
  int64_t hold_until_ms_ = 0, frozen_until_ms_ = 0;
  int64_t freeze_ms_ = 0;
};

}  // namespace narthex::rules
