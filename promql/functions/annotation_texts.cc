#include "promql/functions/annotation_texts.h"

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::promql {

namespace {

constexpr std::string_view kWarning = "PromQL warning: ";
constexpr std::string_view kInfo = "PromQL info: ";

std::string ForMetric(std::string_view metric) {
  return metric.empty() ? std::string() : StrCat(" for metric name ", GoQuote(metric));
}

std::string Number(double v) { return FormatFloat(v, 'g', -1); }

}  // namespace

std::string SortIneffectiveText() {
  return StrCat(kWarning, "sort is ineffective for range queries since results are always ordered by labels");
}

std::string InvalidQuantileText(double q) {
  return StrCat(kWarning, "quantile value should be between 0 and 1, got ", Number(q));
}

std::string InvalidRatioText(double ratio, double capped) {
  return StrCat(kWarning, "ratio value should be between -1 and 1, got ", Number(ratio), ", capping to ",
                Number(capped));
}

std::string BadBucketLabelText(std::string_view metric, std::string_view le) {
  return StrCat(kWarning, "bucket label \"le\" is missing or has a malformed value of ", GoQuote(le),
                ForMetric(metric));
}

std::string MixedFloatsHistogramsText(std::string_view metric) {
  return StrCat(kWarning, "encountered a mix of histograms and floats for metric name ", GoQuote(metric));
}

std::string MixedFloatsHistogramsAggText() {
  return StrCat(kWarning, "encountered a mix of histograms and floats for aggregation");
}

std::string MixedClassicNativeText(std::string_view metric) {
  return StrCat(kWarning, "vector contains a mix of classic and native histograms", ForMetric(metric));
}

std::string NotCounterHistogramText(std::string_view metric) {
  return StrCat(kWarning, "this native histogram metric is not a counter: ", GoQuote(metric));
}

std::string NotGaugeHistogramText(std::string_view metric) {
  return StrCat(kWarning, "this native histogram metric is not a gauge: ", GoQuote(metric));
}

std::string MixedBucketSchemasText(std::string_view metric) {
  return StrCat(
      kWarning,
      "vector contains a mix of histograms with exponential and custom buckets schemas for metric name ",
      GoQuote(metric));
}

std::string IncompatibleBucketLayoutText(std::string_view binary_operator) {
  return StrCat(kWarning, "incompatible bucket layout encountered for binary operator ", binary_operator);
}

std::string ResetCollisionText(std::string_view operation) {
  return StrCat(kWarning, "conflicting counter resets during histogram ", operation);
}

std::string NonCounterText(const Labels& labels, bool by_type) {
  const std::string_view metric = labels.MetricName();
  if (metric.empty()) return "";
  constexpr std::string_view kText = "metric might not be a counter, ";
  if (by_type) {
    const std::string_view type = labels.Get(kTypeLabel);
    if (type == "counter" || type == "histogram") return "";
    return StrCat(kInfo, kText, "__type__ label is not set to \"counter\" or \"histogram\", got ",
                  GoQuote(type), ": ", GoQuote(metric));
  }
  for (std::string_view suffix : {"_total", "_sum", "_count", "_bucket"}) {
    if (metric.ends_with(suffix)) return "";
  }
  return StrCat(kInfo, kText, "name does not end in _total/_sum/_count/_bucket: ", GoQuote(metric));
}

std::string ForcedMonotonicityText(std::string_view metric) {
  return StrCat(kInfo,
                "input to histogram_quantile needed to be fixed for monotonicity (see "
                "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
                ForMetric(metric));
}

std::string FallingBucketsText(const FallingBuckets& falling) {
  const auto seconds = [](int64_t ms) { return FormatRfc3339(ms / 1000 * 1000); };
  return StrCat(", from buckets ", Number(falling.min_bucket), " to ", Number(falling.max_bucket),
                ", with a max diff of ", FormatFloat(falling.max_diff, 'g', 2), ", over ", falling.count,
                " samples from ", seconds(falling.first_ms), " to ", seconds(falling.last_ms));
}

std::string IncompatibleTypesText(std::string_view left, std::string_view binary_operator,
                                  std::string_view right) {
  return StrCat(kInfo, "incompatible sample types encountered for binary operator ", GoQuote(binary_operator),
                ": ", left, " ", binary_operator, " ", right);
}

std::string HistogramIgnoredInAggregationText(std::string_view aggregation) {
  return StrCat(kInfo, "ignored histogram in ", aggregation, " aggregation");
}

std::string HistogramIgnoredInMixedRangeText(std::string_view metric) {
  return StrCat(kInfo, "ignored histograms in a range containing both floats and histograms for metric name ",
                GoQuote(metric));
}

std::string CustomBucketsReconciledText(std::string_view operation) {
  return StrCat(kInfo, "mismatched custom buckets were reconciled during ", operation);
}

std::string NanNoteText(NanNote note, std::string_view metric) {
  switch (note) {
    case NanNote::kNone:
      return "";
    case NanNote::kResultIsNan:
      return StrCat(kInfo, "input to histogram_quantile has NaN observations, result is NaN",
                    ForMetric(metric));
    case NanNote::kSkewedHigher:
      return StrCat(kInfo, "input to histogram_quantile has NaN observations, result is skewed higher",
                    ForMetric(metric));
    case NanNote::kExcluded:
      return StrCat(kInfo,
                    "input to histogram_fraction has NaN observations, which are excluded from all fractions",
                    ForMetric(metric));
  }
  return "";
}

}  // namespace narthex::promql
