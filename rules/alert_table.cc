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

bool InTransition(const Alert& alert) {
  return alert.state == AlertState::kPending ||
         (alert.state == AlertState::kFiring && alert.keep_firing_since_ms != 0);
}

}  // namespace

void AlertTable::Remember(std::map<Labels, RememberedAlert> remembered, int64_t until_ms) {
  remembered_ = std::move(remembered);
  remembered_until_ms_ = until_ms;
}

void AlertTable::Restore(std::vector<Alert> saved, int64_t evaluated_at_ms, int64_t hold_ms) {
  for (Alert& alert : saved) {
    if (alert.state != AlertState::kInactive) unconfirmed_.insert(alert.labels);
    Labels key = alert.labels;
    alerts_[key] = std::move(alert);
  }
  restored_ = true;
  evaluated_at_ms_ = evaluated_at_ms;
  hold_ms_ = hold_ms;
}

void AlertTable::ClockStepped(int64_t step_ms, int64_t hold_ms) {
  // Restored alerts bear the times of the last run; the next evaluation brings them to the present.
  if (!restored_) ShiftTimes(step_ms);
  freeze_ms_ = hold_ms;
}

void AlertTable::ShiftTimes(int64_t step_ms) {
  for (auto& [labels, alert] : alerts_) {
    for (int64_t* time : {&alert.active_at_ms, &alert.fired_at_ms, &alert.resolved_at_ms,
                          &alert.last_sent_at_ms, &alert.valid_until_ms, &alert.keep_firing_since_ms}) {
      if (*time != 0) *time += step_ms;
    }
    dirty_.insert(labels);
  }
  for (auto& [labels, remembered] : remembered_) {
    remembered.active_at_ms += step_ms;
    remembered.last_seen_ms += step_ms;
  }
  remembered_until_ms_ += step_ms;
  hold_until_ms_ += step_ms;
}

bool AlertTable::Frozen(int64_t t_ms) {
  if (freeze_ms_ != 0) frozen_until_ms_ = t_ms + freeze_ms_;
  freeze_ms_ = 0;
  return t_ms < frozen_until_ms_;
}

// The time down counts neither as pending nor as kept firing. If the last evaluation lies in the future, the
// clock has lost time since, and how much of it was down is unknown.
void AlertTable::ContinueRestored(int64_t t_ms) {
  if (!restored_) return;
  restored_ = false;
  const int64_t down_ms = t_ms - evaluated_at_ms_;
  if (down_ms < 0) ShiftTimes(down_ms);
  hold_until_ms_ = t_ms + hold_ms_;
  if (down_ms < 0) return;
  for (auto& [labels, alert] : alerts_) {
    if (!rules::InTransition(alert)) continue;
    int64_t* since = alert.state == AlertState::kPending ? &alert.active_at_ms : &alert.keep_firing_since_ms;
    *since += down_ms;
    dirty_.insert(labels);
  }
}

// As above, from what ALERTS_FOR_STATE tells. An alert that was firing fires at once.
void AlertTable::ContinueRemembered(int64_t t_ms, int64_t for_ms, Alert* alert) {
  auto it = remembered_.find(alert->labels);
  if (it == remembered_.end() || t_ms > remembered_until_ms_) return;
  const RememberedAlert& before = it->second;
  bool was_firing = before.last_seen_ms - before.active_at_ms >= for_ms;
  alert->active_at_ms = was_firing ? before.active_at_ms : before.active_at_ms + (t_ms - before.last_seen_ms);
  remembered_.erase(it);
}

void AlertTable::AddCurrent(int64_t t_ms, std::vector<Alert> current, int64_t for_ms,
                            std::set<Labels>* seen) {
  for (Alert& alert : current) {
    seen->insert(alert.labels);
    unconfirmed_.erase(alert.labels);
    auto it = alerts_.find(alert.labels);
    if (it != alerts_.end() && it->second.state != AlertState::kInactive) {
      it->second.value = alert.value;
      it->second.annotations = std::move(alert.annotations);
      continue;
    }
    alert.state = AlertState::kPending;
    alert.active_at_ms = t_ms;
    ContinueRemembered(t_ms, for_ms, &alert);
    dirty_.insert(alert.labels);
    Labels key = alert.labels;
    alerts_[key] = std::move(alert);
  }
}

absl::Status AlertTable::Update(int64_t t_ms, std::vector<Alert> current, const AlertTiming& timing,
                                int64_t limit) {
  ContinueRestored(t_ms);
  if (t_ms >= hold_until_ms_) unconfirmed_.clear();
  std::set<Labels> seen;
  AddCurrent(t_ms, std::move(current), timing.for_ms, &seen);
  int64_t active = 0;
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    Alert& alert = it->second;
    if (unconfirmed_.contains(it->first)) {
      ++active;
      ++it;
      continue;
    }
    const AlertState state = alert.state;
    const int64_t kept_since = alert.keep_firing_since_ms;
    Fate fate = Advance(t_ms, seen.contains(it->first), timing, &alert);
    if (fate == Fate::kForget || alert.state != state || alert.keep_firing_since_ms != kept_since)
      dirty_.insert(it->first);
    active += fate == Fate::kActive ? 1 : 0;
    it = fate == Fate::kForget ? alerts_.erase(it) : std::next(it);
  }
  if (limit <= 0 || active <= limit) return absl::OkStatus();
  MarkAllUnsaved();
  alerts_.clear();
  unconfirmed_.clear();
  return absl::ResourceExhaustedError(StrCat("exceeded limit of ", limit, " with ", active, " alerts"));
}

std::vector<AlertTable::Due> AlertTable::TakeDue(int64_t t_ms, int64_t resend_delay_ms, int64_t interval_ms) {
  std::vector<Due> due;
  for (auto& [labels, alert] : alerts_) {
    if (alert.state == AlertState::kPending) continue;
    const bool resolved_unsent = alert.resolved_at_ms > alert.last_sent_at_ms;
    const bool recent = alert.last_sent_at_ms != 0 && alert.last_sent_at_ms <= t_ms &&
                        alert.last_sent_at_ms + resend_delay_ms >= t_ms;
    if (recent && !resolved_unsent) continue;
    const bool begun = alert.state == AlertState::kFiring && alert.last_sent_at_ms < alert.fired_at_ms;
    alert.last_sent_at_ms = t_ms;
    alert.valid_until_ms = t_ms + 4 * std::max(resend_delay_ms, interval_ms);
    due.push_back({alert, begun || resolved_unsent});
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

bool AlertTable::InTransition() const {
  return std::any_of(alerts_.begin(), alerts_.end(),
                     [](const auto& entry) { return rules::InTransition(entry.second); });
}

AlertTable::Unsaved AlertTable::unsaved() const {
  Unsaved out;
  for (const Labels& labels : dirty_) {
    auto it = alerts_.find(labels);
    if (it == alerts_.end()) {
      out.gone.push_back(labels);
    } else {
      out.changed.push_back(&it->second);
    }
  }
  return out;
}

void AlertTable::MarkAllUnsaved() {
  for (const auto& [labels, alert] : alerts_) dirty_.insert(labels);
}

}  // namespace narthex::rules
