#include "rules/rule.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "base/http_client.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "rules/rule_text.h"

namespace narthex::rules {

namespace {

// How long alerts are left alone after a restart or a step of the clock: two evaluations, so that scrapes
// have brought samples, but not so long that Alertmanagers take an alert for resolved.
int64_t SettleMs(const RuleContext& context) {
  return std::clamp<int64_t>(2 * context.interval_ms, 60'000, 180'000);
}

}  // namespace

Rule::Rule(RuleSpec spec, std::vector<std::pair<std::string, std::string>> labels, int number)
    : spec_(std::move(spec)),
      labels_(std::move(labels)),
      identity_(StrCat(spec_.alerting ? "alert " : "record ", spec_.name, " ", number, " ",
                       Labels::FromPairs(labels_).ToString())) {
  MutexLock lock(&view_mutex_);
  view_.alerting = spec_.alerting;
  view_.name = spec_.name;
  view_.query = spec_.tree ? promql::ToString(*spec_.tree) : spec_.expr;
  view_.for_ms = spec_.for_ms;
  view_.keep_firing_for_ms = spec_.keep_firing_for_ms;
  view_.labels = Labels::FromPairs(labels_);
  view_.annotations = Labels::FromPairs(spec_.annotations);
}

void Rule::Inherit(Rule* before) {
  appender_ = std::move(before->appender_);
  slots_ = std::move(before->slots_);
  alerts_ = std::move(before->alerts_);
  evaluated_at_ms_ = before->evaluated_at_ms_;
  RuleView old = before->View();
  MutexLock lock(&view_mutex_);
  view_.health = old.health;
  view_.last_error = old.last_error;
  view_.evaluation_time_s = old.evaluation_time_s;
  view_.last_evaluation_ms = old.last_evaluation_ms;
  view_.state = old.state;
  view_.alerts = std::move(old.alerts);
}

std::string Rule::StoreKey(const RuleContext& context) const {
  return AlertStore::RuleKey(context.file, context.group, identity_);
}

void Rule::RestoreAlerts(const RuleContext& context) {
  if (!spec_.alerting || context.alert_store == nullptr) return;
  SavedAlerts saved = context.alert_store->Take(StoreKey(context));
  if (saved.alerts.empty()) return;
  restored_ = true;
  alerts_.Restore(std::move(saved.alerts), saved.evaluated_at_ms, SettleMs(context));
  MutexLock lock(&view_mutex_);
  view_.state = alerts_.MaxState();
  view_.alerts = alerts_.Active();
}

void Rule::ClockStepped(const RuleContext& context, int64_t step_ms) {
  alerts_.ClockStepped(step_ms, SettleMs(context));
}

absl::Status Rule::RememberAlerts(const RuleContext& context, int64_t now_ms) {
  if (!spec_.alerting || restored_) return absl::OkStatus();
  int64_t from = now_ms - context.options->outage_tolerance_ms;
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, context.options->db->NewQuerier(from, now_ms));
  Matchers matchers = {Matcher::Equal(kMetricName, "ALERTS_FOR_STATE"),
                       Matcher::Equal("alertname", spec_.name)};
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set, querier->Select(matchers, from, now_ms, {}));
  std::map<Labels, RememberedAlert> remembered;
  std::vector<tsdb::Row> rows;
  for (size_t i = 0; i < set->size(); ++i) {
    RETURN_IF_ERROR(set->ReadBlock(i, 1, &rows));
    if (rows[0].t.empty() || IsStale(rows[0].v.back())) continue;
    Labels labels = LabelsBuilder(set->labels(i)).Del(kMetricName).Build();
    remembered[labels] = {static_cast<int64_t>(rows[0].v.back() * 1000), rows[0].t.back()};
  }
  alerts_.Remember(std::move(remembered), now_ms + context.options->for_grace_period_ms);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Rule::Evaluate(const RuleContext& context, int64_t t_ms) {
  const Clock* clock = context.options->clock;
  int64_t begin_ns = clock->MonotonicNs();
  evaluated_at_ms_ = t_ms;
  absl::StatusOr<std::vector<OutputSample>> samples =
      spec_.alerting ? EvaluateAlerting(context, t_ms) : EvaluateRecording(context, t_ms);
  absl::Status status = samples.status();
  std::vector<AlertTable::Due> due;
  if (spec_.alerting && samples.ok())
    due = alerts_.TakeDue(t_ms, context.options->resend_delay_ms, context.interval_ms);
  // State comes before everything that follows from it: after a crash in between, alerts are sent again (they
  // are resent anyway), but none is lost.
  if (spec_.alerting) SaveAlerts(context, t_ms);
  if (status.ok()) status = Store(context, t_ms - context.query_offset_ms, *samples);
  SendAlerts(context, due);
  Publish(status, t_ms, static_cast<double>(clock->MonotonicNs() - begin_ns) / 1e9);
  if (!status.ok()) {
    context.options->logger->Warn("Evaluating rule failed", {{"file", context.file},
                                                             {"group", context.group},
                                                             {"name", spec_.name},
                                                             {"err", std::string(status.message())}});
    return status;
  }
  return static_cast<int64_t>(samples->size());
}

