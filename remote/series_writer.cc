#include "remote/series_writer.h"

#include <algorithm>
#include <utility>

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "model/histogram.h"

namespace narthex::remote {
namespace {

constexpr int64_t kMaxAheadMs = 600'000;
constexpr size_t kMaxReasons = 10;

// The labels for a message, whatever they are.
std::string Describe(const LabelViews& pairs) {
  std::string out = "{";
  for (const auto& [name, value] : pairs) {
    StrAppend(&out, out.size() > 1 ? ", " : "", IsLegacyLabelName(name) ? std::string(name) : GoQuote(name),
              "=", GoQuote(value));
  }
  return out + "}";
}

absl::Status CheckPairs(const LabelViews& sorted) {
  for (size_t i = 0; i < sorted.size(); ++i) {
    const auto& [name, value] = sorted[i];
    if (name.empty() || !IsValidUtf8(name) || !IsValidUtf8(value)) {
      return absl::InvalidArgumentError(StrCat("invalid metric name or labels, got ", Describe(sorted)));
    }
    if (i > 0 && sorted[i - 1].first == name) {
      return absl::InvalidArgumentError(
          StrCat("invalid labels for series, labels ", Describe(sorted), ", duplicated label ", name));
    }
  }
  return absl::OkStatus();
}

// Senders sort them already.
void SortByName(LabelViews* labels) {
  if (!std::is_sorted(labels->begin(), labels->end())) std::sort(labels->begin(), labels->end());
}

Labels EncodedLabels(const LabelViews& sorted) {
  std::string encoded;
  for (const auto& [name, value] : sorted) {
    if (!value.empty()) Labels::AppendEncoded(name, value, &encoded);
  }
  return Labels::FromEncoded(std::move(encoded));
}

const char* ReasonOf(tsdb::AppendResult result) {
  switch (result) {
    case tsdb::AppendResult::kOutOfOrder:
      return "out of order sample";
    case tsdb::AppendResult::kDuplicate:
      return "duplicate sample for timestamp";
    case tsdb::AppendResult::kTooOld:
      return "too old sample";
    default:
      return "out of bounds";
  }
}

}  // namespace

std::string Describe(const Labels& labels) {
  LabelViews pairs;
  for (LabelView label : labels) pairs.emplace_back(label.name, label.value);
  return Describe(pairs);
}

SeriesWriter::SeriesWriter(const ReceiverOptions& options, WriteOutcome* outcome)
    : options_(options),
      outcome_(outcome),
      appender_(options.db->NewAppender()),
      latest_(options.clock->NowMs() + kMaxAheadMs) {}

absl::StatusOr<Labels> SeriesWriter::MakeLabels(LabelViews* views, size_t samples) {
  LabelViews& pairs = *views;
  SortByName(&pairs);
  absl::Status checked = CheckPairs(pairs);
  auto name =
      std::find_if(pairs.begin(), pairs.end(), [](const auto& pair) { return pair.first == kMetricName; });
  if (checked.ok() && (name == pairs.end() || name->second.empty())) {
    checked = absl::InvalidArgumentError(StrCat("invalid metric name or labels, got ", Describe(pairs)));
  }
  if (checked.ok()) return EncodedLabels(pairs);
  options_.metrics
      ->GetCounter(
          "prometheus_api_remote_write_invalid_labels_samples_total",
          "The total number of received remote write samples and histogram samples which contained invalid "
          "labels.")
      ->Add(static_cast<double>(samples));
  Refuse(std::string(checked.message()));
  return checked;
}

absl::StatusOr<Labels> SeriesWriter::MakeExemplarLabels(LabelViews pairs) {
  SortByName(&pairs);
  RETURN_IF_ERROR(CheckPairs(pairs));
  return EncodedLabels(pairs);
}

absl::Status SeriesWriter::Append(tsdb::SeriesRef* ref, const Labels& labels, const tsdb::Sample& sample) {
  if (TooFarAhead(sample.t)) {
    Refuse(StrCat("out of bounds: timestamp is too far in the future for series ", Describe(labels)));
    return absl::OkStatus();
  }
  absl::StatusOr<tsdb::AppendResult> result = appender_->Append(ref, labels, sample);
  if (absl::IsResourceExhausted(result.status())) {
    no_memory_ = true;
    Refuse(StrCat(result.status().message(), " for series ", Describe(labels)));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(result.status());
  if (*result == tsdb::AppendResult::kOk) {
    ++(sample.h ? outcome_->histograms : outcome_->samples);
  } else {
    Refuse(*result, labels);
  }
  return absl::OkStatus();
}

void SeriesWriter::AddExemplar(tsdb::SeriesRef ref, const tsdb::Exemplar& exemplar) {
  if (ref == 0) return;  // its series was refused
  appender_->AddExemplar(ref, exemplar);
  ++outcome_->exemplars;
}

void SeriesWriter::SetMetadata(std::string_view metric, const tsdb::Metadata& metadata) {
  options_.db->SetMetadata(metric, metadata).IgnoreError();
}

void SeriesWriter::Refuse(std::string reason) {
  if (refused_++ < kMaxReasons) refusals_.push_back(std::move(reason));
}

void SeriesWriter::Refuse(tsdb::AppendResult result, const Labels& labels) {
  Refuse(StrCat(ReasonOf(result), " for series ", Describe(labels)));
}

void SeriesWriter::Finish(absl::Status failure) {
  if (failure.ok()) failure = appender_->Commit();
  options_.metrics
      ->GetCounter("prometheus_remote_storage_samples_in_total",
                   "Samples in to remote storage, compare to samples out for queue managers.")
      ->Add(static_cast<double>(outcome_->samples + outcome_->histograms));
  if (!failure.ok()) {
    outcome_->http_status = 500;
    outcome_->error = std::string(failure.message());
    outcome_->samples = outcome_->histograms = outcome_->exemplars = 0;
    return;
  }
  if (refused_ == 0) return;
  outcome_->http_status = no_memory_ ? 429 : 400;
  for (const std::string& reason : refusals_) {
    StrAppend(&outcome_->error, outcome_->error.empty() ? "" : "\n", reason);
  }
  if (refused_ > refusals_.size())
    StrAppend(&outcome_->error, "\nand ", refused_ - refusals_.size(), " more");
}

}  // namespace narthex::remote
