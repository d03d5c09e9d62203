// load_with_nhcb: classic histograms as native ones with custom buckets.
#include <cmath>
#include <limits>
#include <optional>

#include "base/go_format.h"
#include "base/strings.h"
#include "promql/script/sample_store.h"

namespace narthex::promql::script {
namespace {

// One classic histogram at one time.
struct Classic {
  std::map<double, double> buckets;  // cumulative, by upper bound
  std::optional<double> count, sum;
};

absl::StatusOr<HistogramPtr> Convert(Classic classic) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  if (!classic.count && !classic.buckets.empty()) classic.count = classic.buckets.rbegin()->second;
  classic.buckets.try_emplace(kInf, classic.count.value_or(0));
  auto h = std::make_shared<FloatHistogram>();
  h->schema = kCustomBucketsSchema;
  h->count = classic.count.value_or(0);
  h->sum = classic.sum.value_or(0);
  if (classic.buckets.rbegin()->second != h->count) {
    return absl::InvalidArgumentError("the count of a classic histogram is not that of its +Inf bucket");
  }
  double before = 0;
  for (const auto& [bound, cumulative] : classic.buckets) {
    if (cumulative < before)
      return absl::InvalidArgumentError("bucket counts of a classic histogram decrease");
    h->positive_buckets.push_back(cumulative - before);
    if (bound != kInf) h->custom_values.push_back(bound);
    before = cumulative;
  }
  h->positive_spans.push_back({0, static_cast<uint32_t>(h->positive_buckets.size())});
  h->Compact();
  return h;
}

}  // namespace

absl::StatusOr<std::map<Labels, std::vector<HistogramPoint>>> CustomBucketHistograms(
    const LoadCommand& load) {
  std::map<Labels, std::map<int64_t, Classic>> classics;
  for (const LoadSeries& loaded : load.series) {
    const Labels& labels = loaded.series.labels;
    std::string_view name = labels.MetricName();
    std::string_view suffix;
    for (std::string_view s : {"_bucket", "_count", "_sum"}) {
      if (name.ends_with(s)) suffix = s;
    }
    if (suffix.empty()) continue;
    LabelsBuilder builder(labels);
    builder.Set(kMetricName, name.substr(0, name.size() - suffix.size()));
    std::optional<double> bound = ParseGoFloat(labels.Get("le"));
    if (suffix == "_bucket") {
      if (!bound || std::isnan(*bound)) continue;
      builder.Del("le");
    }
    std::map<int64_t, Classic>& at = classics[builder.Build()];
    for (size_t i = 0; i < loaded.series.points.size(); ++i) {
      const SequencePoint& point = loaded.series.points[i];
      if (point.missing || point.h) continue;
      Classic& classic = at[static_cast<int64_t>(i) * load.step_ms];
      if (suffix == "_bucket") classic.buckets[*bound] = point.v;
      if (suffix == "_count") classic.count = point.v;
      if (suffix == "_sum") classic.sum = point.v;
    }
  }
  std::map<Labels, std::vector<HistogramPoint>> out;
  for (auto& [labels, times] : classics) {
    bool has_buckets = false;
    for (const auto& [t, classic] : times) has_buckets |= !classic.buckets.empty();
    if (!has_buckets) continue;
    for (auto& [t, classic] : times) {
      absl::StatusOr<HistogramPtr> h = Convert(std::move(classic));
      if (!h.ok()) return h.status();
      out[labels].push_back({t, *std::move(h)});
    }
  }
  return out;
}

}  // namespace narthex::promql::script
