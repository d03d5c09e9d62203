// The alerts of one alerting rule and how they move: pending, firing, resolved.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "rules/rules.h"

namespace narthex::rules {

struct AlertTiming {
  int64_t for_ms = 0, keep_firing_for_ms = 0;
};

// What is known of an alert from before a restart: when it became active, and when that was last written.
struct RememberedAlert {
  int64_t active_at_ms = 0, last_seen_ms = 0;
};

// Owned by a rule; not thread-safe.
class AlertTable {
 public:
  // Alerts that appear with these labels until `until_ms` go on where they were.
  void Remember(std::map<Labels, RememberedAlert> remembered, int64_t until_ms);
  // One evaluation at t_ms: `current` are the alerts that the expression gave. ResourceExhausted, and no
  // alerts left, if more than `limit` (0 = any number) are active.
  absl::Status Update(int64_t t_ms, std::vector<Alert> current, const AlertTiming& timing, int64_t limit);
  // Marks and returns the alerts that are to be sent now: firing ones again after resend_delay_ms, resolved
  // ones at least once. They are valid for four intervals.
  std::vector<Alert> TakeDue(int64_t t_ms, int64_t resend_delay_ms, int64_t interval_ms);

  const std::map<Labels, Alert>& alerts() const { return alerts_; }
  std::vector<Alert> Active() const;  // pending and firing
  AlertState MaxState() const;

 private:
  void Restore(int64_t t_ms, int64_t for_ms, Alert* alert);

  std::map<Labels, Alert> alerts_;  // active ones, and resolved ones for a while
  std::map<Labels, RememberedAlert> remembered_;
  int64_t remembered_until_ms_ = 0;
};

}  // namespace narthex::rules