void Rule::ReportQuery(const RuleContext& context, int64_t t_ms,
                       const absl::StatusOr<promql::Result>& answer) const {
  if (!context.options->on_query) return;
  RuleQuery query;
  query.tree = spec_.tree.get();
  query.file = context.file;
  query.group = context.group;
  query.t_ms = t_ms;
  if (answer.ok()) {
    query.stats = answer->stats;
  } else {
    query.error = std::string(answer.status().message());
  }
  context.options->on_query(query);
}

absl::StatusOr<std::vector<Rule::OutputSample>> Rule::RunQuery(const RuleContext& context, int64_t t_ms) {
  promql::QueryParams params;
  params.query = spec_.expr;
  params.start_ms = params.end_ms = t_ms - context.query_offset_ms;
  absl::StatusOr<promql::Result> answer =
      context.options->engine->Run(*context.options->db, *spec_.tree, params);
  ReportQuery(context, params.start_ms, answer);
  RETURN_IF_ERROR(answer.status());
  promql::Result& result = *answer;
  std::vector<OutputSample> out;
  if (result.type == promql::ValueType::kScalar) {
    out.push_back({Labels(), result.scalar.v, nullptr});
    return out;
  }
  if (result.type != promql::ValueType::kVector) {
    return absl::InvalidArgumentError("rule result is not a vector or scalar");
  }
  for (promql::ResultSeries& series : result.series) {
    bool histogram = series.floats.empty();
    out.push_back({std::move(series.labels), histogram ? 0 : series.floats[0].v,
                   histogram ? series.histograms[0].h : nullptr});
  }
  return out;
}

absl::StatusOr<std::vector<Rule::OutputSample>> Rule::EvaluateRecording(const RuleContext& context,
                                                                        int64_t t_ms) {
  ASSIGN_OR_RETURN(std::vector<OutputSample> samples, RunQuery(context, t_ms));
  absl::flat_hash_set<Labels> seen;
  for (OutputSample& sample : samples) {
    LabelsBuilder labels(sample.labels);
    labels.Set(kMetricName, spec_.name);
    for (const auto& [name, value] : labels_) labels.Set(name, value);
    sample.labels = labels.Build();
    if (!seen.insert(sample.labels).second) {
      return absl::FailedPreconditionError(
          "vector contains metrics with the same labelset after applying rule labels");
    }
  }
  if (context.limit > 0 && static_cast<int64_t>(samples.size()) > context.limit) {
    return absl::ResourceExhaustedError(
        StrCat("exceeded limit of ", context.limit, " with ", samples.size(), " series"));
  }
  return samples;
}

std::string Rule::Expand(const RuleContext& context, const std::string& text, const OutputSample& sample,
                         int64_t t_ms) const {
  if (text.find("{{") == std::string::npos) return text;
  AlertTextData data;
  data.rule_name = spec_.name;
  data.labels = sample.labels;
  data.value = sample.v;
  data.t_ms = t_ms;
  absl::StatusOr<std::string> out = ExpandAlertText(text, data, *context.options, context.external_labels);
  if (out.ok()) return *std::move(out);
  context.options->logger->Warn("Expanding alert template failed",
                                {{"file", context.file},
                                 {"group", context.group},
                                 {"name", spec_.name},
                                 {"err", std::string(out.status().message())}});
  return StrCat("<error expanding template: ", std::string(out.status().message()), ">");
}

