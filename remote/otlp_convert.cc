#include "remote/otlp_convert.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/escaping.h"
#include "base/go_format.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "model/histogram.h"

namespace narthex::remote {
namespace {

constexpr uint32_t kNoRecordedValue = 1;
constexpr int32_t kMinScale = -4, kMaxScale = 8, kMaxSaneScale = 32;
constexpr double kZeroThreshold = 1e-128;
constexpr int64_t kTargetInfoStepMs = 150'000;  // half of the default lookback
constexpr size_t kMaxExemplarRunes = 128;
constexpr int kMaxDepth = 50;

void WriteJson(const otlp::AnyValue& value, int depth, JsonWriter* json);

void WriteJson(const otlp::KeyValueList& list, int depth, JsonWriter* json) {
  std::map<std::string, const otlp::AnyValue*> sorted;
  for (const otlp::KeyValue& pair : list.values()) sorted[pair.key()] = &pair.value();
  json->BeginObject();
  for (const auto& [key, value] : sorted) {
    json->Key(key);
    WriteJson(*value, depth + 1, json);
  }
  json->EndObject();
}

void WriteJson(const otlp::AnyValue& value, int depth, JsonWriter* json) {
  if (depth > kMaxDepth) {
    json->Null();
    return;
  }
  switch (value.value_case()) {
    case otlp::AnyValue::kStringValue:
      json->String(value.string_value());
      break;
    case otlp::AnyValue::kBoolValue:
      json->Bool(value.bool_value());
      break;
    case otlp::AnyValue::kIntValue:
      json->Int(value.int_value());
      break;
    case otlp::AnyValue::kDoubleValue:
      json->Number(value.double_value());
      break;
    case otlp::AnyValue::kArrayValue:
      json->BeginArray();
      for (const otlp::AnyValue& item : value.array_value().values()) WriteJson(item, depth + 1, json);
      json->EndArray();
      break;
    case otlp::AnyValue::kKvlistValue:
      WriteJson(value.kvlist_value(), depth, json);
      break;
    case otlp::AnyValue::kBytesValue:
      json->String(absl::Base64Escape(value.bytes_value()));
      break;
    default:
      json->Null();
  }
}

std::string Find(const google::protobuf::RepeatedPtrField<otlp::KeyValue>& attributes, std::string_view key) {
  for (const otlp::KeyValue& pair : attributes) {
    if (pair.key() == key) return OtlpText(pair.value());
  }
  return "";
}

bool IsIdentifying(const std::string& key) {
  return key == "service.namespace" || key == "service.name" || key == "service.instance.id";
}

// Counts of buckets offset+1, offset+2, ... as one span.
void ReadSide(const otlp::ExponentialHistogramDataPoint::Buckets& side, std::vector<HistogramSpan>* spans,
              std::vector<double>* counts) {
  if (side.bucket_counts_size() == 0) return;
  spans->push_back({side.offset() + 1, static_cast<uint32_t>(side.bucket_counts_size())});
  for (uint64_t count : side.bucket_counts()) counts->push_back(static_cast<double>(count));
}

}  // namespace

std::string OtlpText(const otlp::AnyValue& value, int depth) {
  switch (value.value_case()) {
    case otlp::AnyValue::kStringValue:
      return value.string_value();
    case otlp::AnyValue::kBoolValue:
      return value.bool_value() ? "true" : "false";
    case otlp::AnyValue::kIntValue:
      return StrCat(value.int_value());
    case otlp::AnyValue::kDoubleValue: {
      JsonWriter json;
      if (!std::isfinite(value.double_value())) return FormatFloatG(value.double_value());
      return json.Number(value.double_value()).Take();
    }
    case otlp::AnyValue::kBytesValue:
      return absl::Base64Escape(value.bytes_value());
    case otlp::AnyValue::VALUE_NOT_SET:
      return "";
    default: {
      JsonWriter json;
      WriteJson(value, depth, &json);
      return json.Take();
    }
  }
}

absl::Status OtlpConverter::Convert(const otlp::ExportMetricsServiceRequest& request) {
  for (const otlp::ResourceMetrics& resource : request.resource_metrics())
    RETURN_IF_ERROR(ConvertResource(resource));
  return absl::OkStatus();
}

bool OtlpConverter::Promotes(const std::string& attribute) const {
  auto has = [&](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), attribute) != list.end();
  };
  return config_.promote_all ? !has(config_.ignore) : has(config_.promote);
}

