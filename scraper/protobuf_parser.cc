// The protobuf format: io.prometheus.client.MetricFamily messages, each after its length.
#include <cmath>
#include <optional>

#include "base/go_format.h"
#include "base/proto_wire.h"
#include "base/status_macros.h"
#include "model/sample.h"
#include "scraper/parser.h"
#include "scraper/proto_metric.h"
#include "scraper/text_util.h"

namespace narthex::scraper {
namespace {

constexpr char kSeparator = '\xff';  // in no valid UTF-8 text

class ProtobufParser : public ExpositionParser {
 public:
  ProtobufParser(std::string_view body, ParserOptions options) : options_(options), body_(body) {}

  absl::StatusOr<EntryKind> Next() override {
    switch (state_) {
      case State::kHelp:
        state_ = unit_.empty() ? State::kType : State::kUnit;
        text_ = unit_;
        return unit_.empty() ? EntryKind::kType : EntryKind::kUnit;
      case State::kUnit:
        state_ = State::kType;
        return EntryKind::kType;
      case State::kType:  // the family's first metric is decoded
        state_ = State::kSamples;
        return StartMetric();
      case State::kSamples:
        if (NextField()) return Entry();
        break;
      case State::kFamily:
        break;
    }
    if (state_ == State::kSamples) {
      ASSIGN_OR_RETURN(bool more, NextMetric());
      if (more) return StartMetric();
    }
    state_ = State::kFamily;
    return NextFamily();
  }

  int64_t StartTimestamp() override { return metric_value_.start_ms; }

  std::vector<ParsedExemplar> Exemplars() const override {
    std::vector<ParsedExemplar> out;
    if (position_ != kNative) {
      AddExemplar(position_ >= 0 ? metric_value_.buckets[position_].exemplar : metric_value_.exemplar, false,
                  &out);
      return out;
    }
    // What has no timestamp would be taken for new with each scrape.
    for (std::string_view exemplar : metric_value_.exemplars) AddExemplar(exemplar, true, &out);
    if (!metric_value_.exemplars.empty()) return out;
    for (const auto& bucket : metric_value_.buckets) AddExemplar(bucket.exemplar, true, &out);
    return out;
  }

  HistogramPtr Histogram() const override {
    const ProtoMetric& m = metric_value_;
    auto h = std::make_shared<FloatHistogram>();
    if (family_type_ == ProtoType::kGaugeHistogram) h->hint = CounterResetHint::kGauge;
    h->schema = m.schema;
    h->zero_threshold = m.zero_threshold;
    h->zero_count = m.zero_count;
    h->count = m.count;
    h->sum = m.sum;
    h->positive_spans = m.positive_spans;
    h->negative_spans = m.negative_spans;
    h->positive_buckets = m.positive;
    h->negative_buckets = m.negative;
    // A span that promises what is not there is for Validate() to name, not for Compact() to hide.
    if (h->Validate().ok()) h->Compact();
    return h;
  }

  void BuildLabels(LabelPairs* out) const override {
    out->clear();
    out->emplace_back("__name__", StrCat(metric_, Suffix()));
    const bool typed = options_.type_and_unit_labels && type_ != "unknown";
    const bool united = options_.type_and_unit_labels && !unit_.empty();
    if (typed) out->emplace_back("__type__", type_);
    if (united) out->emplace_back("__unit__", unit_);
    for (const auto& [name, value] : metric_value_.labels) {
      if ((typed && name == "__type__") || (united && name == "__unit__")) continue;
      out->emplace_back(name, value);
    }
    if (position_ < 0) return;
    out->emplace_back(family_type_ == ProtoType::kSummary ? "quantile" : "le", FormatBound(Bound()));
  }

  std::string help() const override { return std::string(help_); }

 private:
  enum class State { kFamily, kHelp, kUnit, kType, kSamples };
  // Places within a metric before its first bucket or quantile.
  static constexpr int kOnly = -4, kNative = -3, kCount = -2, kSum = -1;

