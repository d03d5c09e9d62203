// /api/v1/query_exemplars.
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/syntax/parser.h"

namespace narthex::api {
namespace {

// The parser bounds the depth of the tree.
void CollectSelectors(const promql::Expr& expr, std::vector<Matchers>* out) {
  if (expr.kind == promql::ExprKind::kVectorSelector) out->push_back(expr.matchers);
  for (const promql::ExprPtr& child : expr.children) {
    if (child) CollectSelectors(*child, out);
  }
}

void WriteSeries(const tsdb::ExemplarSeries& series, JsonWriter* json) {
  json->BeginObject().Key("seriesLabels");
  WriteLabels(series.labels, json);
  json->Key("exemplars").BeginArray();
  for (const tsdb::Exemplar& exemplar : series.exemplars) {
    json->BeginObject().Key("labels");
    WriteLabels(exemplar.labels, json);
    json->Key("value");
    WriteValue(exemplar.value, json);
    json->Key("timestamp");
    WriteTimestamp(exemplar.t, json);
    json->EndObject();
  }
  json->EndArray().EndObject();
}

}  // namespace

absl::Status QueryExemplars(Call& call) {
  ASSIGN_OR_RETURN(int64_t start, TimeParam(call, "start", kMinTimeMs));
  ASSIGN_OR_RETURN(int64_t end, TimeParam(call, "end", kMaxTimeMs));
  if (end < start) {
    return absl::InvalidArgumentError("end timestamp must not be before start timestamp");
  }
  ASSIGN_OR_RETURN(promql::ExprPtr expr,
                   promql::ParseExpr(call.Param("query"), call.options.engine->options().parser));
  std::vector<Matchers> selectors;
  CollectSelectors(*expr, &selectors);
  if (selectors.empty()) {
    SendNoContent(call.out);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<tsdb::ExemplarSeries>> found =
      call.options.db->SelectExemplars(selectors, start, end);
  if (!found.ok()) return absl::FailedPreconditionError(ToAbsl(MessageOf(found.status())));
  SuccessBody body(call.out);
  body.json()->BeginArray();
  for (const tsdb::ExemplarSeries& series : *found) {
    WriteSeries(series, body.json());
    RETURN_IF_ERROR(body.Drain());
  }
  body.json()->EndArray();
  return body.Finish();
}

}  // namespace narthex::api
