// io.prometheus.client.Metric as views into the message.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "model/histogram.h"

namespace narthex::scraper {

enum class ProtoType : uint64_t {
  kCounter = 0,
  kGauge = 1,
  kSummary = 2,
  kUntyped = 3,
  kHistogram = 4,
  kGaugeHistogram = 5
};

// One metric of a family. Decode() reuses the lists' memory, so that a page's metrics cost no allocation once
// the largest was seen. Not thread-safe.
struct ProtoMetric {
  struct Bucket {
    double bound = 0;  // upper bound, or quantile of a summary
    double value = 0;  // cumulative count, or the quantile's value
    std::string_view exemplar;
  };

  std::vector<std::pair<std::string_view, std::string_view>> labels;
  double value = 0;  // of counter, gauge, untyped
  int64_t timestamp_ms = 0, start_ms = 0;
  std::string_view exemplar;  // of a counter
  double count = 0, sum = 0;  // of summary, histogram
  std::vector<Bucket> buckets;
  std::vector<std::string_view> exemplars;  // of a native histogram

  // The native part. Counts are absolute here, deltas on the wire.
  int32_t schema = 0;
  double zero_threshold = 0, zero_count = 0;
  std::vector<HistogramSpan> positive_spans, negative_spans;
  std::vector<double> positive, negative;

  // False if the bytes are no such message.
  bool Decode(std::string_view message, ProtoType type);
  // Whether there is a native part: spans, or a zero bucket that is wide or holds something.
  bool IsNative() const {
    return !positive_spans.empty() || !negative_spans.empty() || zero_threshold > 0 || zero_count > 0;
  }

 private:
  void Clear();
  bool DecodeValue(std::string_view message, uint32_t start_field);
  bool DecodeSummary(std::string_view message);
  bool DecodeHistogram(std::string_view message);
};

struct ProtoExemplar {
  std::vector<std::pair<std::string_view, std::string_view>> labels;
  double value = 0;
  bool has_t = false;
  int64_t t = 0;
};
bool DecodeExemplar(std::string_view message, ProtoExemplar* out);
bool DecodeLabel(std::string_view message, std::pair<std::string_view, std::string_view>* out);

}  // namespace narthex::scraper
