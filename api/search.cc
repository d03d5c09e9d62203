// /api/v1/search/...: names and values while somebody types, as newline-delimited JSON. Behind
// --enable-feature=search-api.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "api/search_score.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr int64_t kHourMs = 3600'000;

struct SearchRequest {
  tsdb::LabelQuery query;
  SearchTerms terms;
  std::string sort_by;
  bool descending = false, include_score = false, include_metadata = false;
  size_t limit = 100, batch = 100;
};

struct Hit {
  std::string name;
  double score = 0;
};

absl::Status BoolParam(const Call& call, std::string_view name, bool* out) {
  std::string text = call.Param(name);
  if (text.empty()) return absl::OkStatus();
  absl::StatusOr<bool> value = ParseGoBool(text);
  if (!value.ok())
    return absl::InvalidArgumentError(StrCat("invalid ", name, " ", GoQuote(text), ": must be boolean"));
  *out = *value;
  return absl::OkStatus();
}

// Absent and 0 leave *out alone.
absl::Status CountParam(const Call& call, std::string_view name, size_t* out) {
  std::string text = call.Param(name);
  if (text.empty()) return absl::OkStatus();
  absl::StatusOr<int64_t> value = ParseGoInt(text);
  if (!value.ok() || *value < 0) {
    return absl::InvalidArgumentError(
        StrCat("invalid ", name, " ", GoQuote(text), ": must be non-negative integer"));
  }
  if (*value > 0) *out = static_cast<size_t>(*value);
  return absl::OkStatus();
}

absl::Status ReadTerms(const Call& call, SearchTerms* terms) {
  terms->terms = call.ParamAll("search[]");
  if (std::string text = call.Param("fuzz_threshold"); !text.empty()) {
    absl::StatusOr<int64_t> threshold = ParseGoInt(text);
    if (!threshold.ok() || *threshold < 0 || *threshold > 100) {
      return absl::InvalidArgumentError(StrCat("invalid fuzz_threshold ", GoQuote(text), ": must be 0-100"));
    }
    terms->threshold = static_cast<double>(*threshold) / 100;
  }
  if (std::string text = call.Param("fuzz_alg"); !text.empty()) {
    if (text != "subsequence" && text != "jarowinkler") {
      return absl::InvalidArgumentError(
          StrCat("unsupported fuzz_alg ", GoQuote(text), ": must be one of [subsequence jarowinkler]"));
    }
    terms->jaro_winkler = text == "jarowinkler";
  }
  return BoolParam(call, "case_sensitive", &terms->case_sensitive);
}

absl::Status ReadOrder(const Call& call, std::string_view what, SearchRequest* request) {
  request->sort_by = call.Param("sort_by");
  std::string direction = call.Param("sort_dir");
  const std::string& by = request->sort_by;
  if (!direction.empty() && by.empty()) {
    return absl::InvalidArgumentError("sort_dir is only valid when sort_by is set");
  }
  if (!direction.empty() && by == "score") {
    return absl::InvalidArgumentError("sort_dir is not supported for sort_by=score");
  }
  if (!direction.empty() && direction != "asc" && direction != "dsc") {
    return absl::InvalidArgumentError(
        StrCat("invalid sort_dir ", GoQuote(direction), ": must be \"asc\" or \"dsc\""));
  }
  request->descending = direction == "dsc";
  if (by == "score" && request->terms.terms.empty()) {
    return absl::InvalidArgumentError("sort_by=score requires search[] to be set");
  }
  if (by.empty() || by == "alpha" || by == "score") return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("invalid sort_by ", GoQuote(by), " for ", what, ": must be \"alpha\" or \"score\""));
}

absl::StatusOr<SearchRequest> ReadRequest(const Call& call, std::string_view what) {
  if (!call.options.enable_search) return absl::UnavailableError("search API disabled");
  SearchRequest request;
  int64_t now = call.options.clock->NowMs();
  ASSIGN_OR_RETURN(request.query.mint, TimeParam(call, "start", now - kHourMs));
  ASSIGN_OR_RETURN(request.query.maxt, TimeParam(call, "end", now));
  ASSIGN_OR_RETURN(request.query.match, MatchParams(call));
  RETURN_IF_ERROR(ReadTerms(call, &request.terms));
  RETURN_IF_ERROR(BoolParam(call, "include_score", &request.include_score));
  RETURN_IF_ERROR(ReadOrder(call, what, &request));
  size_t most = call.options.search_max_limit;
  if (most > 0) request.limit = std::min(request.limit, most);
  RETURN_IF_ERROR(CountParam(call, "limit", &request.limit));
  if (most > 0 && request.limit > most) {
    return absl::InvalidArgumentError(StrCat("limit ", request.limit, " exceeds the maximum of ", most));
  }
  RETURN_IF_ERROR(CountParam(call, "batch_size", &request.batch));
  RETURN_IF_ERROR(BoolParam(call, "include_metadata", &request.include_metadata));
  return request;
}

