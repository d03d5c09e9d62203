// /-/healthy, /-/ready, /-/reload, /-/quit.
#include "api/call.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

// False when the answer has been given already: the lifecycle API is off.
bool CheckEnabled(const Call& call) {
  if (call.options.enable_lifecycle) return true;
  call.out->Send(403, kPlainText, "Lifecycle API is not enabled.");
  return false;
}

}  // namespace

absl::Status Healthy(Call& call) {
  bool head = call.request.method == "HEAD";
  call.out->Send(200, head ? "" : kPlainText, head ? "" : "Prometheus Server is Healthy.\n");
  return absl::OkStatus();
}

absl::Status Ready(Call& call) {
  bool head = call.request.method == "HEAD";
  call.out->Send(200, head ? "" : kPlainText, head ? "" : "Prometheus Server is Ready.\n");
  return absl::OkStatus();
}

absl::Status Reload(Call& call) {
  if (!CheckEnabled(call)) return absl::OkStatus();
  absl::Status reloaded = call.options.reload ? call.options.reload() : absl::OkStatus();
  if (reloaded.ok()) {
    call.out->Send(200, kPlainText, "");
  } else {
    SendPlainError(500, StrCat("failed to reload config: ", MessageOf(reloaded)), call.out);
  }
  return absl::OkStatus();
}

absl::Status Quit(Call& call) {
  if (!CheckEnabled(call)) return absl::OkStatus();
  call.out->Send(200, kPlainText, "Requesting termination... Goodbye!");
  if (call.options.quit) call.options.quit();
  return absl::OkStatus();
}

absl::Status LifecycleGet(Call& call) {
  call.out->Send(405, kPlainText, "Only POST or PUT requests allowed");
  return absl::OkStatus();
}

}  // namespace narthex::api
