// /api/v1/notifications and /api/v1/notifications/live: what the server wants to tell its users.
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/respond.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

// How long the stream waits before it looks whether its client is still there.
constexpr int64_t kWaitMs = 500;

void WriteNotification(const Notification& notification, JsonWriter* json) {
  json->BeginObject().Key("text");
  WriteText(notification.text, json);
  json->Key("date");
  WriteTime(notification.date_ms, json);
  json->Key("active").Bool(notification.active).EndObject();
}

absl::Status Stream(Call& call, int id) {
  call.out->SetHeader("Cache-Control", "no-cache");
  call.out->SetHeader("Connection", "keep-alive");
  RETURN_IF_ERROR(call.out->Start(200, "text/event-stream"));
  std::vector<Notification> news;
  while (call.options.notifications->Next(id, kWaitMs, &news)) {
    for (const Notification& notification : news) {
      JsonWriter json;
      WriteNotification(notification, &json);
      RETURN_IF_ERROR(call.out->Write(StrCat("data: ", json.Take(), "\n\n")));
    }
    if (call.request.cancelled && *call.request.cancelled) break;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Notifications(Call& call) {
  SuccessBody body(call.out);
  body.json()->BeginArray();
  if (call.options.notifications != nullptr) {
    for (const Notification& notification : call.options.notifications->Active()) {
      WriteNotification(notification, body.json());
    }
  }
  body.json()->EndArray();
  return body.Finish();
}

absl::Status NotificationsLive(Call& call) {
  int id = call.options.notifications == nullptr ? 0 : call.options.notifications->Subscribe();
  if (id == 0) {  // too many listen already
    SendNoContent(call.out);
    return absl::OkStatus();
  }
  absl::Status status = Stream(call, id);
  call.options.notifications->Unsubscribe(id);
  return status;
}

}  // namespace narthex::api