absl::StatusOr<Alert> Rule::MakeAlert(const RuleContext& context, const OutputSample& sample,
                                      int64_t t_ms) const {
  Alert alert;
  LabelsBuilder labels(sample.labels);
  labels.Del(kMetricName);
  for (const auto& [name, text] : labels_) labels.Set(name, Expand(context, text, sample, t_ms));
  labels.Set("alertname", spec_.name);
  alert.labels = labels.Build();
  std::vector<std::pair<std::string, std::string>> annotations;
  for (const auto& [name, text] : spec_.annotations) {
    annotations.emplace_back(name, Expand(context, text, sample, t_ms));
  }
  alert.annotations = Labels::FromPairs(std::move(annotations));
  alert.value = sample.v;
  return alert;
}

absl::StatusOr<std::vector<Alert>> Rule::CurrentAlerts(const RuleContext& context, int64_t t_ms) {
  ASSIGN_OR_RETURN(std::vector<OutputSample> samples, RunQuery(context, t_ms));
  std::vector<Alert> current;
  absl::flat_hash_set<Labels> seen;
  for (const OutputSample& sample : samples) {
    ASSIGN_OR_RETURN(Alert alert, MakeAlert(context, sample, t_ms));
    if (!seen.insert(alert.labels).second) {
      return absl::FailedPreconditionError(
          "vector contains metrics with the same labelset after applying alert labels");
    }
    current.push_back(std::move(alert));
  }
  return current;
}

absl::StatusOr<std::vector<Rule::OutputSample>> Rule::EvaluateAlerting(const RuleContext& context,
                                                                       int64_t t_ms) {
  if (!alerts_.Frozen(t_ms)) {
    ASSIGN_OR_RETURN(std::vector<Alert> current, CurrentAlerts(context, t_ms));
    RETURN_IF_ERROR(
        alerts_.Update(t_ms, std::move(current), {spec_.for_ms, spec_.keep_firing_for_ms}, context.limit));
  }
  std::vector<OutputSample> out;
  for (const Alert& alert : alerts_.Active()) {
    LabelsBuilder labels(alert.labels);
    labels.Set(kMetricName, "ALERTS_FOR_STATE");
    out.push_back({labels.Build(), static_cast<double>(alert.active_at_ms / 1000), nullptr});
    labels.Set(kMetricName, "ALERTS");
    labels.Set("alertstate", alert.state == AlertState::kFiring ? "firing" : "pending");
    out.push_back({labels.Build(), 1, nullptr});
  }
  return out;
}

void Rule::SaveAlerts(const RuleContext& context, int64_t t_ms) {
  if (context.alert_store == nullptr) return;
  AlertTable::Unsaved unsaved = alerts_.unsaved();
  absl::Status status;
  if (!unsaved.changed.empty() || !unsaved.gone.empty()) {
    status = context.alert_store->Save(StoreKey(context), t_ms, unsaved.changed, unsaved.gone);
  } else if (alerts_.InTransition()) {
    status = context.alert_store->SaveEvaluation(StoreKey(context), t_ms);
  }
  if (status.ok()) return alerts_.MarkSaved();
  // The alerts stay marked: the next evaluation tries again.
  context.options->logger->Error(
      "Saving the state of alerts failed",
      {{"group", context.group}, {"name", spec_.name}, {"err", std::string(status.message())}});
}

void Rule::Flush(const RuleContext& context) {
  if (!spec_.alerting || alerts_.alerts().empty() || evaluated_at_ms_ == 0) return;
  alerts_.MarkAllUnsaved();
  SaveAlerts(context, evaluated_at_ms_);
}

absl::Status Rule::OpenAppender(const RuleContext& context) {
  if (appender_) return absl::OkStatus();
  Labels key({{"__rule_file__", context.file}, {"__rule_group__", context.group}, {"__rule__", identity_}});
  ASSIGN_OR_RETURN(appender_, context.options->db->OpenGroup(key));
  return absl::OkStatus();
}

