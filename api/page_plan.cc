// /api/v1/query_plan: how a query is run. Narthex's own; the page's Explain view shows it.
#include <algorithm>
#include <string>

#include "api/page.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/status_macros.h"

namespace narthex::api {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kMaxPoints = 11'000;  // as for range queries

}  // namespace

// Takes `query`, and either `time` or `start`, `end` and `step`, as the query endpoints do. With `analyze`
// the query runs, and each operator says what it delivered and how long it took.
absl::Status QueryPlan(Call& call) {
  int64_t now = call.options.clock->NowMs();
  promql::QueryParams params;
  params.query = call.Param("query");
  ASSIGN_OR_RETURN(params.end_ms, TimeParam(call, "time", now));
  ASSIGN_OR_RETURN(params.end_ms, TimeParam(call, "end", params.end_ms));
  ASSIGN_OR_RETURN(params.start_ms, TimeParam(call, "start", params.end_ms));
  if (params.end_ms < params.start_ms) {
    return InvalidParameter("end", "end timestamp must not be before start time");
  }
  if (std::string step = call.Param("step"); !step.empty()) {
    absl::StatusOr<int64_t> ns = ParseDurationNs(step);
    if (!ns.ok()) return InvalidParameter("step", ns.status());
    if (*ns <= 0) return InvalidParameter("step", "the step must be longer than nothing");
    params.step_ms = std::max<int64_t>(1, *ns / kNsPerMs);
    if ((params.end_ms - params.start_ms) / params.step_ms > kMaxPoints) {
      return absl::InvalidArgumentError(
          "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
          "(?step=XX)");
    }
  } else {
    params.start_ms = params.end_ms;
  }
  bool run = false;
  if (std::string analyze = call.Param("analyze"); !analyze.empty()) {
    absl::StatusOr<bool> parsed = ParseGoBool(analyze);
    if (!parsed.ok()) return InvalidParameter("analyze", parsed.status());
    run = *parsed;
  }
  params.cancelled = call.request.cancelled;
  absl::StatusOr<std::string> plan = call.options.engine->Explain(*call.options.db, params, run);
  if (absl::IsInvalidArgument(plan.status())) return InvalidParameter("query", plan.status());
  RETURN_IF_ERROR(plan.status());
  SuccessBody body(call.out);
  body.json()->BeginObject().Key("plan").String(*plan);
  body.json()->EndObject();
  return body.Finish();
}

}  // namespace narthex::api
