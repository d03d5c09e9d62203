#include "promql/functions/label.h"

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::promql {

namespace {

bool IsLabelName(std::string_view name) { return !name.empty() && IsValidUtf8(name); }

}  // namespace

absl::StatusOr<LabelReplace> LabelReplace::Create(std::string_view destination, std::string_view replacement,
                                                  std::string_view source, std::string_view pattern) {
  absl::StatusOr<Regex> regex = Regex::Compile(pattern);
  if (!regex.ok()) {
    return absl::FailedPreconditionError(StrCat("invalid regular expression in label_replace(): ", pattern));
  }
  if (!IsLabelName(destination)) {
    return absl::FailedPreconditionError(
        StrCat("invalid destination label name in label_replace(): ", destination));
  }
  LabelReplace out(*std::move(regex));
  out.destination_ = destination;
  out.replacement_ = replacement;
  out.source_ = source;
  return out;
}

Labels LabelReplace::Apply(const Labels& labels) const {
  std::string value;
  if (!regex_.Expand(labels.Get(source_), replacement_, &value)) return labels;
  return LabelsBuilder(labels).Set(destination_, value).Build();
}

absl::StatusOr<LabelJoin> LabelJoin::Create(std::string_view destination, std::string_view separator,
                                            std::vector<std::string> sources) {
  for (const std::string& source : sources) {
    if (!IsLabelName(source)) {
      return absl::FailedPreconditionError(StrCat("invalid source label name in label_join(): ", source));
    }
  }
  if (!IsLabelName(destination)) {
    return absl::FailedPreconditionError(
        StrCat("invalid destination label name in label_join(): ", destination));
  }
  LabelJoin out;
  out.destination_ = destination;
  out.separator_ = separator;
  out.sources_ = std::move(sources);
  return out;
}

Labels LabelJoin::Apply(const Labels& labels) const {
  std::string value;
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (i > 0) value += separator_;
    value += labels.Get(sources_[i]);
  }
  return LabelsBuilder(labels).Set(destination_, value).Build();
}

}  // namespace narthex::promql