// Two attributes that become one label: their values, by name of attribute, joined with ';'.
void OtlpConverter::AddAttributes(const Attributes& attributes, LabelMap* labels) const {
  std::map<std::string, std::string> sorted;
  for (const otlp::KeyValue& pair : attributes) sorted[pair.key()] = OtlpText(pair.value());
  LabelMap own;
  for (const auto& [key, value] : sorted) {
    std::string name = OtlpLabelName(config_, key);
    if (name.empty()) continue;
    auto [it, fresh] = own.emplace(name, value);
    if (!fresh) StrAppend(&it->second, ";", value);
  }
  for (auto& [name, value] : own) (*labels)[name] = std::move(value);
}

OtlpConverter::LabelMap OtlpConverter::LabelsOf(const Attributes& attributes) const {
  LabelMap labels;
  AddAttributes(attributes, &labels);
  for (const auto& [name, value] : resource_labels_) labels[name] = value;
  return labels;
}

absl::Status OtlpConverter::ConvertResource(const otlp::ResourceMetrics& resource) {
  const Attributes& attributes = resource.resource().attributes();
  LabelMap base;
  Attributes promoted;
  for (const otlp::KeyValue& pair : attributes) {
    if (Promotes(pair.key())) *promoted.Add() = pair;
  }
  AddAttributes(promoted, &base);
  std::string space = Find(attributes, "service.namespace"), service = Find(attributes, "service.name");
  if (!service.empty()) base["job"] = space.empty() ? service : StrCat(space, "/", service);
  if (std::string instance = Find(attributes, "service.instance.id"); !instance.empty())
    base["instance"] = instance;
  any_point_ = false;
  for (const otlp::ScopeMetrics& scope : resource.scope_metrics()) {
    resource_labels_ = base;
    if (config_.promote_scope) {
      for (const otlp::KeyValue& pair : scope.scope().attributes()) {
        resource_labels_[OtlpLabelName(config_, "otel_scope_" + pair.key())] = OtlpText(pair.value());
      }
      resource_labels_["otel_scope_name"] = scope.scope().name();
      resource_labels_["otel_scope_version"] = scope.scope().version();
      resource_labels_["otel_scope_schema_url"] = scope.schema_url();
    }
    for (const otlp::Metric& metric : scope.metrics()) RETURN_IF_ERROR(ConvertMetric(metric));
  }
  resource_labels_ = std::move(base);
  return any_point_ ? AppendTargetInfo(resource.resource()) : absl::OkStatus();
}

absl::Status OtlpConverter::ConvertMetric(const otlp::Metric& metric) {
  using otlp::AGGREGATION_TEMPORALITY_CUMULATIVE;
  bool cumulative = true, monotonic = metric.has_sum() && metric.sum().is_monotonic();
  if (metric.has_sum())
    cumulative = metric.sum().aggregation_temporality() == AGGREGATION_TEMPORALITY_CUMULATIVE;
  if (metric.has_histogram()) {
    cumulative = metric.histogram().aggregation_temporality() == AGGREGATION_TEMPORALITY_CUMULATIVE;
  }
  if (metric.has_exponential_histogram()) {
    cumulative =
        metric.exponential_histogram().aggregation_temporality() == AGGREGATION_TEMPORALITY_CUMULATIVE;
  }
  if (!cumulative) {
    writer_->Refuse(StrCat("invalid temporality and type combination for metric ", GoQuote(metric.name())));
    return absl::OkStatus();
  }
  OtlpKind kind = monotonic            ? OtlpKind::kMonotonicCounter
                  : metric.has_gauge() ? OtlpKind::kGauge
                                       : OtlpKind::kOther;
  std::string name = OtlpMetricName(config_, metric.name(), metric.unit(), kind);
  if (name.empty()) {
    writer_->Refuse(StrCat("metric name ", GoQuote(metric.name()), " is empty after translation"));
    return absl::OkStatus();
  }
  const char* type = metric.has_gauge() || (metric.has_sum() && !monotonic)         ? "gauge"
                     : metric.has_sum()                                             ? "counter"
                     : metric.has_summary()                                         ? "summary"
                     : metric.has_histogram() || metric.has_exponential_histogram() ? "histogram"
                                                                                    : "unknown";
  writer_->SetMetadata(name, {type, metric.description(), OtlpUnit(metric.unit())});
  auto numbers = [&](const auto& points) -> absl::Status {
    for (const otlp::NumberDataPoint& point : points) {
      double value = point.has_as_int() ? static_cast<double>(point.as_int()) : point.as_double();
      RETURN_IF_ERROR(AppendFloat(name, point, value));
    }
    return absl::OkStatus();
  };
  if (metric.has_gauge()) return numbers(metric.gauge().data_points());
  if (metric.has_sum()) return numbers(metric.sum().data_points());
  for (const otlp::HistogramDataPoint& point : metric.histogram().data_points()) {
    RETURN_IF_ERROR(ConvertHistogram(point, name));
  }
  for (const otlp::ExponentialHistogramDataPoint& point : metric.exponential_histogram().data_points()) {
    RETURN_IF_ERROR(ConvertExponential(point, name));
  }
  for (const otlp::SummaryDataPoint& point : metric.summary().data_points()) {
    RETURN_IF_ERROR(ConvertSummary(point, name));
  }
  return absl::OkStatus();
}

