#include "api/federate_format.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

bool IsLetter(char c, bool colon) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
}

// The next character of a UTF-8 text; takes it off. -1 for a byte that is none.
int32_t NextRune(std::string_view* text) {
  auto byte = [&](size_t i) { return i < text->size() ? static_cast<unsigned char>((*text)[i]) : 0u; };
  unsigned first = byte(0);
  size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
  int32_t rune = length == 1 ? static_cast<int32_t>(first) : static_cast<int32_t>(first & (0x7fu >> length));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) length = 0;
    rune = rune << 6 | static_cast<int32_t>(byte(i) & 0x3f);
  }
  text->remove_prefix(std::max<size_t>(length, 1));
  return length == 0 ? -1 : rune;
}

struct Accepted {
  std::string type;  // in lower case
  std::map<std::string, std::string> parameters;
  double q = 1;
};

std::string Trimmed(absl::string_view text) { return std::string(absl::StripAsciiWhitespace(text)); }

// The most wanted first.
std::vector<Accepted> ParseAccept(std::string_view header) {
  std::vector<Accepted> all;
  for (absl::string_view clause : absl::StrSplit(ToAbsl(header), ',')) {
    std::vector<absl::string_view> parts = absl::StrSplit(clause, ';');
    Accepted one;
    one.type = absl::AsciiStrToLower(Trimmed(parts[0]));
    for (size_t i = 1; i < parts.size(); ++i) {
      std::pair<absl::string_view, absl::string_view> pair =
          absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
      std::string name = Trimmed(pair.first), value = Trimmed(pair.second);
      if (name == "q") {
        one.q = std::strtod(value.c_str(), nullptr);
      } else {
        one.parameters[name] = value;
      }
    }
    all.push_back(std::move(one));
  }
  std::stable_sort(all.begin(), all.end(), [](const Accepted& a, const Accepted& b) { return a.q > b.q; });
  return all;
}

