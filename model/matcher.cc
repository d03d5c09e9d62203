#include "model/matcher.h"

#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {

absl::StatusOr<Matcher> Matcher::Create(MatchOp op, std::string_view name, std::string_view value) {
  Matcher matcher;
  matcher.op_ = op;
  matcher.name_ = std::string(name);
  matcher.value_ = std::string(value);
  if (op == MatchOp::kRegex || op == MatchOp::kNotRegex) {
    ASSIGN_OR_RETURN(matcher.regex_, Regex::Compile(value));
  }
  return matcher;
}

Matcher Matcher::Equal(std::string_view name, std::string_view value) {
  Matcher matcher;
  matcher.name_ = std::string(name);
  matcher.value_ = std::string(value);
  return matcher;
}

bool Matcher::Matches(std::string_view value) const {
  switch (op_) {
    case MatchOp::kEqual:
      return value == value_;
    case MatchOp::kNotEqual:
      return value != value_;
    case MatchOp::kRegex:
      return regex_->Matches(value);
    case MatchOp::kNotRegex:
      return !regex_->Matches(value);
  }
  return false;
}

std::string Matcher::ToString() const {
  static constexpr std::string_view kOps[] = {"=", "!=", "=~", "!~"};
  return StrCat(IsLegacyLabelName(name_) ? name_ : GoQuote(name_), kOps[static_cast<int>(op_)],
                GoQuote(value_));
}

bool MatchesAll(const Matchers& matchers, const Labels& labels) {
  for (const Matcher& matcher : matchers) {
    if (!matcher.Matches(labels.Get(matcher.name()))) return false;
  }
  return true;
}

}  // namespace narthex
