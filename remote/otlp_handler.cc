// The OTLP receiver: bytes to messages.
#include <google/protobuf/arena.h>
#include <google/protobuf/util/json_util.h>
#include <zlib.h>

#include "absl/strings/escaping.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "otlp.pb.h"
#include "remote/otlp_convert.h"
#include "remote/remote.h"
#include "remote/series_writer.h"

namespace narthex::remote {
namespace {

constexpr size_t kMaxDecodedBytes = 32 << 20;

WriteOutcome Failed(int status, std::string error) {
  WriteOutcome out;
  out.http_status = status;
  out.error = std::move(error);
  return out;
}

absl::StatusOr<std::string> Gunzip(std::string_view body) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return absl::InternalError("gzip: cannot begin");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  std::string out;
  char buffer[16384];
  int status = Z_OK;
  while (status == Z_OK && out.size() <= kMaxDecodedBytes) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - stream.avail_out);
  }
  inflateEnd(&stream);
  if (out.size() > kMaxDecodedBytes) return absl::InvalidArgumentError("gzip: request is too large");
  if (status != Z_STREAM_END) return absl::InvalidArgumentError("gzip: invalid header or data");
  return out;
}

// OTLP's JSON has identifiers as hex, where JSON of protobuf has base64: what was read as base64 is turned
// back into the text and that into bytes.
void FixIdentifiers(google::protobuf::RepeatedPtrField<otlp::Exemplar>* exemplars) {
  for (otlp::Exemplar& exemplar : *exemplars) {
    exemplar.set_trace_id(absl::HexStringToBytes(absl::Base64Escape(exemplar.trace_id())));
    exemplar.set_span_id(absl::HexStringToBytes(absl::Base64Escape(exemplar.span_id())));
  }
}

void FixIdentifiers(otlp::Metric* metric) {
  if (metric->has_gauge()) {
    for (auto& point : *metric->mutable_gauge()->mutable_data_points())
      FixIdentifiers(point.mutable_exemplars());
  } else if (metric->has_sum()) {
    for (auto& point : *metric->mutable_sum()->mutable_data_points())
      FixIdentifiers(point.mutable_exemplars());
  } else if (metric->has_histogram()) {
    for (auto& point : *metric->mutable_histogram()->mutable_data_points())
      FixIdentifiers(point.mutable_exemplars());
  } else if (metric->has_exponential_histogram()) {
    for (auto& point : *metric->mutable_exponential_histogram()->mutable_data_points()) {
      FixIdentifiers(point.mutable_exemplars());
    }
  }
}

absl::Status ParseJson(const std::string& text, otlp::ExportMetricsServiceRequest* request) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  auto parsed = google::protobuf::util::JsonStringToMessage(text, request, options);
  if (!parsed.ok()) return absl::InvalidArgumentError(StrCat("cannot parse JSON: ", parsed.ToString()));
  for (auto& resource : *request->mutable_resource_metrics()) {
    for (auto& scope : *resource.mutable_scope_metrics()) {
      for (auto& metric : *scope.mutable_metrics()) FixIdentifiers(&metric);
    }
  }
  return absl::OkStatus();
}

}  // namespace

WriteOutcome HandleOtlp(const ReceiverOptions& options, const OtlpConfig& config, std::string_view body,
                        std::string_view content_type, std::string_view content_encoding) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  if (type != "application/x-protobuf" && type != "application/json") {
    return Failed(400, StrCat("unsupported content type: ", content_type,
                              ", supported: [application/json, application/x-protobuf]"));
  }
  std::string decoded;
  if (content_encoding == "gzip") {
    absl::StatusOr<std::string> plain = Gunzip(body);
    if (!plain.ok()) return Failed(400, std::string(plain.status().message()));
    decoded = *std::move(plain);
  } else if (content_encoding.empty()) {
    decoded = std::string(body);
  } else {
    return Failed(400, StrCat("unsupported compression: ", content_encoding,
                              ". Only \"gzip\" or no compression supported"));
  }
  google::protobuf::Arena arena;
  auto* request = google::protobuf::Arena::CreateMessage<otlp::ExportMetricsServiceRequest>(&arena);
  if (type == "application/json") {
    if (absl::Status parsed = ParseJson(decoded, request); !parsed.ok())
      return Failed(400, std::string(parsed.message()));
  } else if (!request->ParseFromString(decoded)) {
    return Failed(400, "proto: cannot parse the export request");
  }
  WriteOutcome outcome;
  outcome.http_status = 200;
  SeriesWriter writer(options, &outcome);
  writer.Finish(OtlpConverter(config, options.start_timestamps, &writer).Convert(*request));
  return outcome;
}

}  // namespace narthex::remote
