// /api/v1/admin/tsdb/...: behind --web.enable-admin-api.
#include <string>
#include <vector>

#include "api/call.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "promql/syntax/parser.h"

namespace narthex::api {
namespace {

absl::Status CheckEnabled(const Call& call) {
  if (call.options.enable_admin_api) return absl::OkStatus();
  return absl::UnavailableError("admin APIs disabled");
}

absl::Status AsInternal(std::string_view prefix, const absl::Status& status) {
  return absl::InternalError(StrCat(prefix, MessageOf(status)));
}

}  // namespace

absl::Status DeleteSeries(Call& call) {
  RETURN_IF_ERROR(CheckEnabled(call));
  std::vector<std::string> match = call.ParamAll("match[]");
  if (match.empty()) return absl::InvalidArgumentError("no match[] parameter provided");
  ASSIGN_OR_RETURN(int64_t start, TimeParam(call, "start", kMinTimeMs));
  ASSIGN_OR_RETURN(int64_t end, TimeParam(call, "end", kMaxTimeMs));
  for (const std::string& text : match) {
    absl::StatusOr<Matchers> matchers = promql::ParseMetricSelector(text);
    if (!matchers.ok()) return InvalidParameter("match[]", matchers.status());
    absl::Status deleted = call.options.db->DeleteSeries(*matchers, start, end);
    if (!deleted.ok()) return AsInternal("", deleted);
  }
  SendNoContent(call.out);
  return absl::OkStatus();
}

absl::Status CleanTombstones(Call& call) {
  RETURN_IF_ERROR(CheckEnabled(call));
  absl::Status cleaned = call.options.db->CleanTombstones();
  if (!cleaned.ok()) return AsInternal("", cleaned);
  SendNoContent(call.out);
  return absl::OkStatus();
}

absl::Status Snapshot(Call& call) {
  RETURN_IF_ERROR(CheckEnabled(call));
  bool skip_head = false;
  if (std::string text = call.Param("skip_head"); !text.empty()) {
    absl::StatusOr<bool> parsed = ParseGoBool(text);
    if (!parsed.ok()) {
      return InvalidParameter("skip_head", StrCat("unable to parse boolean: ", MessageOf(parsed.status())));
    }
    skip_head = *parsed;
  }
  absl::StatusOr<std::string> name =
      call.options.db->Snapshot(StrCat(call.options.data_path, "/snapshots"), skip_head);
  if (!name.ok()) return AsInternal("create snapshot: ", name.status());
  SuccessBody body(call.out);
  body.json()->BeginObject().Key("name").String(*name).EndObject();
  return body.Finish();
}

}  // namespace narthex::api
