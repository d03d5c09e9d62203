// Runs every tests/promql/*.test. The program's working directory is the root of the repository.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "promql/promql.h"
#include "promql/script/script.h"

namespace narthex::promql {
namespace {

std::vector<std::string> ScriptFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator("tests/promql")) {
    if (entry.path().extension() == ".test") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Scripts : public ::testing::TestWithParam<std::string> {};

TEST_P(Scripts, EveryEvalGivesWhatTheScriptSays) {
  std::ifstream in(GetParam());
  std::stringstream text;
  text << in.rdbuf();
  ScriptOptions options;
  options.clock = &SystemClock();
  ScriptReport report = RunScript(text.str(), options);
  EXPECT_GT(report.passed, 0);
  for (const ScriptFailure& failure : report.failures) {
    ADD_FAILURE_AT(GetParam().c_str(), failure.line) << failure.message;
  }
}

TEST_P(Scripts, GiveTheSameWithoutAnyOneOfThePasses) {
  std::ifstream in(GetParam());
  std::stringstream text;
  text << in.rdbuf();
  for (const std::string& pass : PassNames()) {
    ScriptOptions options;
    options.clock = &SystemClock();
    options.disabled_passes = {pass};
    ScriptReport report = RunScript(text.str(), options);
    EXPECT_GT(report.passed, 0);
    for (const ScriptFailure& failure : report.failures) {
      ADD_FAILURE_AT(GetParam().c_str(), failure.line) << "without " << pass << ": " << failure.message;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(TestsPromql, Scripts, ::testing::ValuesIn(ScriptFiles()),
                         [](const ::testing::TestParamInfo<std::string>& info) {
                           return std::filesystem::path(info.param).stem().string();
                         });

ScriptReport RunText(std::string_view text) {
  ScriptOptions options;
  options.clock = &SystemClock();
  return RunScript(text, options);
}

TEST(ScriptRunner, ReportsAWrongValueWithTheLineOfItsEval) {
  ScriptReport report =
      RunText("load 1m\n  a 1 2\n\neval instant at 1m a\n  a 3\n\neval instant at 1m a\n  a 2\n");
  EXPECT_EQ(report.passed, 1);
  ASSERT_EQ(report.failed, 1);
  EXPECT_EQ(report.failures[0].line, 4);
  EXPECT_EQ(report.failures[0].message, "a: series a: expected 3@60000, got 2@60000");
}

TEST(ScriptRunner, FailsOnMissingAndUnexpectedSeries) {
  EXPECT_EQ(RunText("load 1m\n  a 1\n\neval instant at 0 a\n").failed, 1);
  EXPECT_EQ(RunText("eval instant at 0 a\n  a 1\n").failed, 1);
}

TEST(ScriptRunner, FailsWhenAnExpectedErrorOrWarningDoesNotCome) {
  EXPECT_EQ(RunText("eval instant at 0 vector(1)\n  expect fail\n").failed, 1);
  EXPECT_EQ(RunText("eval instant at 0 vector(1)\n  expect warn\n  {} 1\n").failed, 1);
}

TEST(ScriptRunner, StopsAtALineThatIsNoCommand) {
  ScriptReport report = RunText("eval instant at 0 vector(1)\n  {} 1\n\nnonsense\n");
  EXPECT_EQ(report.passed, 1);
  ASSERT_EQ(report.failed, 1);
  EXPECT_EQ(report.failures[0].line, 4);
}

}  // namespace
}  // namespace narthex::promql
