// Test results as JUnit XML, in the form that promtool writes.
#pragma once

#include <string>
#include <vector>

namespace narthex::cli {

struct JunitCase {
  std::string name;
  std::vector<std::string> failures, errors;
};
struct JunitSuite {
  std::string name, timestamp;
  std::vector<JunitCase> cases;
};

std::string JunitXml(const std::vector<JunitSuite>& suites);

}  // namespace narthex::cli
