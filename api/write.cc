// What other servers send and ask: /api/v1/write, /api/v1/read, /api/v1/otlp/v1/metrics.
#include "api/call.h"
#include "api/respond.h"
#include "base/strings.h"
#include "remote/remote.h"

namespace narthex::api {
namespace {

void SendOutcome(const remote::WriteOutcome& outcome, HttpResponseWriter* out) {
  for (const auto& [name, value] : outcome.headers) out->SetHeader(name, value);
  if (outcome.http_status / 100 == 2) {
    out->Send(outcome.http_status, "", "");
  } else {
    SendPlainError(outcome.http_status, outcome.error, out);
  }
}

}  // namespace

absl::Status RemoteWrite(Call& call) {
  if (!call.options.enable_remote_write) {
    SendPlainError(404, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver",
                   call.out);
    return absl::OkStatus();
  }
  const HttpRequest& request = call.request;
  SendOutcome(remote::HandleWrite(call.options.receiver, request.body, request.Header("content-type"),
                                  request.Header("content-encoding")),
              call.out);
  return absl::OkStatus();
}

absl::Status RemoteRead(Call& call) {
  const Options& options = call.options;
  remote::ReadOptions read;
  read.storage = options.db;
  read.sample_limit = options.read_sample_limit;
  read.max_bytes_in_frame = options.read_max_bytes_in_frame;
  if (options.external_labels) read.external_labels = options.external_labels();
  if (options.read_gate == nullptr) return remote::HandleRead(read, call.request.body, call.out);
  if (!options.read_gate->Enter(call.request.cancelled.get())) {
    SendPlainError(500, "context canceled", call.out);
    return absl::OkStatus();
  }
  absl::Status status = remote::HandleRead(read, call.request.body, call.out);
  options.read_gate->Leave();
  return status;
}

absl::Status OtlpWrite(Call& call) {
  if (!call.options.enable_otlp) {
    SendPlainError(404, "otlp write receiver needs to be enabled with --web.enable-otlp-receiver", call.out);
    return absl::OkStatus();
  }
  const HttpRequest& request = call.request;
  remote::OtlpConfig config = call.options.otlp ? call.options.otlp() : remote::OtlpConfig();
  SendOutcome(remote::HandleOtlp(call.options.receiver, config, request.body, request.Header("content-type"),
                                 request.Header("content-encoding")),
              call.out);
  return absl::OkStatus();
}

}  // namespace narthex::api
