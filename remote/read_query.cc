#include "remote/read_query.h"

#include <snappy.h>

#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::remote {

absl::StatusOr<Matchers> ReadMatchers(const prompb::Query& query) {
  Matchers out;
  for (const prompb::LabelMatcher& matcher : query.matchers()) {
    if (matcher.type() < prompb::LabelMatcher::EQ || matcher.type() > prompb::LabelMatcher::NRE) {
      return absl::InvalidArgumentError("invalid matcher type");
    }
    ASSIGN_OR_RETURN(Matcher made,
                     Matcher::Create(static_cast<MatchOp>(matcher.type()), matcher.name(), matcher.value()));
    out.push_back(std::move(made));
  }
  return out;
}

void WriteMatchers(const Matchers& matchers, prompb::Query* query) {
  for (const Matcher& matcher : matchers) {
    prompb::LabelMatcher* out = query->add_matchers();
    out->set_type(static_cast<prompb::LabelMatcher::Type>(matcher.op()));
    out->set_name(matcher.name());
    out->set_value(matcher.value());
  }
}

void WriteLabels(const Labels& labels, google::protobuf::RepeatedPtrField<prompb::Label>* out) {
  for (LabelView label : labels) {
    prompb::Label* pair = out->Add();
    pair->set_name(std::string(label.name));
    pair->set_value(std::string(label.value));
  }
}

Labels WithExternalLabels(const Labels& labels, const LabelPairs& external) {
  if (external.empty()) return labels;
  LabelsBuilder builder(labels);
  for (const auto& [name, value] : external) {
    if (!labels.Has(name)) builder.Set(name, value);
  }
  return builder.Build();
}

Matchers WithoutExternalLabels(Matchers matchers, const LabelPairs& external) {
  for (Matcher& matcher : matchers) {
    for (const auto& [name, value] : external) {
      if (matcher.op() == MatchOp::kEqual && matcher.name() == name && matcher.value() == value) {
        matcher = Matcher::Equal(name, "");
        break;
      }
    }
  }
  return matchers;
}

absl::StatusOr<std::string> Unsnappy(std::string_view body, size_t max_bytes) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) {
    return absl::InvalidArgumentError("snappy: corrupt input");
  }
  if (size > max_bytes) {
    return absl::InvalidArgumentError(StrCat("snappy: decoded block is too large: ", size, " bytes"));
  }
  std::string decoded;
  if (!snappy::Uncompress(body.data(), body.size(), &decoded)) {
    return absl::InvalidArgumentError("snappy: corrupt input");
  }
  return decoded;
}

std::string Snappy(std::string_view plain) {
  std::string out;
  snappy::Compress(plain.data(), plain.size(), &out);
  return out;
}

}  // namespace narthex::remote
