#include "rules/group.h"

#include <algorithm>
#include <map>

#include "absl/hash/hash.h"
#include "base/strings.h"
#include "rules/dependencies.h"

namespace narthex::rules {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

void AppendPairs(const Pairs& pairs, std::string* out) {
  for (const auto& [name, value] : pairs) StrAppend(out, name.size(), ":", name, value.size(), ":", value);
  out->push_back('\n');
}

std::string Fingerprint(const GroupSpec& spec, const RuleContext& context) {
  std::string out = StrCat(spec.file, "\n", spec.name, "\n", context.interval_ms, " ",
                           context.query_offset_ms, " ", context.limit, "\n");
  AppendPairs(spec.labels, &out);
  AppendPairs(context.external_labels, &out);
  for (const RuleSpec& rule : spec.rules) {
    StrAppend(&out, rule.alerting ? "alert " : "record ", rule.name, "\n", rule.expr, "\n", rule.for_ms, " ",
              rule.keep_firing_for_ms, "\n");
    AppendPairs(rule.labels, &out);
    AppendPairs(rule.annotations, &out);
  }
  return out;
}

// FNV-1a: the spread must be the same after a restart.
uint64_t StableHash(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ULL;
  return hash;
}

Pairs RuleLabels(const GroupSpec& group, const RuleSpec& rule) {
  std::map<std::string, std::string> labels(group.labels.begin(), group.labels.end());
  for (const auto& [name, value] : rule.labels) labels[name] = value;
  return {labels.begin(), labels.end()};
}

}  // namespace

GroupMetrics::GroupMetrics(MetricsRegistry* r, const std::string& group) {
  MetricLabels labels = {{"rule_group", group}};
  evaluations =
      r->GetCounter("prometheus_rule_evaluations_total", "The total number of rule evaluations.", labels);
  failures = r->GetCounter("prometheus_rule_evaluation_failures_total",
                           "The total number of rule evaluation failures.", labels);
  iterations = r->GetCounter(
      "prometheus_rule_group_iterations_total",
      "The total number of scheduled rule group evaluations, whether executed or missed.", labels);
  missed = r->GetCounter(
      "prometheus_rule_group_iterations_missed_total",
      "The total number of rule group evaluations missed due to slow rule group evaluation.", labels);
  interval = r->GetGauge("prometheus_rule_group_interval_seconds", "The interval of a rule group.", labels);
  last_duration = r->GetGauge("prometheus_rule_group_last_duration_seconds",
                              "The duration of the last rule group evaluation.", labels);
  last_evaluation = r->GetGauge("prometheus_rule_group_last_evaluation_timestamp_seconds",
                                "The timestamp of the last rule group evaluation in seconds.", labels);
  last_samples = r->GetGauge("prometheus_rule_group_last_evaluation_samples",
                             "The number of samples returned during the last rule group evaluation.", labels);
  rules = r->GetGauge("prometheus_rule_group_rules", "The number of rules.", labels);
  const std::vector<double> bounds = {.01, .1, 1, 10};
  rule_seconds = r->GetHistogram("prometheus_rule_evaluation_duration_histogram_seconds",
                                 "The duration for a rule to execute.", bounds);
  group_seconds = r->GetHistogram("prometheus_rule_group_duration_histogram_seconds",
                                  "The duration of rule group evaluations.", bounds);
}

Group::Group(GroupSpec spec, RuleContext defaults, int64_t default_interval_ms)
    : context_(std::move(defaults)), metrics_(context_.options->metrics, StrCat(spec.file, ";", spec.name)) {
  context_.file = spec.file;
  context_.group = spec.name;
  context_.interval_ms = std::max<int64_t>(1, spec.interval_ms > 0 ? spec.interval_ms : default_interval_ms);
  context_.limit = spec.limit;
  if (spec.query_offset_ms) context_.query_offset_ms = *spec.query_offset_ms;
  fingerprint_ = Fingerprint(spec, context_);
  std::map<std::string, int> numbers;
  for (RuleSpec& rule : spec.rules) {
    Pairs labels = RuleLabels(spec, rule);
    std::string key = StrCat(rule.alerting ? "alert " : "record ", rule.name);
    int number = numbers[key]++;
    rules_.push_back(std::make_unique<Rule>(std::move(rule), std::move(labels), number));
  }
  std::vector<const RuleSpec*> specs;
  for (const std::unique_ptr<Rule>& rule : rules_) specs.push_back(&rule->spec());
  const bool concurrent = context_.options->concurrent_rules && context_.options->max_concurrent_evals > 1;
  const std::vector<bool> independent =
      concurrent ? IndependentRules(specs) : std::vector<bool>(specs.size(), false);
  for (size_t i = 0; i < rules_.size(); ++i) {
    (independent[i] ? together_ : in_order_).push_back(rules_[i].get());
  }
  metrics_.interval->Set(static_cast<double>(context_.interval_ms) / 1000);
  metrics_.rules->Set(static_cast<double>(rules_.size()));
}

int64_t Group::NextEvaluation(int64_t now_ms) const {
  int64_t interval = context_.interval_ms;
  int64_t offset = static_cast<int64_t>(StableHash(StrCat(context_.file, ";", context_.group)) %
                                        static_cast<uint64_t>(interval));
  int64_t adjusted = now_ms - offset;
  return adjusted - adjusted % interval + offset + interval;
}

