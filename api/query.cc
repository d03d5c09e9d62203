// /api/v1/query and /api/v1/query_range.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/matrix_answer.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kMaxPoints = 11'000;

// `timeout` and `lookback_delta`, in the order in which Prometheus looks at them.
absl::Status ReadLimits(const Call& call, promql::QueryParams* params) {
  if (std::string text = call.Param("timeout"); !text.empty()) {
    absl::StatusOr<int64_t> ns = ParseDurationNs(text);
    if (!ns.ok()) return InvalidParameter("timeout", ns.status());
    if (*ns <= 0) return absl::DeadlineExceededError("query timed out in expression evaluation");
    params->timeout_ms = std::max<int64_t>(1, *ns / kNsPerMs);
  }
  if (std::string text = call.Param("lookback_delta"); !text.empty()) {
    absl::StatusOr<int64_t> ns = ParseDurationNs(text);
    if (!ns.ok()) {
      return absl::InvalidArgumentError(
          StrCat("error parsing lookback delta duration: ", MessageOf(ns.status())));
    }
    params->lookback_delta_ms = std::max<int64_t>(0, *ns / kNsPerMs);
  }
  params->query = call.Param("query");
  params->per_step_stats = call.Param("stats") == "all";
  params->cancelled = call.request.cancelled;
  params->on_long = [out = call.out] { out->ExpectLong(); };
  return absl::OkStatus();
}

void WriteInstantSeries(const promql::ResultSeries& series, JsonWriter* json) {
  json->BeginObject().Key("metric");
  WriteLabels(series.labels, json);
  if (!series.histograms.empty()) {
    json->Key("histogram");
    WritePoint(series.histograms.back(), json);
  } else if (!series.floats.empty()) {
    json->Key("value");
    WritePoint(series.floats.back(), json);
  }
  json->EndObject();
}

void Log(const Call& call, const promql::QueryParams& params, const absl::StatusOr<promql::Result>& result) {
  if (call.options.query_log == nullptr || !call.options.query_log->Enabled()) return;
  LoggedQuery logged;
  logged.query = params.query;
  logged.start_ms = params.start_ms;
  logged.end_ms = params.end_ms;
  logged.step_ms = params.step_ms;
  if (!result.ok()) logged.error = std::string(MessageOf(result.status()));
  JsonWriter stats;
  WriteQueryStats(params.start_ms, params.step_ms, result.ok() ? result->stats : promql::QueryStats(),
                  &stats);
  logged.stats_json = stats.Take();
  std::string_view address = call.request.remote_address;
  logged.client_ip = std::string(address.substr(0, address.rfind(':')));
  logged.method = call.request.method;
  logged.path = call.request.path;
  call.options.query_log->Write(logged);
}

absl::StatusOr<promql::Result> Run(const Call& call, const promql::QueryParams& params) {
  absl::StatusOr<promql::Result> result = call.options.engine->Run(
      call.options.storage != nullptr ? *call.options.storage : *call.options.db, params);
  if (!result.ok() && result.status().code() == absl::StatusCode::kInvalidArgument) {
    return InvalidParameter("query", result.status());  // it did not run: nothing to log
  }
  Log(call, params, result);
  return result;
}

void WriteScalar(const FloatPoint& point, JsonWriter* json) {
  json->BeginArray();
  WriteTimestamp(point.t, json);
  json->String(FormatFloatF(point.v));  // unlike the points of series, never with an exponent
  json->EndArray();
}

void WriteString(int64_t t_ms, std::string_view text, JsonWriter* json) {
  json->BeginArray();
  WriteTimestamp(t_ms, json);
  WriteText(text, json);
  json->EndArray();
}

void WriteStats(const Call& call, const promql::QueryParams& params, const promql::Result& result,
                JsonWriter* json) {
  if (call.Param("stats").empty()) return;
  json->Key("stats");
  WriteQueryStats(params.start_ms, params.step_ms, result.stats, json);
}

