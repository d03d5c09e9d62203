// /federate: the latest sample of each selected series as exposition text.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "promql/syntax/parser.h"
#include "scraper/scraper.h"

namespace narthex::api {
namespace {

constexpr size_t kBlock = 512;
constexpr size_t kWriteBytes = 64 << 10;

struct Latest {
  Labels labels;
  FloatPoint point;
};

// The loaded configuration's external labels, with an empty `instance` if they have none: a federated series
// without that label must not get the one of the scrape that fetches it.
std::map<std::string, std::string> ExternalLabels(const Options& options) {
  std::map<std::string, std::string> labels{{"instance", ""}};
  if (!options.config_yaml) return labels;
  absl::StatusOr<YamlNode> config = YamlNode::Parse(options.config_yaml());
  if (!config.ok() || !config->IsMapping()) return labels;
  absl::StatusOr<scraper::GlobalConfig> global = scraper::ParseGlobalConfig(config->Find("global"));
  if (!global.ok()) return labels;
  for (const auto& [name, value] : global->external_labels) labels[name] = value;
  return labels;
}

absl::Status SelectLatest(tsdb::Querier* querier, const Matchers& matchers, int64_t mint, int64_t maxt,
                          std::map<Labels, FloatPoint>* out) {
  tsdb::SelectHints hints;
  hints.start = mint;
  hints.end = maxt;
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::SeriesSet> set, querier->Select(matchers, mint, maxt, hints));
  std::vector<tsdb::Row> rows;
  for (size_t first = 0; first < set->size(); first += kBlock) {
    size_t count = std::min(kBlock, set->size() - first);
    RETURN_IF_ERROR(set->ReadBlock(first, count, &rows));
    for (size_t i = 0; i < count; ++i) {
      const tsdb::Row& row = rows[i];
      if (row.t.empty() || IsStale(row.v.back())) continue;
      // The text format has no native histograms; a series that has become one is left out.
      if (!row.h.empty() && row.h.back().t > row.t.back()) continue;
      out->insert_or_assign(set->labels(first + i), FloatPoint{row.t.back(), row.v.back()});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Latest>> SelectAll(const Call& call, const std::vector<Matchers>& match) {
  int64_t now = call.options.clock->NowMs();
  int64_t from = now - call.options.engine->options().lookback_delta_ms;
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, call.options.db->NewQuerier(from, now));
  std::map<Labels, FloatPoint> found;
  for (const Matchers& matchers : match) {
    RETURN_IF_ERROR(SelectLatest(querier.get(), matchers, from, now, &found));
  }
  std::vector<Latest> all;
  for (auto& [labels, point] : found) {
    if (!labels.MetricName().empty()) all.push_back({labels, point});
  }
  std::stable_sort(all.begin(), all.end(), [](const Latest& a, const Latest& b) {
    return a.labels.MetricName() < b.labels.MetricName();
  });
  return all;
}

// How names outside [a-zA-Z0-9_:] are written: quoted if the client asked for that, else with underscores.
struct NameStyle {
  bool quoted = false;
  std::string Plain(std::string_view name, bool colon) const {
    std::string out;
    for (size_t i = 0; i < name.size(); ++i) {
      char c = name[i];
      bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
      bool digit = c >= '0' && c <= '9';
      bool continuation = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
      if (continuation) continue;  // one underscore a character
      out.push_back(letter || (digit && i > 0) ? c : '_');
    }
    return out;
  }
};

void AppendEscaped(std::string_view value, std::string* out) {
  for (char c : value) {
    if (c == '\\' || c == '"') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      *out += "\\n";
    } else {
      out->push_back(c);
    }
  }
}

void AppendLabel(const NameStyle& style, std::string_view name, std::string_view value, bool* first,
                 std::string* out) {
  if (!*first) out->push_back(',');
  *first = false;
  if (style.quoted && !IsLegacyLabelName(name)) {
    out->push_back('"');
    AppendEscaped(name, out);
    out->push_back('"');
  } else {
    *out += style.Plain(name, false);
  }
  *out += "=\"";
  AppendEscaped(value, out);
  out->push_back('"');
}

std::string MetricText(const NameStyle& style, std::string_view name) {
  if (!style.quoted || IsLegacyMetricName(name)) return style.Plain(name, true);
  std::string out = "\"";
  AppendEscaped(name, &out);
  return out + "\"";
}

void AppendSample(const NameStyle& style, const Latest& sample,
                  const std::map<std::string, std::string>& external, std::string* out) {
  std::string_view name = sample.labels.MetricName();
  bool inside = style.quoted && !IsLegacyMetricName(name);  // {"a.b",x="y"}
  bool first = !inside;
  StrAppend(out, inside ? "{" : "", MetricText(style, name), inside ? "" : "{");
  for (LabelView label : sample.labels) {
    if (label.name != kMetricName) AppendLabel(style, label.name, label.value, &first, out);
  }
  for (const auto& [label, value] : external) {
    if (!sample.labels.Has(label)) AppendLabel(style, label, value, &first, out);
  }
  StrAppend(out, "} ", FormatFloatG(sample.point.v), " ", sample.point.t, "\n");
}

absl::Status SendText(const NameStyle& style, const std::vector<Latest>& samples,
                      const std::map<std::string, std::string>& external, HttpResponseWriter* out) {
  std::string_view type = style.quoted ? "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8"
                                       : "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
  RETURN_IF_ERROR(out->Start(200, type));
  std::string text;
  std::string_view family;
  for (const Latest& sample : samples) {
    if (sample.labels.MetricName() != family) {
      family = sample.labels.MetricName();
      StrAppend(&text, "# TYPE ", MetricText(style, family), " untyped\n");
    }
    AppendSample(style, sample, external, &text);
    if (text.size() < kWriteBytes) continue;
    RETURN_IF_ERROR(out->Write(text));
    text.clear();
  }
  return out->Write(text);
}

}  // namespace

absl::Status Federate(Call& call) {
  std::vector<Matchers> match;
  for (const std::string& text : call.ParamAll("match[]")) {
    absl::StatusOr<Matchers> matchers = promql::ParseMetricSelector(text);
    if (!matchers.ok()) {
      SendPlainError(400, MessageOf(matchers.status()), call.out);
      return absl::OkStatus();
    }
    match.push_back(*std::move(matchers));
  }
  absl::StatusOr<std::vector<Latest>> samples = SelectAll(call, match);
  if (!samples.ok()) {
    call.options.metrics
        ->GetCounter("prometheus_web_federation_errors_total",
                     "Total number of errors that occurred while sending federation responses.")
        ->Add();
    SendPlainError(500, MessageOf(samples.status()), call.out);
    return absl::OkStatus();
  }
  NameStyle style;
  style.quoted = call.request.Header("accept").find("escaping=allow-utf-8") != std::string_view::npos;
  return SendText(style, *samples, ExternalLabels(call.options), call.out);
}

}  // namespace narthex::api
