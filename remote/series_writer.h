// What all receivers share: append, and say what was refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "remote/remote.h"

namespace narthex::remote {

// Names and values where the request holds them.
using LabelViews = std::vector<std::pair<std::string_view, std::string_view>>;

// Labels as Prometheus writes them in messages: {__name__="a", x="1"}.
std::string Describe(const Labels& labels);

// Appends the series of one request. What is refused is counted and the reasons kept. Lives as long as the
// request.
class SeriesWriter {
 public:
  SeriesWriter(const ReceiverOptions& options, WriteOutcome* outcome);

  // The labels of a series as they came; sorts them. Not OK (and noted): they cannot be stored.
  absl::StatusOr<Labels> MakeLabels(LabelViews* pairs, size_t samples);
  // Labels of an exemplar: no name is needed.
  static absl::StatusOr<Labels> MakeExemplarLabels(LabelViews pairs);
  // Not OK: storage failed, the request is over. A series that there is no memory for is refused, the rest
  // goes on. *ref as in tsdb::Appender.
  absl::Status Append(tsdb::SeriesRef* ref, const Labels& labels, const tsdb::Sample& sample);
  // As tsdb::Appender: series that were written before, by their names.
  void Recall(std::span<const uint64_t> names, std::vector<tsdb::SeriesRef>* refs) {
    appender_->Recall(names, refs);
  }
  void Remember(uint64_t name, tsdb::SeriesRef ref) {
    if (name != 0 && ref != 0) appender_->Remember(name, ref);
  }
  // The series of a request in their order, floats of those that were recalled (`refs`) together. `source`
  // has size(), OneFloat(i): what of series i is to be written, if it is that and not TooFarAhead, else
  // nullopt; Write(i): writes another one; LabelsOf(i), for what is refused.
  template <typename Source>
  absl::Status WriteAll(const std::vector<tsdb::SeriesRef>& refs, Source* source) {
    floats_.clear();
    for (size_t i = 0; i < source->size(); ++i) {
      const std::optional<tsdb::Sample> one = refs[i] != 0 ? source->OneFloat(i) : std::nullopt;
      if (one) {
        floats_.push_back({refs[i], one->t, one->v});
        continue;
      }
      if (absl::Status s = AppendFloats(i, source); !s.ok()) return s;
      if (absl::Status s = source->Write(i); !s.ok()) return s;
    }
    return AppendFloats(source->size(), source);
  }
  bool TooFarAhead(int64_t t) const { return t > latest_; }
  void AddExemplar(tsdb::SeriesRef ref, const tsdb::Exemplar& exemplar);
  // Metadata is help for people: losing it must not make the sender repeat its samples.
  void SetMetadata(std::string_view metric, const tsdb::Metadata& metadata);
  void Refuse(std::string reason);
  void Refuse(tsdb::AppendResult result, const Labels& labels);
  // Commits and fills in the outcome's status and error; `failure` is what Append returned.
  void Finish(absl::Status failure);

 private:
  // Of the series before `end`.
  template <typename Source>
  absl::Status AppendFloats(size_t end, Source* source) {
    const size_t first = end - floats_.size();
    if (floats_.empty()) return absl::OkStatus();
    if (absl::Status s = appender_->AppendFloats(floats_, &results_); !s.ok()) return s;
    for (size_t i = 0; i < floats_.size(); ++i) {
      if (results_[i] == tsdb::AppendResult::kOk)
        ++outcome_->samples;
      else
        Refuse(results_[i], source->LabelsOf(first + i));
    }
    floats_.clear();
    return absl::OkStatus();
  }

  const ReceiverOptions& options_;
  WriteOutcome* const outcome_;
  std::unique_ptr<tsdb::Appender> appender_;
  const int64_t latest_;  // samples after it are refused
  std::vector<tsdb::FloatSample> floats_;
  std::vector<tsdb::AppendResult> results_;
  std::vector<std::string> refusals_;
  size_t refused_ = 0;
  bool no_memory_ = false;  // refused for now: the same request may pass later
};

}  // namespace narthex::remote
