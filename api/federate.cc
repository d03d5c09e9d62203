// /federate: the latest sample of each selected series, as text or protobuf.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/federate_format.h"
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
                          std::map<Labels, FederatedSample>* out) {
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
      const Labels& labels = set->labels(first + i);
      if (!row.h.empty() && (row.t.empty() || row.h.back().t > row.t.back())) {
        if (row.h.back().h->IsStaleMarker()) continue;
        out->insert_or_assign(labels, FederatedSample{labels, row.h.back().t, 0, row.h.back().h});
      } else if (!row.t.empty() && !IsStale(row.v.back())) {
        out->insert_or_assign(labels, FederatedSample{labels, row.t.back(), row.v.back(), nullptr});
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<FederatedSample>> SelectAll(const Call& call, const std::vector<Matchers>& match) {
  int64_t now = call.options.clock->NowMs();
  int64_t from = now - call.options.engine->options().lookback_delta_ms;
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier, call.options.db->NewQuerier(from, now));
  std::map<Labels, FederatedSample> found;
  for (const Matchers& matchers : match) {
    RETURN_IF_ERROR(SelectLatest(querier.get(), matchers, from, now, &found));
  }
  std::vector<FederatedSample> all;
  for (auto& [labels, sample] : found) {
    if (!labels.MetricName().empty()) all.push_back(std::move(sample));
  }
  std::stable_sort(all.begin(), all.end(), [](const FederatedSample& a, const FederatedSample& b) {
    return a.labels.MetricName() < b.labels.MetricName();
  });
  return all;
}

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

void AppendLabel(const FederateFormat& format, std::string_view name, std::string_view value, bool* first,
                 std::string* out) {
  if (!*first) out->push_back(',');
  *first = false;
  if (format.utf8() && !IsLegacyLabelName(name)) {
    out->push_back('"');
    AppendEscaped(name, out);
    out->push_back('"');
  } else {
    *out += format.EscapeName(name, /*colon=*/false);
  }
  *out += "=\"";
  AppendEscaped(value, out);
  out->push_back('"');
}

std::string MetricText(const FederateFormat& format, std::string_view name) {
  if (!format.utf8() || IsLegacyMetricName(name)) return format.EscapeName(name, /*colon=*/true);
  std::string out = "\"";
  AppendEscaped(name, &out);
  return out + "\"";
}

void AppendSample(const FederateFormat& format, const FederatedSample& sample,
                  const std::map<std::string, std::string>& external, std::string* out) {
  std::string_view name = sample.labels.MetricName();
  bool inside = format.utf8() && !IsLegacyMetricName(name);  // {"a.b",x="y"}
  bool first = !inside;
  StrAppend(out, inside ? "{" : "", MetricText(format, name), inside ? "" : "{");
  for (LabelView label : sample.labels) {
    if (label.name != kMetricName) AppendLabel(format, label.name, label.value, &first, out);
  }
  for (const auto& [label, value] : external) {
    if (!sample.labels.Has(label)) AppendLabel(format, label, value, &first, out);
  }
  StrAppend(out, "} ", FormatFloatG(sample.v), " ", sample.t, "\n");
}

absl::Status SendText(const FederateFormat& format, const std::vector<FederatedSample>& samples,
                      const std::map<std::string, std::string>& external, HttpResponseWriter* out) {
  RETURN_IF_ERROR(out->Start(200, format.ContentType()));
  std::string text;
  std::string_view family;
  for (const FederatedSample& sample : samples) {
    if (sample.h != nullptr) continue;  // this format has no native histograms
    if (sample.labels.MetricName() != family) {
      family = sample.labels.MetricName();
      StrAppend(&text, "# TYPE ", MetricText(format, family), " untyped\n");
    }
    AppendSample(format, sample, external, &text);
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
  absl::StatusOr<std::vector<FederatedSample>> samples = SelectAll(call, match);
  if (!samples.ok()) {
    call.options.metrics
        ->GetCounter("prometheus_web_federation_errors_total",
                     "Total number of errors that occurred while sending federation responses.")
        ->Add();
    SendPlainError(500, MessageOf(samples.status()), call.out);
    return absl::OkStatus();
  }
  FederateFormat format = NegotiateFederation(call.request.Header("accept"));
  if (format.encoding == FederateEncoding::kDelimited)
    return SendFederatedProtobuf(format, *samples, ExternalLabels(call.options), call.out);
  if (format.protobuf())
    return SendFederatedProtoText(format, *samples, ExternalLabels(call.options), call.out);
  return SendText(format, *samples, ExternalLabels(call.options), call.out);
}

}  // namespace narthex::api
