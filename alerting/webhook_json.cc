#include "alerting/webhook_json.h"

#include <algorithm>
#include <cstdio>

#include "base/go_format.h"
#include "base/json_writer.h"
#include "base/strings.h"

namespace narthex::alerting {
namespace {

void WriteLabels(std::string_view key, const Labels& labels, JsonWriter* json) {
  json->Key(key).BeginObject();
  for (LabelView label : labels) json->Key(label.name).String(label.value);
  json->EndObject();
}

// Alertmanager's fingerprint of an alert: FNV-1a over its labels.
std::string Fingerprint(const Labels& labels) {
  uint64_t hash = 14695981039346656037ULL;
  auto add = [&hash](std::string_view text) {
    for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ULL;
    hash = (hash ^ 255) * 1099511628211ULL;
  };
  for (LabelView label : labels) {
    add(label.name);
    add(label.value);
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

// What all alerts have, with one value.
template <typename Of>
Labels Common(std::span<const rules::Notification> alerts, const Of& of) {
  LabelsBuilder common(of(alerts[0]));
  for (LabelView label : of(alerts[0])) {
    const bool shared = std::all_of(alerts.begin(), alerts.end(), [&](const rules::Notification& alert) {
      return of(alert).Get(label.name) == label.value;
    });
    if (!shared) common.Del(label.name);
  }
  return common.Build();
}

std::string Time(int64_t ms) { return ms == 0 ? "0001-01-01T00:00:00Z" : FormatRfc3339(ms); }

void WriteAlert(const rules::Notification& alert, JsonWriter* json) {
  json->BeginObject();
  json->Key("status").String(alert.resolved ? "resolved" : "firing");
  WriteLabels("labels", alert.labels, json);
  WriteLabels("annotations", alert.annotations, json);
  json->Key("startsAt").String(Time(alert.starts_at_ms));
  json->Key("endsAt").String(Time(alert.resolved ? alert.ends_at_ms : 0));
  json->Key("generatorURL").String(alert.generator_url);
  json->Key("fingerprint").String(Fingerprint(alert.labels));
  json->EndObject();
}

}  // namespace

Labels GroupLabels(const WebhookConfig& config, const Labels& labels) {
  if (config.group_by.size() == 1 && config.group_by[0] == "...") return labels;
  LabelsBuilder group;
  for (const std::string& name : config.group_by) group.Set(name, labels.Get(name));
  return group.Build();
}

std::string EncodeWebhook(const WebhookConfig& config, const std::string& external_url,
                          std::span<const rules::Notification> alerts) {
  const Labels group = GroupLabels(config, alerts[0].labels);
  const bool firing = std::any_of(alerts.begin(), alerts.end(), [](const auto& a) { return !a.resolved; });
  const size_t shown = config.max_alerts == 0
                           ? alerts.size()
                           : std::min<size_t>(alerts.size(), static_cast<size_t>(config.max_alerts));
  JsonWriter json;
  json.BeginObject();
  json.Key("receiver").String(config.name);
  json.Key("status").String(firing ? "firing" : "resolved");
  json.Key("alerts").BeginArray();
  for (const rules::Notification& alert : alerts.first(shown)) WriteAlert(alert, &json);
  json.EndArray();
  WriteLabels("groupLabels", group, &json);
  WriteLabels("commonLabels", Common(alerts, [](const auto& a) -> const Labels& { return a.labels; }), &json);
  WriteLabels("commonAnnotations",
              Common(alerts, [](const auto& a) -> const Labels& { return a.annotations; }), &json);
  json.Key("externalURL").String(external_url);
  json.Key("version").String("4");
  json.Key("groupKey").String(StrCat("{}:", group.ToString()));
  json.Key("truncatedAlerts").Int(static_cast<int64_t>(alerts.size() - shown));
  json.EndObject();
  return json.Take();
}

}  // namespace narthex::alerting
