#include "api/encode.h"

#include <cmath>
#include <cstdint>
#include <string>

#include "api/point_text.h"
#include "base/byte_scan.h"
#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

// Whether a character has to be escaped because of HTML; it may say so of others, too.
bool HasSpecial(std::string_view text) {
  return AnyByte(text, [](Bytes16 c) { return (c == '<') | (c == '>') | (c == '&') | (c == 0xe2); });
}

}  // namespace

void WriteText(std::string_view text, JsonWriter* json) {
  if (!HasSpecial(text)) {
    json->String(text);
    return;
  }
  JsonWriter plain;
  plain.String(text);
  std::string quoted = plain.Take();
  std::string out;
  for (size_t i = 0; i < quoted.size(); ++i) {
    char c = quoted[i];
    if (c == '<') {
      out += "\\u003c";
    } else if (c == '>') {
      out += "\\u003e";
    } else if (c == '&') {
      out += "\\u0026";
    } else if (quoted.compare(i, 3, "\xe2\x80\xa8") == 0 || quoted.compare(i, 3, "\xe2\x80\xa9") == 0) {
      out += quoted[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out.push_back(c);
    }
  }
  json->Raw(out);
}

void WriteTimestamp(int64_t ms, JsonWriter* json) {
  char buffer[PointText::kMostBytes];
  json->Raw(std::string_view(buffer, static_cast<size_t>(PointText().PutTimestamp(ms, buffer) - buffer)));
}

void WriteValue(double value, JsonWriter* json) {
  double magnitude = std::fabs(value);
  bool exponent = std::isfinite(value) && magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21);
  if (!exponent) {
    json->SampleValue(value);
    return;
  }
  json->String(FormatFloat(value, 'e', -1));
}

void WriteLabels(const Labels& labels, JsonWriter* json) {
  json->BeginObject();
  for (LabelView label : labels) json->Key(label.name).String(label.value);
  json->EndObject();
}

void WriteHistogram(const FloatHistogram& histogram, JsonWriter* json) {
  json->BeginObject();
  json->Key("count");
  WriteValue(histogram.count, json);
  json->Key("sum");
  WriteValue(histogram.sum, json);
  bool any = false;
  for (const HistogramBucket& bucket : histogram.AllBuckets()) {
    if (bucket.count == 0) continue;
    if (!any) json->Key("buckets").BeginArray();
    any = true;
    // 0: (lower, upper], 1: [lower, upper), 2: (lower, upper), 3: [lower, upper].
    int boundaries = bucket.lower_inclusive   ? (bucket.upper_inclusive ? 3 : 1)
                     : bucket.upper_inclusive ? 0
                                              : 2;
    json->BeginArray().Int(boundaries);
    WriteValue(bucket.lower, json);
    WriteValue(bucket.upper, json);
    WriteValue(bucket.count, json);
    json->EndArray();
  }
  if (any) json->EndArray();
  json->EndObject();
}

void WritePoint(const FloatPoint& point, JsonWriter* json) {
  char buffer[PointText::kMostBytes];
  json->Raw(std::string_view(buffer, static_cast<size_t>(PointText().Put(point, buffer) - buffer)));
}

void WritePoint(const HistogramPoint& point, JsonWriter* json) {
  json->BeginArray();
  WriteTimestamp(point.t, json);
  WriteHistogram(*point.h, json);
  json->EndArray();
}

void WriteTime(int64_t ms, JsonWriter* json) {
  json->String(ms == 0 ? std::string("0001-01-01T00:00:00Z") : FormatRfc3339(ms));
}

void WriteQueryStats(int64_t start_ms, int64_t step_ms, const promql::QueryStats& stats, JsonWriter* json) {
  const auto seconds = [](int64_t ns) { return static_cast<double>(ns) / 1e9; };
  const int64_t eval_ns = stats.prepare_ns + stats.eval_ns + stats.sort_ns;
  json->BeginObject();
  json->Key("timings").BeginObject();
  json->Key("evalTotalTime").Number(seconds(eval_ns));
  json->Key("resultSortTime").Number(seconds(stats.sort_ns));
  json->Key("queryPreparationTime").Number(seconds(stats.prepare_ns));
  json->Key("innerEvalTime").Number(seconds(stats.eval_ns));
  json->Key("execQueueTime").Number(seconds(stats.queue_ns));
  json->Key("execTotalTime").Number(seconds(stats.queue_ns + eval_ns));
  json->EndObject();
  json->Key("samples").BeginObject();
  if (!stats.samples_per_step.empty()) {
    json->Key("totalQueryableSamplesPerStep").BeginArray();
    for (size_t i = 0; i < stats.samples_per_step.size(); ++i) {
      json->BeginArray();
      WriteTimestamp(start_ms + static_cast<int64_t>(i) * step_ms, json);
      json->Int(stats.samples_per_step[i]);
      json->EndArray();
    }
    json->EndArray();
  }
  json->Key("totalQueryableSamples").Int(stats.samples);
  json->Key("peakSamples").Int(stats.peak_samples);
  json->EndObject().EndObject();
}

}  // namespace narthex::api