  bool IsHistogram() const {
    return family_type_ == ProtoType::kHistogram || family_type_ == ProtoType::kGaugeHistogram;
  }
  bool IsPlain() const { return !IsHistogram() && family_type_ != ProtoType::kSummary; }

  // The next family that has a metric, which is decoded too.
  absl::StatusOr<EntryKind> NextFamily() {
    while (!body_.empty()) {
      WireReader reader(body_);
      uint64_t length = 0;
      if (!reader.Varint(&length)) return Invalid("clientpb: invalid varint encountered");
      size_t prefix = 1;
      while (static_cast<uint8_t>(body_[prefix - 1]) >= 0x80) ++prefix;
      if (prefix > 5) return Invalid("clientpb: invalid varint encountered");
      if (length > body_.size() - prefix) {
        return Invalid("clientpb: insufficient length of buffer, expected at least ", prefix + length,
                       " bytes, got ", body_.size(), " bytes");
      }
      std::string_view family = body_.substr(prefix, length);
      body_.remove_prefix(prefix + length);
      uint64_t type = 0;
      RETURN_IF_ERROR(ReadFamily(family, &type));
      family_.emplace(family);
      // A family of an unknown type still has to have a metric to be an error.
      family_type_ = static_cast<ProtoType>(std::min<uint64_t>(type, 5));
      ASSIGN_OR_RETURN(bool more, NextMetric());
      if (!more) continue;
      RETURN_IF_ERROR(CheckFamily(type));
      state_ = State::kHelp;
      text_ = help_;
      return EntryKind::kHelp;
    }
    return EntryKind::kEnd;
  }

  // Everything but the metrics: nothing says that it stands before them.
  absl::Status ReadFamily(std::string_view family, uint64_t* type) {
    metric_ = help_ = unit_ = {};
    WireReader reader(family);
    for (WireField f; reader.Next(&f);) {
      if (f.number == 1 && f.type == WireType::kBytes) metric_ = f.bytes;
      if (f.number == 2 && f.type == WireType::kBytes) help_ = f.bytes;
      if (f.number == 3 && f.type == WireType::kVarint) *type = f.bits;
      if (f.number == 5 && f.type == WireType::kBytes) unit_ = f.bytes;
    }
    return reader.ok() ? absl::OkStatus() : Invalid("unexpected EOF");
  }

  absl::Status CheckFamily(uint64_t type) {
    static constexpr std::string_view kTypes[] = {"counter", "gauge",     "summary",
                                                  "unknown", "histogram", "gaugehistogram"};
    if (metric_.empty() || !IsValidUtf8(metric_)) return Invalid("invalid metric name: ", metric_);
    if (!IsValidUtf8(help_)) return Invalid("invalid help for metric ", GoQuote(metric_), ": ", help_);
    if (type >= std::size(kTypes)) {
      return Invalid("unknown metric type for metric ", GoQuote(metric_), ": ", type);
    }
    type_ = kTypes[type];
    if (unit_.empty()) return absl::OkStatus();
    std::string_view base = metric_;
    const bool total = type_ == "counter" && base.ends_with("_total");
    if (total) base.remove_suffix(6);
    if (!base.ends_with(unit_) || base.size() <= unit_.size() ||
        base[base.size() - unit_.size() - 1] != '_') {
      return Invalid("unit ", GoQuote(unit_), " not a suffix of ", total ? "counter " : "metric ",
                     GoQuote(metric_));
    }
    return absl::OkStatus();
  }

  // False: the family has no more.
  absl::StatusOr<bool> NextMetric() {
    for (WireField f; family_->Next(&f);) {
      if (f.number != 4 || f.type != WireType::kBytes) continue;
      if (!metric_value_.Decode(f.bytes, family_type_)) return Invalid("unexpected EOF");
      return true;
    }
    return false;
  }

