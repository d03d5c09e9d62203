// Label matchers: = != =~ !~, where an absent label has the value "".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/regex.h"
#include "model/labels.h"

namespace narthex {

enum class MatchOp { kEqual, kNotEqual, kRegex, kNotRegex };

// Immutable, thread-safe, cheap to copy.
class Matcher {
 public:
  static absl::StatusOr<Matcher> Create(MatchOp op, std::string_view name, std::string_view value);
  static Matcher Equal(std::string_view name, std::string_view value);

  MatchOp op() const { return op_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }
  const Regex* regex() const { return regex_ ? &*regex_ : nullptr; }
  bool Matches(std::string_view value) const;
  bool MatchesEmpty() const { return Matches(""); }
  std::string ToString() const;  // a="b"; the name is quoted if it is not a legacy label name

 private:
  MatchOp op_ = MatchOp::kEqual;
  std::string name_;
  std::string value_;
  std::optional<Regex> regex_;
};

using Matchers = std::vector<Matcher>;
bool MatchesAll(const Matchers& matchers, const Labels& labels);

}  // namespace narthex
