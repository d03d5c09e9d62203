// The receiver of remote write 1.0. The one file that includes the generated protobuf code.
#include <snappy.h>

#include <algorithm>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "prompb.pb.h"
#include "remote/remote.h"

namespace narthex::remote {
namespace {

constexpr size_t kMaxDecodedBytes = 32 << 20;

template <typename PbLabels>
absl::StatusOr<Labels> ReadLabels(const PbLabels& pairs) {
  std::vector<std::pair<std::string_view, std::string_view>> out;
  out.reserve(static_cast<size_t>(pairs.size()));
  for (const prompb::Label& pair : pairs) {
    if (pair.name().empty() || !IsValidUtf8(pair.name())) {
      return absl::InvalidArgumentError(StrCat("invalid label name ", GoQuote(pair.name())));
    }
    if (!IsValidUtf8(pair.value())) {
      return absl::InvalidArgumentError(
          StrCat("invalid value ", GoQuote(pair.value()), " of label ", GoQuote(pair.name())));
    }
    out.emplace_back(pair.name(), pair.value());
  }
  // Senders sort them.
  const auto by_name = [](const auto& a, const auto& b) { return a.first < b.first; };
  if (!std::is_sorted(out.begin(), out.end(), by_name)) std::stable_sort(out.begin(), out.end(), by_name);
  std::string encoded;
  for (size_t i = 0; i < out.size(); ++i) {
    if (i > 0 && out[i].first == out[i - 1].first) {
      return absl::InvalidArgumentError(StrCat("duplicate label ", GoQuote(out[i].first)));
    }
    if (!out[i].second.empty()) Labels::AppendEncoded(out[i].first, out[i].second, &encoded);
  }
  return Labels::FromEncoded(std::move(encoded));
}

absl::StatusOr<Labels> ReadSeriesLabels(const prompb::TimeSeries& series) {
  absl::StatusOr<Labels> labels = ReadLabels(series.labels());
  if (labels.ok() && labels->MetricName().empty()) {
    return absl::InvalidArgumentError(
        StrCat("invalid metric name or labels, got ", GoQuote(labels->ToString())));
  }
  return labels;
}

template <typename PbSpans>
std::vector<HistogramSpan> ReadSpans(const PbSpans& spans) {
  std::vector<HistogramSpan> out;
  for (const prompb::BucketSpan& span : spans) out.push_back({span.offset(), span.length()});
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

absl::StatusOr<HistogramPtr> ReadHistogram(const prompb::Histogram& in) {
  auto h = std::make_shared<FloatHistogram>();
  bool is_float = in.count_case() == prompb::Histogram::kCountFloat;
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

// Appends one request; what is refused is counted and the first reason kept.
class RequestWriter {
 public:
  RequestWriter(tsdb::Db* db, WriteOutcome* outcome)
      : db_(db), appender_(db->NewAppender()), outcome_(outcome) {}

  absl::Status Write(const prompb::WriteRequest& request) {
    for (const prompb::TimeSeries& series : request.timeseries()) RETURN_IF_ERROR(WriteSeries(series));
    RETURN_IF_ERROR(appender_->Commit());
    for (const prompb::MetricMetadata& metadata : request.metadata()) WriteMetadata(metadata);
    return absl::OkStatus();
  }
  const std::string& refusal() const { return refusal_; }

 private:
  void Refuse(std::string reason) {
    if (refusal_.empty()) refusal_ = std::move(reason);
  }

  absl::Status WriteSeries(const prompb::TimeSeries& series) {
    absl::StatusOr<Labels> labels = ReadSeriesLabels(series);
    if (!labels.ok()) {
      Refuse(std::string(labels.status().message()));
      return absl::OkStatus();
    }
    tsdb::SeriesRef ref = 0;
    for (const prompb::Sample& sample : series.samples()) {
      ASSIGN_OR_RETURN(bool taken, Append(&ref, *labels, {sample.timestamp(), sample.value(), nullptr, 0}));
      outcome_->samples += taken;
    }
    for (const prompb::Histogram& histogram : series.histograms()) {
      absl::StatusOr<HistogramPtr> h = ReadHistogram(histogram);
      if (!h.ok()) {
        Refuse(StrCat(std::string(h.status().message()), ", series: ", labels->ToString()));
        continue;
      }
      ASSIGN_OR_RETURN(bool taken, Append(&ref, *labels, {histogram.timestamp(), 0, *std::move(h), 0}));
      outcome_->histograms += taken;
    }
    for (const prompb::Exemplar& exemplar : series.exemplars()) {
      absl::StatusOr<Labels> exemplar_labels = ReadLabels(exemplar.labels());
      if (!exemplar_labels.ok() || ref == 0) continue;  // as upstream: exemplars never fail a request
      appender_->AddExemplar(ref,
                             {*std::move(exemplar_labels), exemplar.value(), exemplar.timestamp(), true});
      ++outcome_->exemplars;
    }
    return absl::OkStatus();
  }

  // Whether the sample was taken.
  absl::StatusOr<bool> Append(tsdb::SeriesRef* ref, const Labels& labels, const tsdb::Sample& sample) {
    ASSIGN_OR_RETURN(tsdb::AppendResult result, appender_->Append(ref, labels, sample));
    const char* reason = nullptr;
    switch (result) {
      case tsdb::AppendResult::kOk:
        return true;
      case tsdb::AppendResult::kOutOfOrder:
        reason = "out of order sample";
        break;
      case tsdb::AppendResult::kDuplicate:
        reason = "duplicate sample for timestamp";
        break;
      case tsdb::AppendResult::kTooOld:
        reason = "too old sample";
        break;
      case tsdb::AppendResult::kOutOfBounds:
        reason = "out of bounds";
        break;
    }
    Refuse(StrCat(reason, ": series ", labels.ToString(), ", timestamp ", FormatRfc3339(sample.t)));
    return false;
  }

  void WriteMetadata(const prompb::MetricMetadata& in) {
    static constexpr const char* kTypes[] = {"unknown",        "counter", "gauge", "histogram",
                                             "gaugehistogram", "summary", "info",  "stateset"};
    int type = static_cast<int>(in.type());
    tsdb::Metadata metadata{kTypes[type >= 0 && type < 8 ? type : 0], in.help(), in.unit()};
    // Metadata is help for people: losing it must not make the sender repeat its samples.
    db_->SetMetadata(in.metric_family_name(), metadata).IgnoreError();
  }

  tsdb::Db* const db_;
  std::unique_ptr<tsdb::Appender> appender_;
  WriteOutcome* const outcome_;
  std::string refusal_;
};

WriteOutcome Failed(int status, std::string error) {
  WriteOutcome out;
  out.http_status = status;
  out.error = std::move(error);
  return out;
}

}  // namespace

WriteOutcome HandleWrite(std::string_view body, std::string_view content_type,
                         std::string_view content_encoding, tsdb::Db* db, MetricsRegistry* metrics) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  if (!type.empty() && type != "application/x-protobuf") {
    return Failed(415, StrCat("expected application/x-protobuf as the first (media) part, got ", content_type,
                              " content-type"));
  }
  if (content_type.find("io.prometheus.write.v2.Request") != content_type.npos) {
    return Failed(415,
                  "io.prometheus.write.v2.Request protobuf message is not accepted by this server; only "
                  "accepts prometheus.WriteRequest");
  }
  if (!content_encoding.empty() && content_encoding != "snappy") {
    return Failed(
        415, StrCat(content_encoding,
                    " encoding (compression) is not accepted by this server; only snappy is acceptable"));
  }
  size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) {
    return Failed(400, "snappy: corrupt input");
  }
  if (size > kMaxDecodedBytes) {
    return Failed(400, StrCat("snappy: decoded block is too large: ", size, " bytes"));
  }
  std::string decoded;
  prompb::WriteRequest request;
  if (!snappy::Uncompress(body.data(), body.size(), &decoded)) return Failed(400, "snappy: corrupt input");
  if (!request.ParseFromString(decoded)) return Failed(400, "proto: cannot parse the write request");
  WriteOutcome outcome;
  RequestWriter writer(db, &outcome);
  absl::Status status = writer.Write(request);
  metrics
      ->GetCounter("prometheus_remote_storage_samples_in_total",
                   "Samples in to remote storage, compare to samples out for queue managers.")
      ->Add(static_cast<double>(outcome.samples + outcome.histograms));
  if (!status.ok()) {
    outcome.http_status = 500;
    outcome.error = std::string(status.message());
  } else if (!writer.refusal().empty()) {
    outcome.http_status = 400;
    outcome.error = writer.refusal();
  }
  return outcome;
}

}  // namespace narthex::remote
