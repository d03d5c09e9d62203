// narthex test: rule unit tests, as promtool has them, and PromQL scripts.
#include <cstdio>

#include "base/clock.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/tool/test_rules.h"
#include "cli/tool/tool_flags.h"
#include "promql/script/script.h"

namespace narthex::cli {

namespace {

// Takes the command's name out of the arguments; flags may stand before it (test --junit=FILE rules ...).
bool TakeWord(const std::string& word, std::vector<std::string>* args) {
  for (size_t i = 0; i < args->size(); ++i) {
    if ((*args)[i] == "--junit" || (*args)[i] == "--enable-feature") {
      ++i;
    } else if (!(*args)[i].starts_with("-")) {
      if ((*args)[i] != word) return false;
      args->erase(args->begin() + static_cast<ptrdiff_t>(i));
      return true;
    }
  }
  return false;
}

}  // namespace

int RunTest(const std::vector<std::string>& args) {
  if (std::vector<std::string> rest = args; TakeWord("rules", &rest)) return RunTestRules(rest);
  if (args.size() < 2 || args[0] != "promql") {
    std::fprintf(stderr, "usage: narthex test rules FILE...\n       narthex test promql FILE...\n");
    return UsageError("must select a subcommand of 'test'");
  }
  promql::ScriptOptions options;
  options.clock = &SystemClock();
  int passed = 0, failed = 0;
  for (size_t i = 1; i < args.size(); ++i) {
    absl::StatusOr<std::string> text = ReadFile(args[i]);
    if (!text.ok()) {
      std::fprintf(stderr, "%s\n", std::string(text.status().message()).c_str());
      ++failed;
      continue;
    }
    promql::ScriptReport report = promql::RunScript(*text, options);
    for (const promql::ScriptFailure& failure : report.failures) {
      std::printf("%s:%d: %s\n", args[i].c_str(), failure.line, failure.message.c_str());
    }
    passed += report.passed;
    failed += report.failed;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace narthex::cli
