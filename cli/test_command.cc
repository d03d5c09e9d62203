// narthex test promql FILE...: runs PromQL scripts.
#include <cstdio>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "promql/script/script.h"

namespace narthex::cli {

int RunTest(const std::vector<std::string>& args) {
  if (args.size() < 2 || args[0] != "promql") {
    std::fprintf(stderr, "narthex: error: expected 'promql' and files\nusage: narthex test promql FILE...\n");
    return 2;
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