void Group::EvaluateAt(int64_t t_ms) {
  MutexLock lock(&evaluate_mutex_);
  if (retired_) return;
  if (const int64_t step = clock_step_ms_.exchange(0); step != 0) {
    for (const std::unique_ptr<Rule>& rule : rules_) rule->ClockStepped(context_, step);
  }
  const Clock* clock = context_.options->clock;
  int64_t begin_ns = clock->MonotonicNs();
  metrics_.iterations->Add();
  int64_t samples = together_.empty() ? 0 : EvaluateTogether(together_, t_ms);
  for (Rule* rule : in_order_) samples += EvaluateRule(rule, t_ms);
  double seconds = static_cast<double>(clock->MonotonicNs() - begin_ns) / 1e9;
  metrics_.group_seconds->Observe(seconds);
  metrics_.last_duration->Set(seconds);
  metrics_.last_evaluation->Set(static_cast<double>(t_ms) / 1000);
  metrics_.last_samples->Set(static_cast<double>(samples));
  MutexLock view_lock(&view_mutex_);
  last_evaluation_ms_ = t_ms;
  evaluation_time_s_ = seconds;
}

int64_t Group::EvaluateRule(Rule* rule, int64_t t_ms) {
  const Clock* clock = context_.options->clock;
  const int64_t begin_ns = clock->MonotonicNs();
  metrics_.evaluations->Add();
  absl::StatusOr<int64_t> samples = rule->Evaluate(context_, t_ms);
  if (!samples.ok()) metrics_.failures->Add();
  metrics_.rule_seconds->Observe(static_cast<double>(clock->MonotonicNs() - begin_ns) / 1e9);
  return samples.ok() ? *samples : 0;
}

int64_t Group::EvaluateTogether(const std::vector<Rule*>& rules, int64_t t_ms) {
  // Helpers that come late find no rule left, so nobody waits for a thread that is busy elsewhere.
  struct Work {
    std::atomic<size_t> next{0};
    std::atomic<int64_t> samples{0};
    Mutex mutex;
    size_t done ABSL_GUARDED_BY(mutex) = 0;
  };
  auto work = std::make_shared<Work>();
  auto help = [this, work, &rules, t_ms, count = rules.size()] {
    while (true) {
      const size_t i = work->next.fetch_add(1);
      if (i >= count) return;
      work->samples += EvaluateRule(rules[i], t_ms);
      MutexLock lock(&work->mutex);
      ++work->done;
    }
  };
  const size_t helpers =
      std::min<size_t>(rules.size(), static_cast<size_t>(context_.options->max_concurrent_evals));
  for (size_t i = 1; i < helpers; ++i) context_.options->pool->Submit(help);
  help();
  MutexLock lock(&work->mutex);
  auto finished = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work->mutex) { return work->done == rules.size(); };
  work->mutex.Await(Condition(&finished));
  return work->samples;
}

void Group::RestoreAlerts() {
  MutexLock lock(&evaluate_mutex_);
  for (const std::unique_ptr<Rule>& rule : rules_) rule->RestoreAlerts(context_);
}

void Group::Flush() {
  MutexLock lock(&evaluate_mutex_);
  if (retired_) return;
  for (const std::unique_ptr<Rule>& rule : rules_) rule->Flush(context_);
}

void Group::RememberAlerts(int64_t now_ms) {
  MutexLock lock(&evaluate_mutex_);
  for (const std::unique_ptr<Rule>& rule : rules_) {
    absl::Status status = rule->RememberAlerts(context_, now_ms);
    if (!status.ok()) {
      context_.options->logger->Error("Failed to restore 'for' state",
                                      {{"group", name()}, {"err", std::string(status.message())}});
    }
  }
}

void Group::Replace(Group* before, int64_t now_ms) {
  if (before == nullptr) return;
  MutexLock lock(&before->evaluate_mutex_);
  before->retired_ = true;
  std::map<std::string, Rule*> old;
  for (const std::unique_ptr<Rule>& rule : before->rules_) old[rule->identity()] = rule.get();
  for (const std::unique_ptr<Rule>& rule : rules_) {
    auto it = old.find(rule->identity());
    if (it == old.end()) continue;
    rule->Inherit(it->second);
    old.erase(it);
  }
  for (const auto& [identity, rule] : old) rule->EndSeries(before->context_, now_ms);
}

void Group::Retire(int64_t now_ms) {
  MutexLock lock(&evaluate_mutex_);
  retired_ = true;
  for (const std::unique_ptr<Rule>& rule : rules_) rule->EndSeries(context_, now_ms);
  MetricLabels labels = {{"rule_group", StrCat(context_.file, ";", context_.group)}};
  for (const char* metric :
       {"prometheus_rule_group_interval_seconds", "prometheus_rule_group_last_duration_seconds",
        "prometheus_rule_group_last_evaluation_timestamp_seconds",
        "prometheus_rule_group_last_evaluation_samples", "prometheus_rule_group_rules"}) {
    context_.options->metrics->Remove(metric, labels);
  }
}

GroupView Group::View() const {
  GroupView view;
  view.name = context_.group;
  view.file = context_.file;
  view.interval_ms = context_.interval_ms;
  view.limit = context_.limit;
  for (const std::unique_ptr<Rule>& rule : rules_) view.rules.push_back(rule->View());
  MutexLock lock(&view_mutex_);
  view.last_evaluation_ms = last_evaluation_ms_;
  view.evaluation_time_s = evaluation_time_s_;
  return view;
}

}  // namespace narthex::rules
