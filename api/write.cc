// /api/v1/write, and the neighbours that are not there: /api/v1/read and /api/v1/otlp/v1/metrics.
#include "api/call.h"
#include "api/respond.h"
#include "remote/remote.h"

namespace narthex::api {

absl::Status RemoteWrite(Call& call) {
  if (!call.options.enable_remote_write) {
    SendPlainError(404, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver",
                   call.out);
    return absl::OkStatus();
  }
  const HttpRequest& request = call.request;
  remote::WriteOutcome outcome =
      remote::HandleWrite(request.body, request.Header("content-type"), request.Header("content-encoding"),
                          call.options.db, call.options.metrics);
  if (outcome.http_status / 100 == 2) {
    call.out->Send(outcome.http_status, "", "");
  } else {
    SendPlainError(outcome.http_status, outcome.error, call.out);
  }
  return absl::OkStatus();
}

absl::Status RemoteRead(Call& call) {
  SendPlainError(404, "remote read is not supported", call.out);
  return absl::OkStatus();
}

absl::Status OtlpWrite(Call& call) {
  SendPlainError(404, "the OTLP write receiver is not supported", call.out);
  return absl::OkStatus();
}

}  // namespace narthex::api
