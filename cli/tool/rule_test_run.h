// Runs the unit tests of `test rules`.
#pragma once

#include <string>
#include <vector>

#include "cli/tool/rule_test_file.h"
#include "promql/syntax/parser.h"

namespace narthex::cli {

struct RuleTestOptions {
  bool diff = false, debug = false, ignore_unknown = false, delayed_name_removal = false;
  promql::ParserOptions parser;
};

// What is not as the test expects, in promtool's words. Runs against a store of its own in a temporary
// folder.
std::vector<std::string> RunRuleTest(const RuleTest& test, const RuleTestFile& file,
                                     const RuleTestOptions& options);

}  // namespace narthex::cli