absl::Status OtlpConverter::ConvertHistogram(const otlp::HistogramDataPoint& point, const std::string& name) {
  double count = static_cast<double>(point.count());
  if (config_.convert_histograms) {
    auto h = std::make_shared<FloatHistogram>();
    h->schema = kCustomBucketsSchema;
    h->count = count;
    h->sum = point.sum();
    h->custom_values.assign(point.explicit_bounds().begin(), point.explicit_bounds().end());
    for (uint64_t bucket : point.bucket_counts()) h->positive_buckets.push_back(static_cast<double>(bucket));
    if (!h->positive_buckets.empty()) {
      h->positive_spans = {{0, static_cast<uint32_t>(h->positive_buckets.size())}};
    }
    h->Compact();
    return AppendHistogram(name, point, std::move(h));
  }
  if (point.has_sum()) RETURN_IF_ERROR(AppendFloat(name + "_sum", point, point.sum()));
  RETURN_IF_ERROR(AppendFloat(name + "_count", point, count));
  double cumulative = 0;
  for (int i = 0; i < point.explicit_bounds_size() && i < point.bucket_counts_size(); ++i) {
    cumulative += static_cast<double>(point.bucket_counts(i));
    RETURN_IF_ERROR(AppendFloat(name + "_bucket", point, cumulative,
                                {"le", FormatFloat(point.explicit_bounds(i), 'f', -1)}));
  }
  return AppendFloat(name + "_bucket", point, count, {"le", "+Inf"});
}

absl::Status OtlpConverter::ConvertExponential(const otlp::ExponentialHistogramDataPoint& point,
                                               const std::string& name) {
  if (point.scale() < kMinScale) {
    writer_->Refuse(
        StrCat("cannot convert exponential to native histogram. Scale must be >= -4, was ", point.scale()));
    return absl::OkStatus();
  }
  if (point.scale() > kMaxSaneScale) {
    writer_->Refuse(StrCat("exponential histogram has an impossible scale: ", point.scale()));
    return absl::OkStatus();
  }
  auto h = std::make_shared<FloatHistogram>();
  h->schema = point.scale();
  h->zero_threshold = point.zero_threshold() > 0 ? point.zero_threshold() : kZeroThreshold;
  h->zero_count = static_cast<double>(point.zero_count());
  h->count = static_cast<double>(point.count());
  h->sum = point.sum();
  ReadSide(point.positive(), &h->positive_spans, &h->positive_buckets);
  ReadSide(point.negative(), &h->negative_spans, &h->negative_buckets);
  h->Compact();
  if (h->schema > kMaxScale) h->ReduceResolution(kMaxScale);
  return AppendHistogram(name, point, std::move(h));
}

absl::Status OtlpConverter::ConvertSummary(const otlp::SummaryDataPoint& point, const std::string& name) {
  RETURN_IF_ERROR(AppendFloat(name + "_sum", point, point.sum()));
  RETURN_IF_ERROR(AppendFloat(name + "_count", point, static_cast<double>(point.count())));
  for (const auto& value : point.quantile_values()) {
    RETURN_IF_ERROR(
        AppendFloat(name, point, value.value(), {"quantile", FormatFloat(value.quantile(), 'f', -1)}));
  }
  return absl::OkStatus();
}

int64_t OtlpConverter::NoteTime(uint64_t unix_nano) {
  int64_t t = static_cast<int64_t>(unix_nano / 1'000'000);
  first_t_ = any_point_ ? std::min(first_t_, t) : t;
  last_t_ = any_point_ ? std::max(last_t_, t) : t;
  any_point_ = true;
  return t;
}

template <typename Point>
int64_t OtlpConverter::StartOf(const Point& point) const {
  return start_timestamps_ ? static_cast<int64_t>(point.start_time_unix_nano() / 1'000'000) : 0;
}

namespace {

template <typename Point>
const google::protobuf::RepeatedPtrField<otlp::Exemplar>* ExemplarsOf(const Point& point) {
  if constexpr (requires { point.exemplars(); }) {
    return &point.exemplars();
  } else {
    return nullptr;
  }
}

}  // namespace

