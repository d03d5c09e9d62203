#include "api/matrix_answer.h"

#include "api/encode.h"
#include "base/status_macros.h"

namespace narthex::api {

MatrixAnswer::MatrixAnswer(HttpResponseWriter* out, size_t limit) : limit_(limit), body_(out, kHeldBytes) {
  json()->BeginObject().Key("resultType").String("matrix");
  json()->Key("result").BeginArray();
}

absl::Status MatrixAnswer::Take(const promql::ResultSeries& series) {
  if (++taken_ > limit_ && limit_ > 0) return absl::OkStatus();
  json()->BeginObject().Key("metric");
  WriteLabels(series.labels, json());
  RETURN_IF_ERROR(WriteFloats(series.floats));
  RETURN_IF_ERROR(WriteHistograms(series.histograms));
  json()->EndObject();
  return body_.Drain();
}

// Straight into the buffer: large answers are points and little else.
absl::Status MatrixAnswer::WriteFloats(const std::vector<FloatPoint>& points) {
  if (points.empty()) return absl::OkStatus();
  json()->Key("values").BeginArray();
  char text[4096];
  char* end = text;
  for (size_t i = 0; i < points.size(); ++i) {
    if (i > 0) *end++ = ',';
    end = point_text_.Put(points[i], end);
    const bool full = end + 1 + PointText::kMostBytes > text + sizeof text;
    if (!full && i + 1 < points.size()) continue;
    json()->buffer()->append(text, static_cast<size_t>(end - text));
    end = text;
    RETURN_IF_ERROR(body_.Drain());
  }
  json()->EndArray();
  return absl::OkStatus();
}

absl::Status MatrixAnswer::WriteHistograms(const std::vector<HistogramPoint>& points) {
  if (points.empty()) return absl::OkStatus();
  json()->Key("histograms").BeginArray();
  for (const HistogramPoint& point : points) {
    WritePoint(point, json());
    RETURN_IF_ERROR(body_.Drain());
  }
  json()->EndArray();
  return absl::OkStatus();
}

void MatrixAnswer::EndSeries() { json()->EndArray(); }

absl::Status MatrixAnswer::Finish(std::vector<std::string> warnings, const std::vector<std::string>& infos) {
  if (limit_ > 0 && taken_ > limit_) warnings.emplace_back(kTruncatedWarning);
  json()->EndObject();
  return body_.Finish(warnings, infos);
}

}  // namespace narthex::api