std::vector<Hit> Rank(std::vector<std::string> names, const SearchRequest& request) {
  std::vector<Hit> hits;
  for (std::string& name : names) {
    double score = 0;
    if (request.terms.Accept(name, &score)) hits.push_back({std::move(name), score});
  }
  bool by_score = request.sort_by == "score";
  std::sort(hits.begin(), hits.end(), [&](const Hit& a, const Hit& b) {
    if (by_score && a.score != b.score) return a.score > b.score;
    return request.descending ? a.name > b.name : a.name < b.name;
  });
  return hits;
}

using MetadataByName = std::map<std::string, scraper::TargetMetadata>;

void WriteHit(const Hit& hit, const SearchRequest& request, const MetadataByName& metadata,
              JsonWriter* json) {
  json->BeginObject().Key("name");
  WriteText(hit.name, json);
  if (request.include_score) json->Key("score").Number(hit.score);
  if (auto it = metadata.find(hit.name); it != metadata.end()) {
    for (const auto& [key, value] : {std::pair("type", &it->second.type), std::pair("help", &it->second.help),
                                     std::pair("unit", &it->second.unit)}) {
      if (value->empty()) continue;
      json->Key(key);
      WriteText(*value, json);
    }
  }
  json->EndObject();
}

// Batches as a line each, then the trailer.
absl::Status SendHits(Call& call, const SearchRequest& request, const std::vector<Hit>& hits,
                      const MetadataByName& metadata) {
  RETURN_IF_ERROR(call.out->Start(200, "application/x-ndjson; charset=utf-8"));
  size_t shown = std::min(hits.size(), request.limit);
  size_t next = 0;
  do {
    JsonWriter json;
    json.BeginObject().Key("results").BeginArray();
    size_t end = std::min(shown, next + request.batch);
    for (; next < end; ++next) WriteHit(hits[next], request, metadata, &json);
    json.EndArray().EndObject();
    RETURN_IF_ERROR(call.out->Write(json.Take() + "\n"));
  } while (next < shown);
  JsonWriter trailer;
  trailer.BeginObject().Key("status").String("success").Key("has_more").Bool(hits.size() > shown).EndObject();
  return call.out->Write(trailer.Take() + "\n");
}

absl::Status SearchValues(Call& call, const SearchRequest& request, std::string_view label) {
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier,
                   call.options.db->NewQuerier(request.query.mint, request.query.maxt));
  ASSIGN_OR_RETURN(std::vector<std::string> values, querier->LabelValues(label, request.query));
  MetadataByName metadata;
  if (request.include_metadata) {
    for (auto& [target, found] : call.options.scraper->Metadata("")) metadata.emplace(found.metric, found);
  }
  return SendHits(call, request, Rank(std::move(values), request), metadata);
}

}  // namespace

absl::Status SearchMetricNames(Call& call) {
  ASSIGN_OR_RETURN(SearchRequest request, ReadRequest(call, "metric_names"));
  return SearchValues(call, request, kMetricName);
}

absl::Status SearchLabelNames(Call& call) {
  ASSIGN_OR_RETURN(SearchRequest request, ReadRequest(call, "label_names"));
  ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Querier> querier,
                   call.options.db->NewQuerier(request.query.mint, request.query.maxt));
  ASSIGN_OR_RETURN(std::vector<std::string> names, querier->LabelNames(request.query));
  return SendHits(call, request, Rank(std::move(names), request), {});
}

absl::Status SearchLabelValues(Call& call) {
  ASSIGN_OR_RETURN(SearchRequest request, ReadRequest(call, "label_values"));
  std::string label = call.Param("label");
  if (label.empty()) return absl::InvalidArgumentError("missing required parameter \"label\"");
  request.include_metadata = false;
  return SearchValues(call, request, label);
}

}  // namespace narthex::api
