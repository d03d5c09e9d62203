// /api/v1/status/self_metrics: the server's own metrics as JSON.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/regex.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Line {
  std::string name;
  Pairs labels;
  std::string value;
};

// One metric: a value, or a histogram's parts.
struct Metric {
  std::string value, sum, count;
  std::vector<std::pair<std::string, std::string>> buckets;  // bound, cumulative count
};

struct Family {
  std::string name, help, type;
  std::vector<std::pair<Pairs, Metric>> metrics;  // in the order of the page
  Metric* Find(const Pairs& labels) {
    for (auto& [key, metric] : metrics) {
      if (key == labels) return &metric;
    }
    metrics.emplace_back(labels, Metric());
    return &metrics.back().second;
  }
};

std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      char next = text[++i];
      out.push_back(next == 'n' ? '\n' : next);
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// A sample line as MetricsRegistry::Expose writes it.
Line ParseLine(std::string_view text) {
  Line line;
  size_t space = text.rfind(' ');
  line.value = std::string(text.substr(space + 1));
  std::string_view series = text.substr(0, space);
  size_t brace = series.find('{');
  line.name = std::string(series.substr(0, brace));
  if (brace == series.npos) return line;
  for (size_t at = brace + 1; at < series.size() && series[at] != '}';) {
    size_t equals = series.find("=\"", at);
    size_t end = equals + 2;
    while (end < series.size() && series[end] != '"') end += series[end] == '\\' ? 2 : 1;
    line.labels.emplace_back(series.substr(at, equals - at),
                             Unescape(series.substr(equals + 2, end - equals - 2)));
    at = end + 1;
    if (at < series.size() && series[at] == ',') ++at;
  }
  return line;
}

void AddSample(Line line, Family* family) {
  if (family->type != "histogram") {
    family->Find(line.labels)->value = std::move(line.value);
    return;
  }
  std::string_view suffix = std::string_view(line.name).substr(family->name.size());
  if (suffix == "_bucket") {
    std::string bound = line.labels.empty() ? "" : line.labels.back().second;
    line.labels.pop_back();
    family->Find(line.labels)->buckets.emplace_back(std::move(bound), std::move(line.value));
  } else {
    Metric* metric = family->Find(line.labels);
    (suffix == "_sum" ? metric->sum : metric->count) = std::move(line.value);
  }
}

std::vector<Family> ParsePage(std::string_view page) {
  std::vector<Family> families;
  while (!page.empty()) {
    size_t end = page.find('\n');
    std::string_view line = page.substr(0, end);
    page.remove_prefix(end == page.npos ? page.size() : end + 1);
    if (line.starts_with("# HELP ")) {
      line.remove_prefix(7);
      size_t space = line.find(' ');
      families.push_back({std::string(line.substr(0, space)), Unescape(line.substr(space + 1)), "", {}});
    } else if (line.starts_with("# TYPE ")) {
      families.back().type = std::string(line.substr(line.rfind(' ') + 1));
    } else if (!line.empty() && !families.empty()) {
      AddSample(ParseLine(line), &families.back());
    }
  }
  return families;
}

void WriteMetric(const Pairs& labels, const Metric& metric, bool histogram, JsonWriter* json) {
  json->BeginObject();
  if (!labels.empty()) {
    json->Key("labels").BeginObject();
    for (const auto& [name, value] : labels) json->Key(name).String(value);
    json->EndObject();
  }
  if (!histogram) {
    json->Key("value").String(metric.value).EndObject();
    return;
  }
  json->Key("count").String(metric.count);
  json->Key("sum").String(metric.sum);
  json->Key("buckets").BeginArray();
  for (const auto& [bound, count] : metric.buckets) {
    json->BeginObject().Key("upperBound").String(bound).Key("cumulativeCount").String(count).EndObject();
  }
  json->EndArray().EndObject();
}

}  // namespace

absl::Status StatusSelfMetrics(Call& call) {
  std::optional<Regex> pattern;
  if (std::string text = call.Param("metric_name_pattern"); !text.empty()) {
    absl::StatusOr<Regex> compiled = Regex::Compile(text);
    if (!compiled.ok()) return InvalidParameter("metric_name_pattern", compiled.status());
    pattern = *std::move(compiled);
  }
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginArray();
  for (const Family& family : ParsePage(call.options.metrics->Expose())) {
    if (pattern && !pattern->Matches(family.name)) continue;
    json->BeginObject().Key("name").String(family.name).Key("help");
    WriteText(family.help, json);
    json->Key("type").String(family.type).Key("metrics").BeginArray();
    for (const auto& [labels, metric] : family.metrics) {
      WriteMetric(labels, metric, family.type == "histogram", json);
    }
    json->EndArray().EndObject();
    RETURN_IF_ERROR(body.Drain());
  }
  json->EndArray();
  return body.Finish();
}

}  // namespace narthex::api
