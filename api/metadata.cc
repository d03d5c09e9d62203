// /api/v1/metadata and /api/v1/targets/metadata.
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/syntax/parser.h"

namespace narthex::api {
namespace {

// -1 if absent.
absl::StatusOr<int64_t> NumberParam(const Call& call, std::string_view name) {
  std::string text = call.Param(name);
  if (text.empty()) return int64_t{-1};
  absl::StatusOr<int64_t> number = ParseGoInt(text);
  if (!number.ok()) return absl::InvalidArgumentError(StrCat(name, " must be a number"));
  return number;
}

bool Full(int64_t limit, size_t size) { return limit >= 0 && size >= static_cast<size_t>(limit); }

}  // namespace

absl::Status Metadata(Call& call) {
  ASSIGN_OR_RETURN(int64_t limit, NumberParam(call, "limit"));
  ASSIGN_OR_RETURN(int64_t limit_per_metric, NumberParam(call, "limit_per_metric"));
  using Entry = std::tuple<std::string, std::string, std::string>;  // type, unit, help
  std::map<std::string, std::set<Entry>> metrics;
  for (const auto& [target, m] : call.options.scraper->Metadata(call.Param("metric"))) {
    std::set<Entry>& entries = metrics[m.metric];
    if (limit_per_metric > 0 && entries.size() >= static_cast<size_t>(limit_per_metric)) continue;
    entries.emplace(m.type, m.unit, m.help);
  }
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginObject();
  size_t written = 0;
  for (const auto& [metric, entries] : metrics) {
    if (Full(limit, written++)) break;
    json->Key(metric).BeginArray();
    for (const auto& [type, unit, help] : entries) {
      json->BeginObject().Key("type").String(type).Key("unit");
      WriteText(unit, json);
      json->Key("help");
      WriteText(help, json);
      json->EndObject();
    }
    json->EndArray();
    RETURN_IF_ERROR(body.Drain());
  }
  json->EndObject();
  return body.Finish();
}

absl::Status TargetMetadata(Call& call) {
  ASSIGN_OR_RETURN(int64_t limit, NumberParam(call, "limit"));
  Matchers matchers;
  if (std::string text = call.Param("match_target"); !text.empty()) {
    absl::StatusOr<Matchers> parsed = promql::ParseMetricSelector(text);
    if (!parsed.ok()) return InvalidParameter("match_target", parsed.status());
    matchers = *std::move(parsed);
  }
  std::string metric = call.Param("metric");
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginArray();
  size_t written = 0;
  for (const auto& [target, m] : call.options.scraper->Metadata(metric)) {
    if (!MatchesAll(matchers, target)) continue;
    if (Full(limit, written++)) break;
    json->BeginObject().Key("target");
    WriteLabels(target, json);
    if (metric.empty()) {  // who asks for one metric knows its name
      json->Key("metric");
      WriteText(m.metric, json);
    }
    json->Key("type").String(m.type).Key("help");
    WriteText(m.help, json);
    json->Key("unit");
    WriteText(m.unit, json);
    json->EndObject();
    RETURN_IF_ERROR(body.Drain());
  }
  json->EndArray();
  return body.Finish();
}

}  // namespace narthex::api
