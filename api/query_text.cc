// /api/v1/format_query and /api/v1/parse_query: the query as text, not run.
#include <utility>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/status_macros.h"
#include "promql/syntax/parser.h"

namespace narthex::api {
namespace {

absl::StatusOr<promql::ExprPtr> ParseQueryParam(const Call& call) {
  absl::StatusOr<promql::ExprPtr> expr =
      promql::ParseExpr(call.Param("query"), call.options.engine->options().parser);
  if (!expr.ok()) return InvalidParameter("query", expr.status());
  return expr;
}

}  // namespace

absl::Status FormatQuery(Call& call) {
  ASSIGN_OR_RETURN(promql::ExprPtr expr, ParseQueryParam(call));
  SuccessBody body(call.out);
  WriteText(promql::Pretty(*expr), body.json());
  return body.Finish();
}

absl::Status ParseQuery(Call& call) {
  ASSIGN_OR_RETURN(promql::ExprPtr expr, ParseQueryParam(call));
  SuccessBody body(call.out);
  body.json()->Raw(promql::ToJson(*expr));
  return body.Finish();
}

}  // namespace narthex::api
