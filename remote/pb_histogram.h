// Native histograms between the wire and the model. The messages of remote write 1.0 and 2.0 have the same
// fields.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "model/histogram.h"

namespace narthex::remote {

template <typename PbSpans>
std::vector<HistogramSpan> ReadSpans(const PbSpans& spans) {
  std::vector<HistogramSpan> out;
  for (const auto& span : spans) out.push_back({span.offset(), span.length()});
  return out;
}

// Integer histograms send the change from bucket to bucket, float ones the counts.
template <typename Deltas, typename Counts>
std::vector<double> ReadBuckets(bool is_float, const Deltas& deltas, const Counts& counts) {
  if (is_float) return {counts.begin(), counts.end()};
  std::vector<double> out;
  uint64_t value = 0;  // wraps instead of overflowing on bad input; Validate finds negative counts
  for (int64_t delta : deltas) {
    value += static_cast<uint64_t>(delta);
    out.push_back(static_cast<double>(static_cast<int64_t>(value)));
  }
  return out;
}

template <typename PbHistogram>
absl::StatusOr<HistogramPtr> ReadHistogram(const PbHistogram& in) {
  auto h = std::make_shared<FloatHistogram>();
  bool is_float = in.count_case() == PbHistogram::kCountFloat;
  h->hint = static_cast<CounterResetHint>(static_cast<int>(in.reset_hint()) & 3);
  h->schema = in.schema();
  h->sum = in.sum();
  h->zero_threshold = in.zero_threshold();
  h->count = is_float ? in.count_float() : static_cast<double>(in.count_int());
  h->zero_count = is_float ? in.zero_count_float() : static_cast<double>(in.zero_count_int());
  h->positive_spans = ReadSpans(in.positive_spans());
  h->negative_spans = ReadSpans(in.negative_spans());
  h->positive_buckets = ReadBuckets(is_float, in.positive_deltas(), in.positive_counts());
  h->negative_buckets = ReadBuckets(is_float, in.negative_deltas(), in.negative_counts());
  h->custom_values.assign(in.custom_values().begin(), in.custom_values().end());
  if (!h->IsStaleMarker()) RETURN_IF_ERROR(h->Validate());
  return h;
}

// As a float histogram: the model does not tell integer ones apart.
template <typename PbHistogram>
void WriteHistogram(const FloatHistogram& h, int64_t t, PbHistogram* out) {
  out->set_count_float(h.count);
  out->set_sum(h.sum);
  out->set_schema(h.schema);
  out->set_zero_threshold(h.zero_threshold);
  out->set_zero_count_float(h.zero_count);
  for (const HistogramSpan& span : h.positive_spans) {
    auto* pb = out->add_positive_spans();
    pb->set_offset(span.offset);
    pb->set_length(span.length);
  }
  for (const HistogramSpan& span : h.negative_spans) {
    auto* pb = out->add_negative_spans();
    pb->set_offset(span.offset);
    pb->set_length(span.length);
  }
  out->mutable_positive_counts()->Add(h.positive_buckets.begin(), h.positive_buckets.end());
  out->mutable_negative_counts()->Add(h.negative_buckets.begin(), h.negative_buckets.end());
  out->mutable_custom_values()->Add(h.custom_values.begin(), h.custom_values.end());
  out->set_reset_hint(static_cast<decltype(out->reset_hint())>(static_cast<int>(h.hint)));
  out->set_timestamp(t);
}

}  // namespace narthex::remote
