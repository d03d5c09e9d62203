// The one door to RE2: fully anchored as Prometheus does (^(?s:...)$), memory-capped.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace narthex {

// Immutable and thread-safe; copies share the compiled program.
class Regex {
 public:
  // InvalidArgument with Go-like text "error parsing regexp: ..." where RE2 refuses the pattern.
  static absl::StatusOr<Regex> Compile(std::string_view pattern);  // anchored: Prometheus matchers, relabel
  static absl::StatusOr<Regex> CompileUnanchored(
      std::string_view pattern);  // as written: templates, test runners

  const std::string& pattern() const;  // as given
  bool Matches(std::string_view text) const;
  // If it matches, sets *out to the replacement with $1, ${name}, $$ expanded as Go's Regexp.Expand does.
  bool Expand(std::string_view text, std::string_view replacement, std::string* out) const;
  // Go's ReplaceAllString.
  std::string ReplaceAll(std::string_view text, std::string_view replacement) const;
  // Non-empty when the pattern is a plain alternation of literals (a|b|c): the set of strings it matches.
  const std::vector<std::string>& literal_set() const;
  // Literal prefix every match has; empty if none.
  const std::string& literal_prefix() const;

 private:
  struct Rep;
  std::shared_ptr<const Rep> rep_;
};

}  // namespace narthex
