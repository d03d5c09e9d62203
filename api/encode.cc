#include "api/encode.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::api {

void WriteText(std::string_view text, JsonWriter* json) {
  if (text.find_first_of("<>&\xe2") == text.npos) {
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

namespace {

constexpr auto kTwoDigits = [] {
  std::array<char, 200> out{};
  for (size_t i = 0; i < 100; ++i) {
    out[2 * i] = static_cast<char>('0' + i / 10);
    out[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return out;
}();

char* PutTwo(uint32_t n, char* out) {
  std::memcpy(out, &kTwoDigits[2 * n], 2);
  return out + 2;
}

// Short numbers are most of what there is to write.
char* PutInteger(uint64_t n, char* out) {
  if (n >= 10'000'000'000) return std::to_chars(out, out + 20, n).ptr;
  char digits[10];
  char* at = digits + sizeof digits;
  uint64_t rest = n;
  for (; rest >= 100; rest /= 100) PutTwo(static_cast<uint32_t>(rest % 100), at -= 2);
  if (rest >= 10)
    PutTwo(static_cast<uint32_t>(rest), at -= 2);
  else
    *--at = static_cast<char>('0' + rest);
  const size_t size = static_cast<size_t>(digits + sizeof digits - at);
  std::memcpy(out, at, size);
  return out + size;
}

// Writes a timestamp to at least 24 bytes; returns their end.
char* PutTimestamp(int64_t ms, char* out) {
  uint64_t magnitude = ms < 0 ? uint64_t{0} - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  if (ms < 0) *out++ = '-';
  out = PutInteger(magnitude / 1000, out);
  if (unsigned fraction = static_cast<unsigned>(magnitude % 1000); fraction != 0) {
    *out++ = '.';
    *out++ = static_cast<char>('0' + fraction / 100);
    *out++ = static_cast<char>('0' + fraction / 10 % 10);
    *out++ = static_cast<char>('0' + fraction % 10);
  }
  return out;
}

constexpr size_t kMaxValueText = 32;

// Writes a positive value with a few digits behind the point, as most gauges have; nullptr if it is none. A
// decimal of at most 15 digits that is the value is its shortest text.
char* PutDecimal(double magnitude, char* out) {
  static constexpr double kPower[] = {1, 1e1, 1e2, 1e3, 1e4};
  static constexpr uint64_t kInteger[] = {1, 10, 100, 1000, 10000};
  const double all = magnitude * kPower[4];
  if (magnitude >= 1e10 || std::fabs(all - std::floor(all + 0.5)) > all * 0x1p-51) return nullptr;
  for (int digits = 1; digits <= 4; ++digits) {
    const double scaled = magnitude * kPower[digits];
    const uint64_t k = static_cast<uint64_t>(scaled + 0.5);
    if (static_cast<double>(k) / kPower[digits] != magnitude) continue;
    out = PutInteger(k / kInteger[digits], out);
    *out = '.';
    uint64_t rest = k % kInteger[digits];
    for (int i = digits; i > 0; --i, rest /= 10) out[i] = static_cast<char>('0' + rest % 10);
    return out + digits + 1;
  }
  return nullptr;
}

// Writes a value without quotes to at least kMaxValueText bytes; nullptr if it is none of those that are
// written without an exponent.
char* PutValue(double value, char* out) {
  const double magnitude = std::fabs(value);
  // Whole numbers, mostly counters: cheaper as integers.
  if (magnitude < 1e15 && value == std::floor(value) && (value != 0 || !std::signbit(value))) {
    if (value < 0) *out++ = '-';
    return PutInteger(static_cast<uint64_t>(magnitude), out);
  }
  if (!(magnitude >= 1e-6 && magnitude < 1e15)) return nullptr;
  if (value < 0) *out++ = '-';
  if (char* end = PutDecimal(magnitude, out); end != nullptr) return end;
  const std::to_chars_result result =
      std::to_chars(out, out + kMaxValueText - 1, magnitude, std::chars_format::fixed);
  return result.ec == std::errc() ? result.ptr : nullptr;
}

}  // namespace

void WriteTimestamp(int64_t ms, JsonWriter* json) {
  char buffer[24];
  json->Raw(std::string_view(buffer, static_cast<size_t>(PutTimestamp(ms, buffer) - buffer)));
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

void AppendPoint(const FloatPoint& point, std::string* out) {
  char buffer[80];
  char* end = buffer;
  *end++ = '[';
  end = PutTimestamp(point.t, end);
  *end++ = ',';
  *end++ = '"';
  if (char* after = PutValue(point.v, end); after != nullptr) {
    *after++ = '"';
    *after++ = ']';
    out->append(buffer, static_cast<size_t>(after - buffer));
    return;
  }
  out->append(buffer, static_cast<size_t>(end - 1 - buffer));
  JsonWriter value;
  WriteValue(point.v, &value);
  out->append(*value.buffer());
  out->push_back(']');
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
  std::string text;
  AppendPoint(point, &text);
  json->Raw(text);
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
