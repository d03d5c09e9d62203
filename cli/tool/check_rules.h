// Checking of rule files, for `check rules` and for the rule files of `check config`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "promql/syntax/parser.h"
#include "rules/rules.h"

namespace narthex::cli {

struct RuleCheck {
  bool duplicate_rules = true;  // the lint
  bool ignore_unknown = false;
  NameValidation names = NameValidation::kUtf8;
  promql::ParserOptions parser;
};

struct CheckOutcome {
  bool failed = false;  // something was found, perhaps only by a lint
  bool errors = false;  // something that is no lint
  // 0, 1, or 3 if only lints found something and they are fatal.
  int ExitStatus(bool lint_fatal) const { return errors ? 1 : failed && lint_fatal ? 3 : 0; }
  void Add(CheckOutcome other) {
    failed |= other.failed;
    errors |= other.errors;
  }
};

// Both print what promtool prints.
CheckOutcome CheckRuleFiles(const std::vector<std::string>& files, const RuleCheck& check);
CheckOutcome CheckRuleText(const std::string& name, std::string_view text, const RuleCheck& check);

}  // namespace narthex::cli