template <typename Point>
absl::Status OtlpConverter::AppendFloat(const std::string& name, const Point& point, double value,
                                        const std::pair<std::string, std::string>& extra) {
  LabelMap labels = LabelsOf(point.attributes());
  if (!extra.first.empty()) labels[extra.first] = extra.second;
  if (point.flags() & kNoRecordedValue) value = StaleNan();
  // Of a histogram's series the bucket of all observations carries the exemplars.
  bool carries =
      extra.first.empty() ? !name.ends_with("_sum") && !name.ends_with("_count") : extra.second == "+Inf";
  return AppendSeries(name, std::move(labels),
                      {NoteTime(point.time_unix_nano()), value, nullptr, StartOf(point)},
                      carries ? ExemplarsOf(point) : nullptr);
}

template <typename Point>
absl::Status OtlpConverter::AppendHistogram(const std::string& name, const Point& point,
                                            HistogramPtr histogram) {
  if (point.flags() & kNoRecordedValue) {
    auto stale = std::make_shared<FloatHistogram>();
    stale->sum = StaleNan();
    histogram = std::move(stale);
  } else if (absl::Status valid = histogram->Validate(); !valid.ok()) {
    writer_->Refuse(StrCat(valid.message(), " for metric ", GoQuote(name)));
    return absl::OkStatus();
  }
  return AppendSeries(name, LabelsOf(point.attributes()),
                      {NoteTime(point.time_unix_nano()), 0, std::move(histogram), StartOf(point)},
                      ExemplarsOf(point));
}

absl::Status OtlpConverter::AppendSeries(
    const std::string& name, LabelMap labels, const tsdb::Sample& sample,
    const google::protobuf::RepeatedPtrField<otlp::Exemplar>* exemplars) {
  labels[std::string(kMetricName)] = name;
  LabelViews views(labels.begin(), labels.end());
  absl::StatusOr<Labels> made = writer_->MakeLabels(&views, 1);
  if (!made.ok()) return absl::OkStatus();
  tsdb::SeriesRef ref = 0;
  RETURN_IF_ERROR(writer_->Append(&ref, *made, sample));
  if (exemplars == nullptr) return absl::OkStatus();
  for (const otlp::Exemplar& exemplar : *exemplars) {
    LabelMap own;
    if (!exemplar.trace_id().empty()) own["trace_id"] = absl::BytesToHexString(exemplar.trace_id());
    if (!exemplar.span_id().empty()) own["span_id"] = absl::BytesToHexString(exemplar.span_id());
    LabelMap all = own;
    AddAttributes(exemplar.filtered_attributes(), &all);
    size_t runes = 0;
    for (const auto& [key, value] : all) runes += key.size() + value.size();
    const LabelMap& chosen = runes <= kMaxExemplarRunes ? all : own;
    absl::StatusOr<Labels> labels_of = SeriesWriter::MakeExemplarLabels({chosen.begin(), chosen.end()});
    if (!labels_of.ok()) continue;
    double value = exemplar.has_as_int() ? static_cast<double>(exemplar.as_int()) : exemplar.as_double();
    writer_->AddExemplar(ref, {*std::move(labels_of), value,
                               static_cast<int64_t>(exemplar.time_unix_nano() / 1'000'000), true});
  }
  return absl::OkStatus();
}

// target_info tells what else is known of a resource: once at each end of its points, and in between often
// enough that a query finds it.
absl::Status OtlpConverter::AppendTargetInfo(const otlp::Resource& resource) {
  if (!resource_labels_.contains("job") && !resource_labels_.contains("instance")) return absl::OkStatus();
  Attributes rest;
  size_t telling = 0;
  for (const otlp::KeyValue& pair : resource.attributes()) {
    bool identifying = IsIdentifying(pair.key());
    telling += !identifying;
    if (!identifying || config_.keep_identifying) *rest.Add() = pair;
  }
  if (telling == 0) return absl::OkStatus();
  LabelMap labels;
  AddAttributes(rest, &labels);
  for (const char* name : {"job", "instance"}) {
    if (auto it = resource_labels_.find(name); it != resource_labels_.end()) labels[name] = it->second;
  }
  const std::string info = "target_info";
  int64_t span = std::min<int64_t>(last_t_ - first_t_, 24 * 3600'000);  // a bad clock must not fill the disk
  for (int64_t t = last_t_ - span; t < last_t_; t += kTargetInfoStepMs) {
    RETURN_IF_ERROR(AppendSeries(info, labels, {t, 1, nullptr, 0}, nullptr));
  }
  return AppendSeries(info, std::move(labels), {last_t_, 1, nullptr, 0}, nullptr);
}

}  // namespace narthex::remote
