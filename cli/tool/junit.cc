#include "cli/tool/junit.h"

#include "absl/strings/str_replace.h"
#include "base/strings.h"

namespace narthex::cli {
namespace {

std::string Escape(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"},
                                    {"<", "&lt;"},
                                    {">", "&gt;"},
                                    {"\"", "&#34;"},
                                    {"'", "&#39;"},
                                    {"\t", "&#x9;"},
                                    {"\n", "&#xA;"},
                                    {"\r", "&#xD;"}});
}

}  // namespace

std::string JunitXml(const std::vector<JunitSuite>& suites) {
  std::string out = "<testsuites>";
  for (const JunitSuite& suite : suites) {
    size_t failures = 0, errors = 0;
    std::string cases;
    for (const JunitCase& one : suite.cases) {
      failures += one.failures.size();
      errors += one.errors.size();
      StrAppend(&cases, "<testcase name=\"", Escape(one.name), "\">");
      for (const std::string& text : one.failures) StrAppend(&cases, "<failure>", Escape(text), "</failure>");
      for (const std::string& text : one.errors) StrAppend(&cases, "<error>", Escape(text), "</error>");
      StrAppend(&cases, "</testcase>");
    }
    StrAppend(&out, "<testsuite name=\"", Escape(suite.name), "\" tests=\"", suite.cases.size(),
              "\" failures=\"", failures, "\" errors=\"", errors, "\" skipped=\"0\" timestamp=\"",
              Escape(suite.timestamp), "\">", cases, "</testsuite>");
  }
  return out + "</testsuites>";
}

}  // namespace narthex::cli
