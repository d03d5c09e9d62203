#include "rules/alert_store.h"

#include <array>
#include <cstring>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::rules {
namespace {

constexpr std::string_view kPrefix = "alert/";
constexpr std::string_view kClockMark = "alertclock";
constexpr char kFormat = 1;

void PutInt(std::string* out, int64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

bool GetInt(std::string_view* in, int64_t* value) {
  if (in->size() < 8) return false;
  uint64_t bits = 0;
  for (int i = 7; i >= 0; --i) bits = bits << 8 | static_cast<unsigned char>((*in)[static_cast<size_t>(i)]);
  *value = static_cast<int64_t>(bits);
  in->remove_prefix(8);
  return true;
}

bool GetLabels(std::string_view* in, Labels* labels) {
  int64_t size = 0;
  if (!GetInt(in, &size) || size < 0 || static_cast<size_t>(size) > in->size()) return false;
  std::string_view encoded = in->substr(0, static_cast<size_t>(size));
  if (!Labels::IsWellFormed(encoded)) return false;
  *labels = Labels::FromEncoded(std::string(encoded));
  in->remove_prefix(encoded.size());
  return true;
}

// The times of an alert, in the order in which they are written.
template <typename AlertT>
auto Times(AlertT& alert) {
  return std::array{&alert.active_at_ms,    &alert.fired_at_ms,    &alert.resolved_at_ms,
                    &alert.last_sent_at_ms, &alert.valid_until_ms, &alert.keep_firing_since_ms};
}

std::string AlertKey(const std::string& rule, const Labels& labels) {
  return StrCat(kPrefix, rule, labels.encoded());
}

// Behind the three parts of a rule's name.
size_t EndOfRule(std::string_view key) {
  size_t at = 0;
  for (int part = 0; part < 3; ++part) {
    at = key.find('\0', at);
    if (at == key.npos) return at;
    ++at;
  }
  return at;
}

tsdb::StateChange EvaluationChange(const std::string& rule, int64_t t_ms) {
  std::string value;
  PutInt(&value, t_ms);
  return {StrCat(kPrefix, rule), std::move(value)};
}

}  // namespace

std::string EncodeAlert(const Alert& alert) {
  std::string out = {kFormat, static_cast<char>(alert.state)};
  int64_t bits;
  std::memcpy(&bits, &alert.value, sizeof bits);
  PutInt(&out, bits);
  for (const int64_t* time : Times(alert)) PutInt(&out, *time);
  for (const Labels* labels : {&alert.labels, &alert.annotations}) {
    PutInt(&out, static_cast<int64_t>(labels->encoded().size()));
    out += labels->encoded();
  }
  return out;
}

bool DecodeAlert(std::string_view bytes, Alert* alert) {
  if (bytes.size() < 2 || bytes[0] != kFormat || bytes[1] < 0 ||
      bytes[1] > static_cast<char>(AlertState::kFiring)) {
    return false;
  }
  alert->state = static_cast<AlertState>(bytes[1]);
  bytes.remove_prefix(2);
  int64_t bits = 0;
  if (!GetInt(&bytes, &bits)) return false;
  std::memcpy(&alert->value, &bits, sizeof bits);
  for (int64_t* time : Times(*alert)) {
    if (!GetInt(&bytes, time)) return false;
  }
  return GetLabels(&bytes, &alert->labels) && GetLabels(&bytes, &alert->annotations) && bytes.empty();
}

AlertStore::AlertStore(tsdb::Db* db, const Logger* logger) : db_(db), logger_(logger) {
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> entries = db_->ScanState(kPrefix);
  if (!entries.ok()) {
    logger_->Error("Reading the state of alerts failed", {{"err", std::string(entries.status().message())}});
    return;
  }
  MutexLock lock(&mutex_);
  for (const auto& [key, value] : *entries) {
    std::string_view name = std::string_view(key).substr(kPrefix.size());
    const size_t end = EndOfRule(name);
    std::string_view rest = value;
    Alert alert;
    if (end == name.npos) continue;
    SavedAlerts& saved = saved_[std::string(name.substr(0, end))];
    if (end == name.size()) {
      GetInt(&rest, &saved.evaluated_at_ms);
    } else if (DecodeAlert(value, &alert)) {
      saved.alerts.push_back(std::move(alert));
    } else {
      logger_->Error("The saved state of an alert is damaged and left out");
    }
  }
}

std::string AlertStore::RuleKey(std::string_view file, std::string_view group, std::string_view identity) {
  const std::string_view end("\0", 1);
  return StrCat(file, end, group, end, identity, end);
}

SavedAlerts AlertStore::Take(const std::string& rule) {
  MutexLock lock(&mutex_);
  auto node = saved_.extract(rule);
  return node.empty() ? SavedAlerts() : std::move(node.mapped());
}

absl::Status AlertStore::Save(const std::string& rule, int64_t evaluated_at_ms,
                              const std::vector<const Alert*>& changed, const std::vector<Labels>& gone) {
  std::vector<tsdb::StateChange> changes = {EvaluationChange(rule, evaluated_at_ms)};
  for (const Alert* alert : changed) {
    changes.push_back({AlertKey(rule, alert->labels), EncodeAlert(*alert)});
  }
  for (const Labels& labels : gone) changes.push_back({AlertKey(rule, labels), std::nullopt});
  return db_->ChangeState(changes);
}

absl::Status AlertStore::SaveEvaluation(const std::string& rule, int64_t evaluated_at_ms) {
  return db_->ChangeState({EvaluationChange(rule, evaluated_at_ms)});
}

absl::Status AlertStore::Forget(const std::string& rule, const std::vector<Labels>& alerts) {
  std::vector<tsdb::StateChange> changes = {{StrCat(kPrefix, rule), std::nullopt}};
  for (const Labels& labels : alerts) changes.push_back({AlertKey(rule, labels), std::nullopt});
  return db_->ChangeState(changes);
}

absl::Status AlertStore::ForgetUntaken() {
  std::map<std::string, SavedAlerts> saved;
  {
    MutexLock lock(&mutex_);
    saved.swap(saved_);
  }
  for (const auto& [rule, state] : saved) {
    std::vector<Labels> labels;
    for (const Alert& alert : state.alerts) labels.push_back(alert.labels);
    RETURN_IF_ERROR(Forget(rule, labels));
  }
  return absl::OkStatus();
}

int64_t AlertStore::ReadClockMark() const {
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> entries = db_->ScanState(kClockMark);
  int64_t mark = INT64_MIN;
  if (!entries.ok() || entries->empty()) return mark;
  std::string_view value = entries->front().second;
  return GetInt(&value, &mark) ? mark : INT64_MIN;
}

absl::Status AlertStore::SaveClockMark(int64_t mark_ms) {
  std::string value;
  PutInt(&value, mark_ms);
  return db_->PutState(kClockMark, value);
}

}  // namespace narthex::rules
