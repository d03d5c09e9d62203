// Remote read's messages and the model. Used by both ends.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/matcher.h"
#include "read.pb.h"

namespace narthex::remote {

using LabelPairs = std::vector<std::pair<std::string, std::string>>;

absl::StatusOr<Matchers> ReadMatchers(const prompb::Query& query);
void WriteMatchers(const Matchers& matchers, prompb::Query* query);
void WriteLabels(const Labels& labels, google::protobuf::RepeatedPtrField<prompb::Label>* out);

// Series come sorted and without external labels from storage; a reader sees them with.
Labels WithExternalLabels(const Labels& labels, const LabelPairs& external);
// A matcher for the value of an external label must find series that lack it.
Matchers WithoutExternalLabels(Matchers matchers, const LabelPairs& external);

// snappy; refuses more than 32 MiB. The error is the text of a 400.
absl::StatusOr<std::string> Unsnappy(std::string_view body, size_t max_bytes);
std::string Snappy(std::string_view plain);

}  // namespace narthex::remote
