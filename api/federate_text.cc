// Federation as protobuf in its text form: for people's eyes.
#include <cmath>
#include <cstdio>

#include "api/federate_format.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    const unsigned char u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : 't'};
    } else if (u < 0x20 || u == 0x7F) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", u);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string Number(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  return FormatFloat(v, 'g', -1);
}

// Fields of nested messages, a line each or all on one line.
class Writer {
 public:
  explicit Writer(bool compact) : compact_(compact) {}

  void Field(std::string_view name, std::string_view value) {
    Begin(name);
    StrAppend(&out_, compact_ ? "" : "  ", value, compact_ ? "" : "\n");
    first_ = false;
  }
  void Field(std::string_view name, double value) { Field(name, Number(value)); }
  void Open(std::string_view name) {
    Begin(name);
    out_ += compact_ ? "{" : "  {\n";
    ++depth_;
    first_ = true;
  }
  void Close() {
    --depth_;
    if (!compact_) out_.append(2 * depth_, ' ');
    out_ += compact_ ? "}" : "}\n";
    first_ = false;
  }
  std::string Take() { return std::move(out_); }

 private:
  void Begin(std::string_view name) {
    if (!compact_) out_.append(2 * depth_, ' ');
    StrAppend(&out_, compact_ && !first_ ? "  " : "", name, ":");
  }
  const bool compact_;
  size_t depth_ = 0;
  bool first_ = true;
  std::string out_;
};

void WriteLabel(std::string_view name, std::string_view value, Writer* out) {
  out->Open("label");
  out->Field("name", Quoted(name));
  out->Field("value", Quoted(value));
  out->Close();
}

void WriteBuckets(std::string_view sign, const std::vector<HistogramSpan>& spans,
                  const std::vector<double>& counts, Writer* out) {
  for (const HistogramSpan& span : spans) {
    out->Open(StrCat(sign, "_span"));
    out->Field("offset", StrCat(span.offset));
    out->Field("length", StrCat(span.length));
    out->Close();
  }
  for (double count : counts) out->Field(StrCat(sign, "_count"), count);
}

void WriteHistogram(const FloatHistogram& h, Writer* out) {
  out->Open("histogram");
  out->Field("sample_count_float", h.count);
  out->Field("sample_sum", h.sum);
  out->Field("schema", StrCat(h.schema));
  out->Field("zero_threshold", h.zero_threshold);
  out->Field("zero_count_float", h.zero_count);
  WriteBuckets("negative", h.negative_spans, h.negative_buckets, out);
  WriteBuckets("positive", h.positive_spans, h.positive_buckets, out);
  out->Close();
}

void WriteMetric(const FederateFormat& format, const FederatedSample& sample,
                 const std::map<std::string, std::string>& external, Writer* out) {
  auto name_of = [&](std::string_view name) {
    return format.utf8() ? std::string(name) : format.EscapeName(name, /*colon=*/false);
  };
  out->Open("metric");
  for (LabelView label : sample.labels) {
    if (label.name != kMetricName) WriteLabel(name_of(label.name), label.value, out);
  }
  for (const auto& [name, value] : external) {
    if (!sample.labels.Has(name)) WriteLabel(name_of(name), value, out);
  }
  if (sample.h != nullptr) {
    WriteHistogram(*sample.h, out);
  } else {
    out->Open("untyped");
    out->Field("value", sample.v);
    out->Close();
  }
  out->Field("timestamp_ms", StrCat(sample.t));
  out->Close();
}

}  // namespace

absl::Status SendFederatedProtoText(const FederateFormat& format, const std::vector<FederatedSample>& samples,
                                    const std::map<std::string, std::string>& external,
                                    HttpResponseWriter* out) {
  static constexpr const char* kTypes[] = {"", "", "", "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM"};
  RETURN_IF_ERROR(out->Start(200, format.ContentType()));
  for (size_t i = 0; i < samples.size();) {
    std::string_view name = samples[i].labels.MetricName();
    const int type = FederatedTypeOf(samples[i]);
    Writer family(format.encoding == FederateEncoding::kCompactText);
    family.Field("name", Quoted(format.utf8() ? std::string(name) : format.EscapeName(name, /*colon=*/true)));
    family.Field("type", kTypes[type]);
    for (;
         i < samples.size() && samples[i].labels.MetricName() == name && FederatedTypeOf(samples[i]) == type;
         ++i) {
      WriteMetric(format, samples[i], external, &family);
    }
    RETURN_IF_ERROR(out->Write(family.Take() + "\n"));
  }
  return absl::OkStatus();
}

}  // namespace narthex::api
