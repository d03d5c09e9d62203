#include "alerting/alert_json.h"

#include "base/go_format.h"
#include "base/json_writer.h"

namespace narthex::alerting {
namespace {

void WriteLabels(const Labels& labels, JsonWriter* json) {
  json->BeginObject();
  for (LabelView label : labels) json->Key(label.name).String(label.value);
  json->EndObject();
}

// Go's encoder escapes these for HTML; outside strings JSON has none of them.
std::string EscapeHtml(const std::string& json) {
  std::string out;
  out.reserve(json.size() + json.size() / 32);
  for (char c : json) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string AlertTime(int64_t ms) {
  if (ms == 0) return "0001-01-01T00:00:00.000Z";
  std::string text = FormatRfc3339(ms);
  // FormatRfc3339 drops trailing zeros of the fraction; the API's format has all three digits.
  size_t dot = text.find('.');
  if (dot == std::string::npos) return text.insert(text.size() - 1, ".000");
  const size_t digits = text.size() - 2 - dot;
  return text.insert(text.size() - 1, 3 - digits, '0');
}

std::string EncodeAlerts(std::span<const rules::Notification> alerts) {
  JsonWriter json;
  json.BeginArray();
  for (const rules::Notification& alert : alerts) {
    json.BeginObject();
    if (!alert.annotations.empty()) {
      json.Key("annotations");
      WriteLabels(alert.annotations, &json);
    }
    json.Key("endsAt").String(AlertTime(alert.ends_at_ms));
    json.Key("startsAt").String(AlertTime(alert.starts_at_ms));
    if (!alert.generator_url.empty()) json.Key("generatorURL").String(alert.generator_url);
    json.Key("labels");
    WriteLabels(alert.labels, &json);
    json.EndObject();
  }
  json.EndArray();
  return EscapeHtml(json.Take());
}

}  // namespace narthex::alerting
