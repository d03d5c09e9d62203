// Samples on their way out, and the messages that carry them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "remote/remote.h"

namespace narthex::remote {

struct OutSeries {
  Labels labels;  // as sent: external labels added, relabelled
  std::vector<tsdb::Sample> samples;
  std::vector<tsdb::Exemplar> exemplars;
};

// What one request carries.
struct OutBatch {
  std::vector<OutSeries> series;
  int64_t floats = 0, histograms = 0, exemplars = 0;
  int64_t samples() const { return floats + histograms; }
  void Add(OutSeries one);
};

using MetadataMap = std::map<std::string, MetricMetadata>;

// The snappy-compressed message. 2.0 carries metadata with the series, 1.0 in requests of its own.
std::string EncodeV1(const OutBatch& batch);
std::string EncodeV2(const OutBatch& batch, const MetadataMap& metadata);
std::string EncodeMetadataV1(const std::vector<MetricMetadata>& metadata);

}  // namespace narthex::remote
