// The two JSON envelopes of the API, and plain answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/http_server.h"
#include "base/json_writer.h"

namespace narthex::api {

inline constexpr std::string_view kTruncatedWarning = "results truncated due to limit";
inline constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

// {"status":"success","data":...,"warnings":[...],"infos":[...]}. Small answers go out in one piece, large
// ones chunk by chunk as they are encoded, so that a big result is never held as text. Lives on one thread.
class SuccessBody {
 public:
  static constexpr size_t kDrainBytes = 64 << 10;
  // The first piece goes out once `first_bytes` are there: until then an error can still be answered instead.
  explicit SuccessBody(HttpResponseWriter* out, size_t first_bytes = kDrainBytes);
  JsonWriter* json() { return &json_; }  // writes the value of "data"
  // Sends what is buffered once it is large. Call it between elements; not OK when the client is gone.
  absl::Status Drain();
  // Ends the answer. Only call it once, after "data" is complete.
  absl::Status Finish(const std::vector<std::string>& warnings = {},
                      const std::vector<std::string>& infos = {});

 private:
  HttpResponseWriter* const out_;
  size_t drain_at_;
  JsonWriter json_;
  bool started_ = false;
};

// Prometheus's error JSON. Codes are error types: kInvalidArgument bad_data, kDeadlineExceeded timeout,
// kCancelled canceled, kInternal internal, kNotFound not_found, kUnavailable unavailable, kUnimplemented
// not_acceptable, all others execution.
void SendError(const absl::Status& error, HttpResponseWriter* out);
int HttpStatusOf(const absl::Status& error);

// As Go's http.Error: plain text and a newline.
void SendPlainError(int status, std::string_view message, HttpResponseWriter* out);
// 204 without a body: success of an endpoint that has nothing to say.
void SendNoContent(HttpResponseWriter* out);
// {"status":"success","data":[...]} of strings; more than `limit` (0 = none) are cut with the warning.
absl::Status SendStrings(std::vector<std::string> values, size_t limit, HttpResponseWriter* out);

}  // namespace narthex::api
