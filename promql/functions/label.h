// What label_replace() and label_join() do to one label set. The engine applies them to whole series.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/regex.h"
#include "model/labels.h"

namespace narthex::promql {

// Immutable and thread-safe.
class LabelReplace {
 public:
  static absl::StatusOr<LabelReplace> Create(std::string_view destination, std::string_view replacement,
                                             std::string_view source, std::string_view pattern);
  // `labels` itself where the pattern does not match.
  Labels Apply(const Labels& labels) const;
  bool Matches(const Labels& labels) const { return regex_.Matches(labels.Get(source_)); }
  bool ReplacesName() const { return destination_ == kMetricName; }

 private:
  explicit LabelReplace(Regex regex) : regex_(std::move(regex)) {}
  Regex regex_;
  std::string destination_, replacement_, source_;
};

// Immutable and thread-safe.
class LabelJoin {
 public:
  static absl::StatusOr<LabelJoin> Create(std::string_view destination, std::string_view separator,
                                          std::vector<std::string> sources);
  Labels Apply(const Labels& labels) const;
  bool ReplacesName() const { return destination_ == kMetricName; }

 private:
  LabelJoin() = default;
  std::string destination_, separator_;
  std::vector<std::string> sources_;
};

}  // namespace narthex::promql