// What is written is freed: a slow client holds what it has not read yet, no more.
absl::Status WriteVector(std::vector<promql::ResultSeries> list, SuccessBody* body) {
  body->json()->BeginArray();
  for (promql::ResultSeries& series : list) {
    WriteInstantSeries(series, body->json());
    series = {};
    RETURN_IF_ERROR(body->Drain());
  }
  body->json()->EndArray();
  return absl::OkStatus();
}

// Series that the query has not handed to the answer itself.
absl::Status TakeRest(promql::Result* result, MatrixAnswer* answer) {
  for (promql::ResultSeries& series : result->series) {
    RETURN_IF_ERROR(answer->Take(series));
    series = {};
  }
  return absl::OkStatus();
}

absl::Status FinishMatrix(const Call& call, const promql::QueryParams& params, promql::Result result,
                          MatrixAnswer* answer) {
  RETURN_IF_ERROR(TakeRest(&result, answer));
  answer->EndSeries();
  WriteStats(call, params, result, answer->json());
  return answer->Finish(std::move(result.warnings), result.infos);
}

absl::Status WriteInstant(const Call& call, const promql::QueryParams& params, promql::Result result,
                          size_t limit) {
  if (result.type == promql::ValueType::kMatrix) {
    MatrixAnswer answer(call.out, limit);
    return FinishMatrix(call, params, std::move(result), &answer);
  }
  std::vector<std::string> warnings = std::move(result.warnings);
  if (limit > 0 && result.series.size() > limit) {
    result.series.resize(limit);
    warnings.emplace_back(kTruncatedWarning);
  }
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginObject();
  json->Key("resultType").String(promql::ValueTypeDocName(result.type));
  json->Key("result");
  if (result.type == promql::ValueType::kScalar) {
    WriteScalar(result.scalar, json);
  } else if (result.type == promql::ValueType::kString) {
    WriteString(result.scalar.t, result.string, json);
  } else {
    RETURN_IF_ERROR(WriteVector(std::move(result.series), &body));
  }
  WriteStats(call, params, result, json);
  json->EndObject();
  return body.Finish(warnings, result.infos);
}

}  // namespace

absl::Status Query(Call& call) {
  ASSIGN_OR_RETURN(size_t limit, LimitParam(call));
  promql::QueryParams params;
  ASSIGN_OR_RETURN(params.start_ms, TimeParam(call, "time", call.options.clock->NowMs()));
  params.end_ms = params.start_ms;
  RETURN_IF_ERROR(ReadLimits(call, &params));
  ASSIGN_OR_RETURN(promql::Result result, Run(call, params));
  return WriteInstant(call, params, std::move(result), limit);
}

absl::Status QueryRange(Call& call) {
  ASSIGN_OR_RETURN(size_t limit, LimitParam(call));
  promql::QueryParams params;
  absl::StatusOr<int64_t> start = ParseTimeMs(call.Param("start"));
  if (!start.ok()) return InvalidParameter("start", start.status());
  absl::StatusOr<int64_t> end = ParseTimeMs(call.Param("end"));
  if (!end.ok()) return InvalidParameter("end", end.status());
  if (*end < *start) return InvalidParameter("end", "end timestamp must not be before start time");
  absl::StatusOr<int64_t> step_ns = ParseDurationNs(call.Param("step"));
  if (!step_ns.ok()) return InvalidParameter("step", step_ns.status());
  if (*step_ns <= 0) {
    return InvalidParameter(
        "step", "zero or negative query resolution step widths are not accepted. Try a positive integer");
  }
  __int128 range_ns = (static_cast<__int128>(*end) - *start) * kNsPerMs;
  if (range_ns / *step_ns > kMaxPoints) {
    return absl::InvalidArgumentError(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
        "(?step=XX)");
  }
  params.start_ms = *start;
  params.end_ms = *end;
  params.step_ms = std::max<int64_t>(1, *step_ns / kNsPerMs);
  RETURN_IF_ERROR(ReadLimits(call, &params));
  MatrixAnswer answer(call.out, limit);
  params.sink = &answer;
  ASSIGN_OR_RETURN(promql::Result result, Run(call, params));
  return FinishMatrix(call, params, std::move(result), &answer);
}

}  // namespace narthex::api
