#include "remote/write_request.h"

#include <google/protobuf/arena.h>

#include <array>

#include "absl/container/flat_hash_map.h"
#include "base/strings.h"
#include "prompb.pb.h"
#include "remote/pb_histogram.h"
#include "remote/read_query.h"
#include "write_v2.pb.h"

namespace narthex::remote {
namespace {

int TypeNumber(const std::string& type) {
  static constexpr std::array<std::string_view, 8> kTypes = {
      "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"};
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i] == type) return static_cast<int>(i);
  }
  return 0;
}

// The table of 2.0: each text once, the empty one first.
class Symbols {
 public:
  explicit Symbols(writev2::Request* request) : request_(request) { request->add_symbols(""); }
  uint32_t Ref(std::string_view text) {
    if (text.empty()) return 0;
    auto [it, fresh] = refs_.try_emplace(std::string(text), static_cast<uint32_t>(request_->symbols_size()));
    if (fresh) request_->add_symbols(std::string(text));
    return it->second;
  }
  template <typename Refs>
  void Write(const Labels& labels, Refs* out) {
    for (LabelView label : labels) {
      out->Add(Ref(label.name));
      out->Add(Ref(label.value));
    }
  }

 private:
  writev2::Request* const request_;
  absl::flat_hash_map<std::string, uint32_t> refs_;
};

void WriteSeries(const OutSeries& in, const MetadataMap& metadata, Symbols* symbols,
                 writev2::TimeSeries* out) {
  symbols->Write(in.labels, out->mutable_labels_refs());
  for (const tsdb::Sample& sample : in.samples) {
    if (sample.h) {
      writev2::Histogram* histogram = out->add_histograms();
      WriteHistogram(*sample.h, sample.t, histogram);
      histogram->set_start_timestamp(sample.start_t);
    } else {
      writev2::Sample* one = out->add_samples();
      one->set_value(sample.v);
      one->set_timestamp(sample.t);
      one->set_start_timestamp(sample.start_t);
    }
  }
  for (const tsdb::Exemplar& exemplar : in.exemplars) {
    writev2::Exemplar* one = out->add_exemplars();
    symbols->Write(exemplar.labels, one->mutable_labels_refs());
    one->set_value(exemplar.value);
    one->set_timestamp(exemplar.t);
  }
  auto it = metadata.find(std::string(in.labels.MetricName()));
  if (it == metadata.end()) return;
  out->mutable_metadata()->set_type(static_cast<writev2::Metadata::MetricType>(TypeNumber(it->second.type)));
  out->mutable_metadata()->set_help_ref(symbols->Ref(it->second.help));
  out->mutable_metadata()->set_unit_ref(symbols->Ref(it->second.unit));
}

void WriteSeries(const OutSeries& in, prompb::TimeSeries* out) {
  WriteLabels(in.labels, out->mutable_labels());
  for (const tsdb::Sample& sample : in.samples) {
    if (sample.h) {
      WriteHistogram(*sample.h, sample.t, out->add_histograms());
    } else {
      prompb::Sample* one = out->add_samples();
      one->set_value(sample.v);
      one->set_timestamp(sample.t);
    }
  }
  for (const tsdb::Exemplar& exemplar : in.exemplars) {
    prompb::Exemplar* one = out->add_exemplars();
    WriteLabels(exemplar.labels, one->mutable_labels());
    one->set_value(exemplar.value);
    one->set_timestamp(exemplar.t);
  }
}

}  // namespace

void OutBatch::Add(OutSeries one) {
  for (const tsdb::Sample& sample : one.samples) ++(sample.h ? histograms : floats);
  exemplars += static_cast<int64_t>(one.exemplars.size());
  series.push_back(std::move(one));
}

std::string EncodeV1(const OutBatch& batch) {
  google::protobuf::Arena arena;
  auto* request = google::protobuf::Arena::CreateMessage<prompb::WriteRequest>(&arena);
  for (const OutSeries& series : batch.series) WriteSeries(series, request->add_timeseries());
  return Snappy(request->SerializeAsString());
}

std::string EncodeV2(const OutBatch& batch, const MetadataMap& metadata) {
  google::protobuf::Arena arena;
  auto* request = google::protobuf::Arena::CreateMessage<writev2::Request>(&arena);
  Symbols symbols(request);
  for (const OutSeries& series : batch.series)
    WriteSeries(series, metadata, &symbols, request->add_timeseries());
  return Snappy(request->SerializeAsString());
}

std::string EncodeMetadataV1(const std::vector<MetricMetadata>& metadata) {
  prompb::WriteRequest request;
  for (const MetricMetadata& in : metadata) {
    prompb::MetricMetadata* out = request.add_metadata();
    out->set_type(static_cast<prompb::MetricMetadata::MetricType>(TypeNumber(in.type)));
    out->set_metric_family_name(in.metric);
    out->set_help(in.help);
    out->set_unit(in.unit);
  }
  return Snappy(request.SerializeAsString());
}

}  // namespace narthex::remote
