#include "api/respond.h"

#include <utility>

#include "api/encode.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr size_t kMaxAnnotations = 10;

struct ErrorKind {
  std::string_view name;
  int http_status;
};

ErrorKind KindOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return {"bad_data", 400};
    case absl::StatusCode::kDeadlineExceeded:
      return {"timeout", 503};
    case absl::StatusCode::kCancelled:
      return {"canceled", 499};
    case absl::StatusCode::kInternal:
      return {"internal", 500};
    case absl::StatusCode::kNotFound:
      return {"not_found", 404};
    case absl::StatusCode::kUnavailable:
      return {"unavailable", 500};
    case absl::StatusCode::kUnimplemented:
      return {"not_acceptable", 406};
    default:
      return {"execution", 422};
  }
}

// At most ten of a kind; what says that some were left out comes on top.
void WriteAnnotations(std::string_view key, std::string_view kind, const std::vector<std::string>& texts,
                      JsonWriter* json) {
  if (texts.empty()) return;
  bool cut_already = texts.back().ends_with(" annotations omitted");
  size_t shown = cut_already || texts.size() <= kMaxAnnotations ? texts.size() : kMaxAnnotations;
  json->Key(key).BeginArray();
  for (size_t i = 0; i < shown; ++i) WriteText(texts[i], json);
  if (shown < texts.size()) {
    WriteText(StrCat(texts.size() - shown, " more ", kind, " annotations omitted"), json);
  }
  json->EndArray();
}

}  // namespace

SuccessBody::SuccessBody(HttpResponseWriter* out, size_t first_bytes) : out_(out), drain_at_(first_bytes) {
  json_.BeginObject().Key("status").String("success").Key("data");
}

absl::Status SuccessBody::Drain() {
  if (json_.buffer()->size() < drain_at_) return absl::OkStatus();
  if (!started_) {
    started_ = true;
    drain_at_ = kDrainBytes;
    RETURN_IF_ERROR(out_->Start(200, kJson));
  }
  RETURN_IF_ERROR(out_->Write(*json_.buffer()));
  json_.buffer()->clear();
  return absl::OkStatus();
}

absl::Status SuccessBody::Finish(const std::vector<std::string>& warnings,
                                 const std::vector<std::string>& infos) {
  WriteAnnotations("warnings", "warning", warnings, &json_);
  WriteAnnotations("infos", "info", infos, &json_);
  json_.EndObject();
  if (started_) return out_->Write(*json_.buffer());
  out_->Send(200, kJson, json_.Take());
  return absl::OkStatus();
}

int HttpStatusOf(const absl::Status& error) { return KindOf(error.code()).http_status; }

void SendError(const absl::Status& error, HttpResponseWriter* out) {
  ErrorKind kind = KindOf(error.code());
  JsonWriter json;
  json.BeginObject().Key("status").String("error").Key("errorType").String(kind.name).Key("error");
  WriteText(std::string_view(error.message().data(), error.message().size()), &json);
  json.EndObject();
  out->Send(kind.http_status, kJson, json.Take());
}

void SendPlainError(int status, std::string_view message, HttpResponseWriter* out) {
  out->SetHeader("X-Content-Type-Options", "nosniff");
  out->Send(status, kPlainText, StrCat(message, "\n"));
}

void SendNoContent(HttpResponseWriter* out) { out->Send(204, "", ""); }

absl::Status SendStrings(std::vector<std::string> values, size_t limit, HttpResponseWriter* out) {
  std::vector<std::string> warnings;
  if (limit > 0 && values.size() > limit) {
    values.resize(limit);
    warnings.emplace_back(kTruncatedWarning);
  }
  SuccessBody body(out);
  body.json()->BeginArray();
  for (const std::string& value : values) {
    WriteText(value, body.json());
    RETURN_IF_ERROR(body.Drain());
  }
  body.json()->EndArray();
  return body.Finish(warnings);
}

}  // namespace narthex::api
