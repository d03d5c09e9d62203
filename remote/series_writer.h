// What all receivers share: append, and say what was refused.
#pragma once

#include <memory>
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
  void AddExemplar(tsdb::SeriesRef ref, const tsdb::Exemplar& exemplar);
  // Metadata is help for people: losing it must not make the sender repeat its samples.
  void SetMetadata(std::string_view metric, const tsdb::Metadata& metadata);
  void Refuse(std::string reason);
  // Commits and fills in the outcome's status and error; `failure` is what Append returned.
  void Finish(absl::Status failure);

 private:
  const ReceiverOptions& options_;
  WriteOutcome* const outcome_;
  std::unique_ptr<tsdb::Appender> appender_;
  const int64_t latest_;  // samples after it are refused
  std::vector<std::string> refusals_;
  size_t refused_ = 0;
  bool no_memory_ = false;  // refused for now: the same request may pass later
};

}  // namespace narthex::remote
