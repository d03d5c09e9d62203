// narthex test rules FILE...: promtool's unit tests of rules.
#include "cli/tool/test_rules.h"
#include "base/duration.h"

#include <cstdio>
#include <fstream>

#include "base/clock.h"
#include "base/go_format.h"
#include "base/regex.h"
#include "base/strings.h"
#include "cli/tool/junit.h"
#include "cli/tool/rule_test_file.h"
#include "cli/tool/rule_test_run.h"
#include "cli/tool/rule_test_text.h"
#include "cli/tool/tool_flags.h"

namespace narthex::cli {
namespace {

// Runs one file's tests; what failed goes into the suite.
std::vector<std::string> RunFile(const std::string& path, const std::optional<Regex>& run,
                                 const RuleTestOptions& options, JunitSuite* suite) {
  absl::StatusOr<RuleTestFile> file = ReadRuleTestFile(path, options.ignore_unknown);
  if (!file.ok()) {
    std::string message(file.status().message());
    suite->cases.push_back({"unknown", {}, {message}});
    return {message};
  }
  for (const std::string& pattern : file->unmatched)
    std::fprintf(stderr, "  WARNING: no file match pattern %s\n", pattern.c_str());
  std::string now = FormatRfc3339(SystemClock().NowMs());
  suite->timestamp = now.substr(0, now.find_first_of(".Z"));
  std::vector<std::string> all;
  for (size_t i = 0; i < file->tests.size(); ++i) {
    const RuleTest& test = file->tests[i];
    if (run && !run->Matches(test.name)) continue;
    const std::string name = test.name.empty() ? StrCat("unnamed#", i) : test.name;
    if (options.debug) std::printf("DEBUG: Starting test %s\n", name.c_str());
    const int64_t begin_ns = SystemClock().MonotonicNs();
    std::vector<std::string> errors = RunRuleTest(test, *file, options);
    if (options.debug) {
      std::printf("DEBUG: Test %s finished, took %s\n", name.c_str(),
                  GoDuration((SystemClock().MonotonicNs() - begin_ns) / 1'000'000).c_str());
    }
    suite->cases.push_back({name, errors, {}});
    all.insert(all.end(), errors.begin(), errors.end());
  }
  return all;
}

absl::StatusOr<std::optional<Regex>> RunPattern(const std::vector<std::string>& patterns) {
  if (patterns.empty()) return std::nullopt;
  std::string joined;
  for (const std::string& pattern : patterns) StrAppend(&joined, joined.empty() ? "" : "|", pattern);
  absl::StatusOr<Regex> regex = Regex::CompileUnanchored(joined);
  if (!regex.ok()) return regex.status();
  return *std::move(regex);
}

}  // namespace

int RunTestRules(const std::vector<std::string>& args) {
  ToolFlags flags("test rules [<flags>] <test-rule-file>...");
  RuleTestOptions options;
  std::vector<std::string> patterns, files;
  std::string junit;
  flags.Add("run", "Run only test groups whose names match the regular expression. Repeatable.", &patterns);
  flags.Add("debug", "Enable unit test debugging.", &options.debug);
  flags.Add("diff", "Print colored differential output between expected & received output.", &options.diff);
  flags.Add("ignore-unknown-fields", "Ignore unknown fields in the test and rule files.",
            &options.ignore_unknown);
  flags.Add("junit", "File path to store JUnit XML test results.", &junit);
  if (std::optional<int> status = flags.Parse(args, &files)) return *status;
  if (files.empty()) return UsageError("required argument 'test-rule-file' not provided");
  if (std::optional<int> status = CheckExist(files)) return *status;
  absl::StatusOr<std::optional<Regex>> run = RunPattern(patterns);
  if (!run.ok()) return UsageError(std::string(run.status().message()));
  options.parser = flags.ParserOptions();
  options.delayed_name_removal = flags.delayed_name_removal();

  std::vector<JunitSuite> suites;
  bool failed = false;
  for (const std::string& file : files) {
    suites.push_back({file, "", {}});
    std::vector<std::string> errors = RunFile(file, *run, options, &suites.back());
    std::fflush(stdout);
    if (errors.empty()) std::printf("  SUCCESS\n");
    if (!errors.empty()) std::fprintf(stderr, "  FAILED:\n");
    for (const std::string& error : errors) {
      std::fprintf(stderr, "%s\n", error.c_str());
      std::printf("\n");
      std::fflush(stdout);
    }
    std::printf("\n");
    failed |= !errors.empty();
  }
  if (!junit.empty()) {
    std::ofstream out(junit, std::ios::binary);
    out << JunitXml(suites);
    if (!out.flush()) {
      std::fprintf(stderr, "failed to write JUnit XML: %s\n", junit.c_str());
      return 1;
    }
  }
  return failed ? 1 : 0;
}

}  // namespace narthex::cli
