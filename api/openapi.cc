// /api/v1/openapi.yaml: what the API offers, for generators of clients.
#include <string>
#include <string_view>

#include "api/call.h"
#include "api/respond.h"
#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

struct Operation {
  std::string_view path, methods, summary;
  std::string_view parameters;  // "query! time limit": ! = required, [] = may be repeated
};

constexpr std::string_view kTimes = "start end limit match[]";
constexpr std::string_view kSearch =
    "start end match[] search[] fuzz_threshold fuzz_alg case_sensitive sort_by sort_dir include_score limit "
    "batch_size";

constexpr Operation kOperations[] = {
    {"/query", "get post", "Evaluate an instant query", "query! time timeout limit lookback_delta stats"},
    {"/query_range", "get post", "Evaluate a range query",
     "query! start! end! step! timeout limit lookback_delta stats"},
    {"/query_exemplars", "get post", "Query exemplars", "query! start end"},
    {"/query_plan", "get post", "Show how a query would be run", "query! time start end step analyze"},
    {"/format_query", "get post", "Format a query", "query!"},
    {"/parse_query", "get post", "Parse a query", "query!"},
    {"/labels", "get post", "Get label names", kTimes},
    {"/label/{name}/values", "get", "Get label values", kTimes},
    {"/search/metric_names", "get post", "Search metric names", kSearch},
    {"/search/label_names", "get post", "Search label names", kSearch},
    {"/search/label_values", "get post", "Search label values", kSearch},
    {"/series", "get post", "Find series by label matchers", "match[]! start end limit"},
    {"/metadata", "get", "Get metadata", "metric limit limit_per_metric"},
    {"/scrape_pools", "get", "Get scrape pools", ""},
    {"/scrape_pools/config", "get", "Get the configuration of a scrape pool", "scrapePool!"},
    {"/targets", "get", "Get targets", "state scrapePool"},
    {"/targets/metadata", "get", "Get targets metadata", "match_target metric limit"},
    {"/targets/relabel_steps", "get", "Get targets relabel steps", "scrapePool! labels!"},
    {"/rules", "get", "Get alerting and recording rules",
     "type rule_name[] rule_group[] file[] match[] exclude_alerts group_limit group_next_token"},
    {"/alerts", "get", "Get active alerts", ""},
    {"/alertmanagers", "get", "Get Alertmanager discovery", ""},
    {"/status/config", "get", "Get status config", ""},
    {"/status/runtimeinfo", "get", "Get status runtimeinfo", ""},
    {"/status/buildinfo", "get", "Get status buildinfo", ""},
    {"/status/flags", "get", "Get status flags", ""},
    {"/status/tsdb", "get", "Get status tsdb", "limit"},
    {"/status/tsdb/blocks", "get", "Get TSDB blocks", ""},
    {"/status/walreplay", "get", "Get status walreplay", ""},
    {"/status/self_metrics", "get", "Get the server's own metrics", "metric_name_pattern"},
    {"/admin/tsdb/delete_series", "post put", "Delete series matching selectors", "match[]! start end"},
    {"/admin/tsdb/clean_tombstones", "post put", "Clean tombstones in the TSDB", ""},
    {"/admin/tsdb/snapshot", "post put", "Create a snapshot of the TSDB", "skip_head"},
    {"/read", "post", "Remote read endpoint", ""},
    {"/write", "post", "Remote write endpoint", ""},
    {"/otlp/v1/metrics", "post", "OTLP metrics write endpoint", ""},
    {"/notifications", "get", "Get notifications", ""},
    {"/notifications/live", "get", "Stream live notifications via Server-Sent Events", ""},
    {"/features", "get", "Get the features that are on", ""},
};

std::string_view NextWord(std::string_view* text) {
  size_t space = text->find(' ');
  std::string_view word = text->substr(0, space);
  text->remove_prefix(space == text->npos ? text->size() : space + 1);
  return word;
}

std::string OperationId(std::string_view method, std::string_view path) {
  std::string id(method);
  for (char c : path) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter) {
      id.push_back(c);
    } else if (!id.ends_with("-") && c != '}') {
      id.push_back('-');
    }
  }
  return id;
}

void AppendParameter(std::string_view name, std::string_view where, bool required, std::string* out) {
  bool list = name.ends_with("[]");
  StrAppend(out, "        - name: ", list ? GoQuote(name) : std::string(name), "\n          in: ", where,
            "\n          required: ", required ? "true" : "false", "\n          schema:\n");
  if (list) {
    *out += "            type: array\n            items:\n              type: string\n";
  } else {
    *out += "            type: string\n";
  }
}

void AppendOperation(const Operation& operation, std::string_view method, std::string* out) {
  StrAppend(out, "    ", method, ":\n      summary: ", operation.summary,
            "\n      operationId: ", OperationId(method, operation.path), "\n");
  bool in_path = operation.path.find('{') != operation.path.npos;
  if (in_path || !operation.parameters.empty()) *out += "      parameters:\n";
  if (in_path) AppendParameter("name", "path", true, out);
  for (std::string_view rest = operation.parameters; !rest.empty();) {
    std::string_view word = NextWord(&rest);
    bool required = word.ends_with("!");
    if (required) word.remove_suffix(1);
    AppendParameter(word, "query", required, out);
  }
  *out +=
      "      responses:\n        \"200\":\n          description: Success.\n"
      "          content:\n            application/json:\n              schema:\n"
      "                $ref: \"#/components/schemas/Response\"\n"
      "        default:\n          description: Error.\n"
      "          content:\n            application/json:\n              schema:\n"
      "                $ref: \"#/components/schemas/Error\"\n";
}

constexpr std::string_view kSchemas = R"(components:
  schemas:
    Response:
      type: object
      required: [status]
      properties:
        status: {type: string, enum: [success]}
        data: {}
        warnings: {type: array, items: {type: string}}
        infos: {type: array, items: {type: string}}
    Error:
      type: object
      required: [status, errorType, error]
      properties:
        status: {type: string, enum: [error]}
        errorType: {type: string}
        error: {type: string}
)";

}  // namespace

absl::Status OpenApi(Call& call) {
  std::string version = call.Param("openapi_version") == "3.2" ? "3.2.0" : "3.1.0";
  std::string base = call.options.external_url;
  while (base.ends_with("/")) base.pop_back();
  std::string out = StrCat(
      "openapi: ", version,
      "\ninfo:\n  title: Prometheus API\n  description: The HTTP API of Prometheus as Narthex "
      "serves it.\n  version: ",
      call.options.build.version, "\nservers:\n  - url: ", GoQuote(StrCat(base, "/api/v1")), "\npaths:\n");
  for (const Operation& operation : kOperations) {
    StrAppend(&out, "  ", operation.path, ":\n");
    for (std::string_view rest = operation.methods; !rest.empty();)
      AppendOperation(operation, NextWord(&rest), &out);
  }
  StrAppend(&out, kSchemas);
  call.out->Send(200, "application/yaml; charset=utf-8", std::move(out));
  return absl::OkStatus();
}

}  // namespace narthex::api
