// /api/v1/rules, /api/v1/alerts and /api/v1/alertmanagers.
#include "rules/rules.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

// What the request asks to see.
struct RuleFilter {
  std::set<std::string> names, groups, files;  // empty = all
  std::vector<Matchers> match;
  bool alerting = true, recording = true, exclude_alerts = false;
  int64_t group_limit = 0;  // 0 = no pages
  std::string next_token;
};

const char* StateName(rules::AlertState state) {
  switch (state) {
    case rules::AlertState::kFiring:
      return "firing";
    case rules::AlertState::kPending:
      return "pending";
    default:
      return "inactive";
  }
}

bool IsActive(const rules::Alert& alert) {
  return alert.resolved_at_ms == 0 && alert.state != rules::AlertState::kInactive;
}

void WriteAlert(const rules::Alert& alert, JsonWriter* json) {
  json->BeginObject().Key("labels");
  WriteLabels(alert.labels, json);
  json->Key("annotations");
  WriteLabels(alert.annotations, json);
  json->Key("state").String(StateName(alert.state));
  json->Key("activeAt");
  WriteTime(alert.active_at_ms, json);
  if (alert.keep_firing_since_ms != 0) {
    json->Key("keepFiringSince");
    WriteTime(alert.keep_firing_since_ms, json);
  }
  json->Key("value").String(FormatFloat(alert.value, 'e', -1));
  json->EndObject();
}

void WriteAlertingFields(const rules::RuleView& rule, bool exclude_alerts, JsonWriter* json) {
  json->Key("state").String(StateName(rule.state));
  json->Key("name");
  WriteText(rule.name, json);
  json->Key("query");
  WriteText(rule.query, json);
  json->Key("duration").Number(static_cast<double>(rule.for_ms) / 1000);
  json->Key("keepFiringFor").Number(static_cast<double>(rule.keep_firing_for_ms) / 1000);
  json->Key("labels");
  WriteLabels(rule.labels, json);
  json->Key("annotations");
  WriteLabels(rule.annotations, json);
  json->Key("alerts");
  if (exclude_alerts) {
    json->Null();
    return;
  }
  json->BeginArray();
  for (const rules::Alert& alert : rule.alerts) {
    if (IsActive(alert)) WriteAlert(alert, json);
  }
  json->EndArray();
}

void WriteRule(const rules::RuleView& rule, bool exclude_alerts, JsonWriter* json) {
  json->BeginObject();
  if (rule.alerting) {
    WriteAlertingFields(rule, exclude_alerts, json);
  } else {
    json->Key("name");
    WriteText(rule.name, json);
    json->Key("query");
    WriteText(rule.query, json);
    if (!rule.labels.empty()) {
      json->Key("labels");
      WriteLabels(rule.labels, json);
    }
  }
  json->Key("health").String(rule.health);
  if (!rule.last_error.empty()) {
    json->Key("lastError");
    WriteText(rule.last_error, json);
  }
  json->Key("evaluationTime").Number(rule.evaluation_time_s);
  json->Key("lastEvaluation");
  WriteTime(rule.last_evaluation_ms, json);
  json->Key("type").String(rule.alerting ? "alerting" : "recording");
  json->EndObject();
}

void WriteGroup(const rules::GroupView& group, const std::vector<const rules::RuleView*>& shown,
                bool exclude_alerts, JsonWriter* json) {
  json->BeginObject().Key("name");
  WriteText(group.name, json);
  json->Key("file");
  WriteText(group.file, json);
  json->Key("rules").BeginArray();
  for (const rules::RuleView* rule : shown) WriteRule(*rule, exclude_alerts, json);
  json->EndArray();
  json->Key("interval").Number(static_cast<double>(group.interval_ms) / 1000);
  json->Key("limit").Int(group.limit);
  json->Key("evaluationTime").Number(group.evaluation_time_s);
  json->Key("lastEvaluation");
  WriteTime(group.last_evaluation_ms, json);
  json->EndObject();
}

// Labels with a template in their value say nothing before evaluation: they do not take part in matching.
bool MatchesRule(const std::vector<Matchers>& sets, const Labels& labels) {
  if (sets.empty()) return true;
  LabelsBuilder plain;
  for (LabelView label : labels) {
    if (label.value.find("{{") == label.value.npos) plain.Set(label.name, label.value);
  }
  Labels known = plain.Build();
  for (const Matchers& matchers : sets) {
    if (MatchesAll(matchers, known)) return true;
  }
  return false;
}

std::vector<const rules::RuleView*> Select(const rules::GroupView& group, const RuleFilter& filter) {
  std::vector<const rules::RuleView*> shown;
  for (const rules::RuleView& rule : group.rules) {
    if (!(rule.alerting ? filter.alerting : filter.recording)) continue;
    if (!filter.names.empty() && !filter.names.contains(rule.name)) continue;
    if (MatchesRule(filter.match, rule.labels)) shown.push_back(&rule);
  }
  return shown;
}

std::set<std::string> SetParam(const Call& call, std::string_view name) {
  std::vector<std::string> values = call.ParamAll(name);
  return {values.begin(), values.end()};
}