absl::Status Rule::Store(const RuleContext& context, int64_t t_ms, const std::vector<OutputSample>& samples) {
  RETURN_IF_ERROR(OpenAppender(context));
  // Series that come and go must not pile up here.
  if (slots_.size() > 2 * samples.size() + 1000) {
    for (const auto& [labels, slot] : slots_) appender_->Release(slot);
    slots_.clear();
  }
  appender_->Begin(t_ms);
  int64_t refused = 0;
  absl::Status full;  // no memory for a new series; known ones go on
  for (const OutputSample& sample : samples) {
    auto it = slots_.find(sample.labels);
    if (it == slots_.end()) {
      absl::StatusOr<tsdb::Slot> slot = appender_->AddSeries(sample.labels);
      if (absl::IsResourceExhausted(slot.status())) {
        full = slot.status();
        continue;
      }
      RETURN_IF_ERROR(slot.status());
      it = slots_.emplace(sample.labels, *slot).first;
    }
    tsdb::Sample stored{t_ms, sample.v, sample.h, 0};
    tsdb::AppendResult result =
        sample.h ? appender_->SetSample(it->second, stored, true) : appender_->Set(it->second, sample.v);
    refused += result == tsdb::AppendResult::kOk ? 0 : 1;
  }
  ASSIGN_OR_RETURN(tsdb::GroupAppender::RoundStats stats, appender_->Commit());
  refused += stats.out_of_order + stats.duplicate + stats.out_of_bounds;
  if (refused > 0) {
    context.options->logger->Warn(
        "Error on ingesting out-of-order or duplicate result from rule evaluation",
        {{"group", context.group}, {"name", spec_.name}, {"num_dropped", StrCat(refused)}});
  }
  return full;
}

void Rule::EndSeries(const RuleContext& context, int64_t t_ms) {
  if (spec_.alerting && context.alert_store != nullptr) {
    std::vector<Labels> labels;
    for (const auto& [key, alert] : alerts_.alerts()) labels.push_back(key);
    absl::Status status = context.alert_store->Forget(StoreKey(context), labels);
    if (!status.ok()) {
      context.options->logger->Error("Deleting the state of a removed rule's alerts failed",
                                     {{"name", spec_.name}, {"err", std::string(status.message())}});
    }
  }
  if (!appender_) return;
  appender_->Begin(t_ms);
  absl::Status status = appender_->Commit().status();
  if (!status.ok()) {
    context.options->logger->Warn("Writing stale markers of a removed rule failed",
                                  {{"name", spec_.name}, {"err", std::string(status.message())}});
  }
}

void Rule::SendAlerts(const RuleContext& context, const std::vector<AlertTable::Due>& due) {
  const bool behind = context.clock_behind != nullptr && *context.clock_behind;
  std::vector<Notification> out;
  for (const auto& [alert, transition] : due) {
    Notification n;
    n.labels = alert.labels;
    n.annotations = alert.annotations;
    n.starts_at_ms = alert.fired_at_ms;
    n.resolved = alert.resolved_at_ms != 0;
    n.transition = transition;
    // A clock that is behind would end a firing alert at once; without an end, Alertmanager's own time rules.
    n.ends_at_ms = alert.resolved_at_ms != 0 ? alert.resolved_at_ms : behind ? 0 : alert.valid_until_ms;
    n.generator_url =
        StrCat(context.options->external_url, "/graph?g0.expr=", UrlEscape(spec_.expr), "&g0.tab=1");
    out.push_back(std::move(n));
  }
  if (!out.empty() && context.options->sink != nullptr) context.options->sink->Send(std::move(out));
}

void Rule::Publish(const absl::Status& status, int64_t t_ms, double seconds) {
  MutexLock lock(&view_mutex_);
  view_.health = status.ok() ? "ok" : "err";
  view_.last_error = std::string(status.message());
  view_.last_evaluation_ms = t_ms;
  view_.evaluation_time_s = seconds;
  view_.state = alerts_.MaxState();
  view_.alerts = alerts_.Active();
}

RuleView Rule::View() const {
  MutexLock lock(&view_mutex_);
  return view_;
}

}  // namespace narthex::rules
