// The files of `test rules`: promtool's unit tests.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/labels.h"

namespace narthex::cli {

struct RuleTestSample {
  std::string labels, histogram;
  double value = 0;
};
struct ExprTest {
  std::string expr;
  int64_t eval_time_ms = 0;
  std::vector<RuleTestSample> samples;
};
struct ExpectedAlert {
  Labels labels, annotations;
  auto operator<=>(const ExpectedAlert&) const = default;
};
struct AlertTest {
  std::string alertname;
  int64_t eval_time_ms = 0;
  std::vector<ExpectedAlert> alerts;  // with alertname
};

// One entry of `tests`.
struct RuleTest {
  std::string name, external_url;
  int64_t interval_ms = 0, start_ms = 0;
  std::vector<std::pair<std::string, std::string>> series;  // name and labels, values
  std::vector<ExprTest> exprs;
  std::vector<AlertTest> alerts;
  std::vector<std::pair<std::string, std::string>> external_labels;
};

struct RuleTestFile {
  std::vector<std::string> rule_files;  // patterns resolved; a pattern that matches nothing is left out
  std::vector<std::string> unmatched;   // those patterns
  int64_t evaluation_interval_ms = 60'000;
  std::map<std::string, int> group_order;
  bool fuzzy_compare = false;
  std::vector<RuleTest> tests;
};

absl::StatusOr<RuleTestFile> ReadRuleTestFile(const std::string& path, bool ignore_unknown);

}  // namespace narthex::cli