// Writes protobuf fields.
class Message {
 public:
  void Varint(uint32_t field, uint64_t value) {
    Raw(field << 3);
    Raw(value);
  }
  void Signed(uint32_t field, int64_t value) {
    Varint(field, static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }
  void Double(uint32_t field, double value) {
    Raw(field << 3 | 1);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    bytes_.append(bytes, sizeof value);
  }
  void Bytes(uint32_t field, std::string_view bytes) {
    Raw(field << 3 | 2);
    Raw(bytes.size());
    bytes_ += bytes;
  }
  void Raw(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

void AddLabel(std::string_view name, std::string_view value, Message* metric) {
  Message pair;
  pair.Bytes(1, name);
  pair.Bytes(2, value);
  metric->Bytes(1, pair.bytes());
}

void AddSpans(const std::vector<HistogramSpan>& spans, uint32_t field, Message* out) {
  for (const HistogramSpan& span : spans) {
    Message one;
    one.Signed(1, span.offset);
    one.Varint(2, span.length);
    out->Bytes(field, one.bytes());
  }
}

std::string HistogramBytes(const FloatHistogram& h) {
  Message out;
  out.Double(2, h.sum);
  out.Double(4, h.count);
  out.Signed(5, h.schema);
  out.Double(6, h.zero_threshold);
  out.Double(8, h.zero_count);
  AddSpans(h.negative_spans, 9, &out);
  for (double count : h.negative_buckets) out.Double(11, count);
  AddSpans(h.positive_spans, 12, &out);
  for (double count : h.positive_buckets) out.Double(14, count);
  return out.bytes();
}

std::string MetricBytes(const FederateFormat& format, const FederatedSample& sample,
                        const std::map<std::string, std::string>& external) {
  Message out;
  auto name_of = [&](std::string_view name) {
    return format.utf8() ? std::string(name) : format.EscapeName(name, /*colon=*/false);
  };
  for (LabelView label : sample.labels) {
    if (label.name != kMetricName) AddLabel(name_of(label.name), label.value, &out);
  }
  for (const auto& [name, value] : external) {
    if (!sample.labels.Has(name)) AddLabel(name_of(name), value, &out);
  }
  if (sample.h == nullptr) {
    Message value;
    value.Double(1, sample.v);
    out.Bytes(5, value.bytes());
  }
  out.Varint(6, static_cast<uint64_t>(sample.t));
  if (sample.h != nullptr) out.Bytes(7, HistogramBytes(*sample.h));
  return out.bytes();
}

// As the parameter `encoding` names them.
constexpr std::string_view kEncodings[] = {"", "delimited", "text", "compact-text"};

}  // namespace

int FederatedTypeOf(const FederatedSample& sample) {
  constexpr int kUntyped = 3, kHistogram = 4, kGaugeHistogram = 5;
  if (sample.h == nullptr) return kUntyped;
  return sample.h->hint == CounterResetHint::kGauge ? kGaugeHistogram : kHistogram;
}

std::string FederateFormat::EscapeName(std::string_view name, bool colon) const {
  bool dots = escaping == "dots", values = escaping == "values";
  bool legacy = colon ? IsLegacyMetricName(name) : IsLegacyLabelName(name);
  if (legacy && !dots) return std::string(name);
  std::string out = values ? "U__" : "";
  for (std::string_view rest = name; !rest.empty();) {
    bool first = rest.size() == name.size();
    char c = rest.front();
    int32_t rune = NextRune(&rest);
    bool kept = IsLetter(c, colon) || (c >= '0' && c <= '9' && !first);
    if (c == '_' && (dots || values)) {
      out += "__";
    } else if (kept) {
      out.push_back(c);
    } else if (values) {
      StrAppend(&out, "_", rune < 0 ? std::string("FFFD") : StrCat(absl::Hex(rune)), "_");
    } else {
      out += !dots ? "_" : c == '.' ? "_dot_" : "__";
    }
  }
  return out;
}

std::string FederateFormat::ContentType() const {
  if (!protobuf()) return StrCat("text/plain; version=0.0.4; charset=utf-8; escaping=", escaping);
  return StrCat("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=",
                kEncodings[static_cast<size_t>(encoding)], "; escaping=", escaping);
}

FederateFormat NegotiateFederation(std::string_view accept) {
  FederateFormat format;
  for (Accepted& one : ParseAccept(accept)) {
    const std::string& escaping = one.parameters["escaping"];
    for (std::string_view known : {"allow-utf-8", "underscores", "dots", "values"}) {
      if (escaping == known) format.escaping = known;
    }
    const bool protobuf = one.type == "application/vnd.google.protobuf" &&
                          one.parameters["proto"] == "io.prometheus.client.MetricFamily";
    for (FederateEncoding known :
         {FederateEncoding::kDelimited, FederateEncoding::kProtoText, FederateEncoding::kCompactText}) {
      if (protobuf && one.parameters["encoding"] == kEncodings[static_cast<size_t>(known)])
        format.encoding = known;
    }
    const std::string& version = one.parameters["version"];
    if (format.protobuf() || (one.type == "text/plain" && (version.empty() || version == "0.0.4"))) break;
  }
  return format;
}

absl::Status SendFederatedProtobuf(const FederateFormat& format, const std::vector<FederatedSample>& samples,
                                   const std::map<std::string, std::string>& external,
                                   HttpResponseWriter* out) {
  RETURN_IF_ERROR(out->Start(200, format.ContentType()));
  Message stream;
  for (size_t i = 0; i < samples.size();) {
    std::string_view name = samples[i].labels.MetricName();
    const int type = FederatedTypeOf(samples[i]);
    Message family;
    family.Bytes(1, format.utf8() ? std::string(name) : format.EscapeName(name, /*colon=*/true));
    family.Varint(3, static_cast<uint64_t>(type));
    for (;
         i < samples.size() && samples[i].labels.MetricName() == name && FederatedTypeOf(samples[i]) == type;
         ++i) {
      family.Bytes(4, MetricBytes(format, samples[i], external));
    }
    stream.Raw(family.bytes().size());
    RETURN_IF_ERROR(out->Write(stream.bytes() + family.bytes()));
    stream = Message();
  }
  return absl::OkStatus();
}

}  // namespace narthex::api