absl::Status ReadPage(const Call& call, RuleFilter* filter) {
  std::string limit = call.Param("group_limit");
  filter->next_token = call.Param("group_next_token");
  if (limit.empty()) {
    if (filter->next_token.empty()) return absl::OkStatus();
    return InvalidParameter("group_next_token",
                            "group_limit needs to be present in order to paginate over the groups");
  }
  absl::StatusOr<int64_t> parsed = ParseGoInt(limit, "ParseInt");
  if (!parsed.ok()) {
    return InvalidParameter("group_limit",
                            StrCat("group_limit needs to be a valid number: ", MessageOf(parsed.status())));
  }
  if (*parsed <= 0) return InvalidParameter("group_limit", "group_limit needs to be greater than 0");
  filter->group_limit = *parsed;
  return absl::OkStatus();
}

absl::StatusOr<RuleFilter> ReadFilter(const Call& call) {
  RuleFilter filter;
  filter.names = SetParam(call, "rule_name[]");
  filter.groups = SetParam(call, "rule_group[]");
  filter.files = SetParam(call, "file[]");
  ASSIGN_OR_RETURN(filter.match, MatchParams(call));
  std::string type = call.Param("type");
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (!type.empty() && type != "alert" && type != "record") {
    return InvalidParameter("type", StrCat("not supported value ", GoQuote(type)));
  }
  filter.alerting = type != "record";
  filter.recording = type != "alert";
  if (std::string text = call.Param("exclude_alerts"); !text.empty()) {
    absl::StatusOr<bool> exclude = ParseGoBool(text);
    if (!exclude.ok()) {
      return InvalidParameter("exclude_alerts",
                              StrCat("error converting exclude_alerts: ", MessageOf(exclude.status())));
    }
    filter.exclude_alerts = *exclude;
  }
  RETURN_IF_ERROR(ReadPage(call, &filter));
  return filter;
}

// Names a group in a page token. Opaque to clients.
std::string TokenOf(const rules::GroupView& group) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a: the same in every run, so that pages survive a restart
  for (char c : StrCat(group.file, ";", group.name)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return StrCat(absl::Hex(hash, absl::kZeroPad16));
}

// Where the page begins: the index of the group that the token names.
absl::StatusOr<size_t> FirstGroup(const std::vector<rules::GroupView>& groups, const RuleFilter& filter) {
  if (filter.next_token.empty()) return size_t{0};
  for (size_t i = 0; i < groups.size(); ++i) {
    if (TokenOf(groups[i]) == filter.next_token) return i;
  }
  return InvalidParameter("group_next_token", StrCat("invalid group_next_token '", filter.next_token,
                                                     "'. were rule groups changed?"));
}

}  // namespace

absl::Status Rules(Call& call) {
  ASSIGN_OR_RETURN(RuleFilter filter, ReadFilter(call));
  std::vector<rules::GroupView> groups = call.options.rules->Groups();
  ASSIGN_OR_RETURN(size_t first, FirstGroup(groups, filter));
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginObject().Key("groups").BeginArray();
  int64_t written = 0;
  std::string next_token;
  for (size_t i = first; i < groups.size(); ++i) {
    const rules::GroupView& group = groups[i];
    if (!filter.groups.empty() && !filter.groups.contains(group.name)) continue;
    if (!filter.files.empty() && !filter.files.contains(group.file)) continue;
    std::vector<const rules::RuleView*> shown = Select(group, filter);
    if (shown.empty()) continue;
    if (filter.group_limit > 0 && written == filter.group_limit) {
      next_token = TokenOf(group);
      break;
    }
    WriteGroup(group, shown, filter.exclude_alerts, json);
    ++written;
    RETURN_IF_ERROR(body.Drain());
  }
  json->EndArray();
  if (!next_token.empty()) json->Key("groupNextToken").String(next_token);
  json->EndObject();
  return body.Finish();
}

absl::Status Alerts(Call& call) {
  SuccessBody body(call.out);
  body.json()->BeginObject().Key("alerts").BeginArray();
  for (const rules::GroupView& group : call.options.rules->Groups()) {
    for (const rules::RuleView& rule : group.rules) {
      for (const rules::Alert& alert : rule.alerts) {
        if (!IsActive(alert)) continue;
        WriteAlert(alert, body.json());
        RETURN_IF_ERROR(body.Drain());
      }
    }
  }
  body.json()->EndArray().EndObject();
  return body.Finish();
}

absl::Status Alertmanagers(Call& call) {
  SuccessBody body(call.out);
  auto write = [&body](std::string_view key, const std::vector<alerting::AlertmanagerView>& views) {
    body.json()->Key(key).BeginArray();
    for (const alerting::AlertmanagerView& view : views) {
      body.json()->BeginObject().Key("url");
      WriteText(view.url, body.json());
      body.json()->EndObject();
    }
    body.json()->EndArray();
  };
  body.json()->BeginObject();
  write("activeAlertmanagers", call.options.notifier->Active());
  write("droppedAlertmanagers", call.options.notifier->Dropped());
  body.json()->EndObject();
  return body.Finish();
}

}  // namespace narthex::api