  absl::StatusOr<EntryKind> StartMetric() {
    entry_.clear();
    for (const auto& [name, value] : metric_value_.labels) {
      if (name.empty() || !IsValidUtf8(name)) return Invalid("invalid label name: ", name);
      if (!IsValidUtf8(value)) return Invalid("invalid label value: ", value);
      entry_ += kSeparator;
      entry_ += name;
      entry_ += kSeparator;
      entry_ += value;
    }
    entry_ += kSeparator;
    entry_ += metric_;
    labels_size_ = entry_.size();
    ts_ = metric_value_.timestamp_ms;
    has_ts_ = ts_ != 0;  // 0 is what the format says when there is none
    const bool native = IsHistogram() && options_.native_histograms && metric_value_.IsNative();
    position_ = IsPlain() ? kOnly : native ? kNative : kCount;
    return Entry();
  }

  bool NextField() {
    const int buckets = static_cast<int>(metric_value_.buckets.size());
    if (position_ == kOnly) return false;
    if (position_ == kNative && (!options_.keep_classic || buckets == 0)) return false;
    // A histogram ends with its +Inf bucket, which is made up if it is not sent.
    const bool last = family_type_ == ProtoType::kSummary
                          ? position_ == buckets - 1
                          : position_ >= 0 && (position_ >= buckets || Bound() == HUGE_VAL);
    if (last) return false;
    ++position_;
    return true;
  }

  double Bound() const {
    const size_t bucket = static_cast<size_t>(position_);
    return bucket < metric_value_.buckets.size() ? metric_value_.buckets[bucket].bound : HUGE_VAL;
  }

  std::string_view Suffix() const {
    if (position_ == kCount) return "_count";
    if (position_ == kSum) return "_sum";
    return position_ >= 0 && IsHistogram() ? "_bucket" : "";
  }

  EntryKind Entry() {
    const ProtoMetric& m = metric_value_;
    entry_.resize(labels_size_);
    entry_ += Suffix();
    has_exemplar_ = false;
    if (position_ == kNative) {
      entry_ += kSeparator;
      series_ = entry_;
      has_exemplar_ = !m.exemplars.empty() || !m.buckets.empty();
      return EntryKind::kHistogram;
    }
    const size_t bucket = static_cast<size_t>(position_);
    if (position_ >= 0) {
      // The bits stand for the bound: its text is needed for new series only.
      const double bound = Bound();
      entry_ += kSeparator;
      entry_.append(reinterpret_cast<const char*>(&bound), sizeof bound);
      const bool sent = bucket < m.buckets.size();
      value_ = sent ? m.buckets[bucket].value : m.count;
      has_exemplar_ = sent && !m.buckets[bucket].exemplar.empty();
    } else {
      value_ = position_ == kCount ? m.count : position_ == kSum ? m.sum : m.value;
      has_exemplar_ = position_ == kOnly && !m.exemplar.empty();
    }
    if (std::isnan(value_) && !IsStale(value_)) value_ = NormalNan();
    series_ = entry_;
    return EntryKind::kSeries;
  }

  static void AddExemplar(std::string_view message, bool timed_only, std::vector<ParsedExemplar>* out) {
    ProtoExemplar exemplar;
    if (message.empty() || !DecodeExemplar(message, &exemplar) || (timed_only && !exemplar.has_t)) return;
    ParsedExemplar& added = out->emplace_back();
    added.value = exemplar.value;
    added.t = exemplar.t;
    added.has_t = exemplar.has_t;
    for (const auto& [name, value] : exemplar.labels) added.labels.emplace_back(name, value);
  }

  const ParserOptions options_;
  std::string_view body_;  // what follows the family at hand
  State state_ = State::kFamily;
  std::optional<WireReader> family_;
  ProtoType family_type_ = ProtoType::kUntyped;
  std::string_view help_, unit_;
  ProtoMetric metric_value_;
  int position_ = kOnly;
  std::string entry_;  // labels, name, bound: what tells series apart
  size_t labels_size_ = 0;
};

}  // namespace

std::unique_ptr<ExpositionParser> NewProtobufParser(std::string_view body, ParserOptions options) {
  return std::make_unique<ProtobufParser>(body, options);
}

}  // namespace narthex::scraper
