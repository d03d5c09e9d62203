#include "rules/alert_table.h"

#include <algorithm>

#include "base/strings.h"

namespace narthex::rules {
namespace {

// Resolved alerts are kept, and sent again, this long.
constexpr int64_t kResolvedRetentionMs = 15 * 60'000;

enum class Fate { kActive, kResolved, kForget };

// Moves one alert to its state at t_ms; `seen` says whether the expression still gives it.
Fate Advance(int64_t t_ms, bool seen, const AlertTiming& timing, Alert* alert) {
  if (seen) {
    alert->keep_firing_since_ms = 0;
  } else {
    bool keep_firing = false;
    if (alert->state == AlertState::kFiring && timing.keep_firing_for_ms > 0) {
      if (alert->keep_firing_since_ms == 0) alert->keep_firing_since_ms = t_ms;
      keep_firing = t_ms - alert->keep_firing_since_ms < timing.keep_firing_for_ms;
    }
    if (alert->state == AlertState::kPending) return Fate::kForget;
    if (alert->resolved_at_ms != 0 && t_ms - alert->resolved_at_ms > kResolvedRetentionMs)
      return Fate::kForget;
    if (!keep_firing) {
      if (alert->state != AlertState::kInactive) alert->resolved_at_ms = t_ms;
      alert->state = AlertState::kInactive;
      return Fate::kResolved;
    }
  }
  if (alert->state == AlertState::kPending && t_ms - alert->active_at_ms >= timing.for_ms) {
    alert->state = AlertState::kFiring;
    alert->fired_at_ms = t_ms;
  }
  return Fate::kActive;
}

}  // namespace

void AlertTable::Remember(std::map<Labels, RememberedAlert> remembered, int64_t until_ms) {
  remembered_ = std::move(remembered);
  remembered_until_ms_ = until_ms;
}

// The time down does not count as time pending, and an alert that was firing fires at once.
void AlertTable::Restore(int64_t t_ms, int64_t for_ms, Alert* alert) {
  auto it = remembered_.find(alert->labels);
  if (it == remembered_.end() || t_ms > remembered_until_ms_) return;
  const RememberedAlert& before = it->second;
  bool was_firing = before.last_seen_ms - before.active_at_ms >= for_ms;
  alert->active_at_ms = was_firing ? before.active_at_ms : before.active_at_ms + (t_ms - before.last_seen_ms);
  remembered_.erase(it);
}

absl::Status AlertTable::Update(int64_t t_ms, std::vector<Alert> current, const AlertTiming& timing,
                                int64_t limit) {
  std::map<Labels, bool> seen;
  for (Alert& alert : current) {
    seen[alert.labels] = true;
    auto it = alerts_.find(alert.labels);
    if (it != alerts_.end() && it->second.state != AlertState::kInactive) {
      it->second.value = alert.value;
      it->second.annotations = std::move(alert.annotations);
      continue;
    }
    alert.state = AlertState::kPending;
    alert.active_at_ms = t_ms;
    Restore(t_ms, timing.for_ms, &alert);
    Labels key = alert.labels;
    alerts_[key] = std::move(alert);
  }
  int64_t active = 0;
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    Fate fate = Advance(t_ms, seen.contains(it->first), timing, &it->second);
    active += fate == Fate::kActive ? 1 : 0;
    it = fate == Fate::kForget ? alerts_.erase(it) : std::next(it);
  }
  if (limit <= 0 || active <= limit) return absl::OkStatus();
  alerts_.clear();
  return absl::ResourceExhaustedError(StrCat("exceeded limit of ", limit, " with ", active, " alerts"));
}

std::vector<Alert> AlertTable::TakeDue(int64_t t_ms, int64_t resend_delay_ms, int64_t interval_ms) {
  std::vector<Alert> due;
  for (auto& [labels, alert] : alerts_) {
    if (alert.state == AlertState::kPending) continue;
    bool resolved_unsent = alert.resolved_at_ms > alert.last_sent_at_ms;
    if (!resolved_unsent && alert.last_sent_at_ms + resend_delay_ms >= t_ms && alert.last_sent_at_ms != 0)
      continue;
    alert.last_sent_at_ms = t_ms;
    alert.valid_until_ms = t_ms + 4 * std::max(resend_delay_ms, interval_ms);
    due.push_back(alert);
  }
  return due;
}

std::vector<Alert> AlertTable::Active() const {
  std::vector<Alert> out;
  for (const auto& [labels, alert] : alerts_) {
    if (alert.state != AlertState::kInactive) out.push_back(alert);
  }
  return out;
}

AlertState AlertTable::MaxState() const {
  AlertState out = AlertState::kInactive;
  for (const auto& [labels, alert] : alerts_) out = std::max(out, alert.state);
  return out;
}

}  // namespace narthex::rules
