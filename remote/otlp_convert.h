// OTLP points to series.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "otlp.pb.h"
#include "remote/otlp_names.h"
#include "remote/remote.h"
#include "remote/series_writer.h"

namespace narthex::remote {

// Appends all points of a request. Lives as long as the request; not thread-safe.
class OtlpConverter {
 public:
  OtlpConverter(const OtlpConfig& config, bool start_timestamps, SeriesWriter* writer)
      : config_(config), start_timestamps_(start_timestamps), writer_(writer) {}
  // Not OK: storage failed.
  absl::Status Convert(const otlp::ExportMetricsServiceRequest& request);

 private:
  using Attributes = google::protobuf::RepeatedPtrField<otlp::KeyValue>;
  using LabelMap = std::map<std::string, std::string>;

  absl::Status ConvertResource(const otlp::ResourceMetrics& resource);
  absl::Status ConvertMetric(const otlp::Metric& metric);
  absl::Status ConvertHistogram(const otlp::HistogramDataPoint& point, const std::string& name);
  absl::Status ConvertExponential(const otlp::ExponentialHistogramDataPoint& point, const std::string& name);
  absl::Status ConvertSummary(const otlp::SummaryDataPoint& point, const std::string& name);
  template <typename Point>
  absl::Status AppendFloat(const std::string& name, const Point& point, double value,
                           const std::pair<std::string, std::string>& extra = {});
  template <typename Point>
  absl::Status AppendHistogram(const std::string& name, const Point& point, HistogramPtr histogram);
  absl::Status AppendSeries(const std::string& name, LabelMap labels, const tsdb::Sample& sample,
                            const google::protobuf::RepeatedPtrField<otlp::Exemplar>* exemplars);
  absl::Status AppendTargetInfo(const otlp::Resource& resource);
  // The labels of a point: its attributes, promoted ones, job and instance.
  LabelMap LabelsOf(const Attributes& attributes) const;
  void AddAttributes(const Attributes& attributes, LabelMap* labels) const;
  bool Promotes(const std::string& attribute) const;
  int64_t NoteTime(uint64_t unix_nano);
  template <typename Point>
  int64_t StartOf(const Point& point) const;

  const OtlpConfig& config_;
  const bool start_timestamps_;
  SeriesWriter* const writer_;
  LabelMap resource_labels_;  // job, instance, promoted and scope labels of what is being converted
  int64_t first_t_ = 0, last_t_ = 0;
  bool any_point_ = false;
};

// As pdata's Value.AsString.
std::string OtlpText(const otlp::AnyValue& value, int depth = 0);

}  // namespace narthex::remote
