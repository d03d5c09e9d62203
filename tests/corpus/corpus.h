// Runs a conformance corpus: folders of cases whose results are known. One runner a folder; the format of the
// files is in the corpus's own README. tests/corpus/main.cc is the program.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/yaml.h"
#include "model/labels.h"

namespace narthex::corpus {

// What one folder gave. Not thread-safe; owner: the program's main thread.
class Report {
 public:
  // `where` is "file:line" or "file: case".
  void Check(std::string_view where, bool passed, std::string_view message);
  // One case: passed if the error text is empty.
  void Result(std::string_view where, std::string_view error) { Check(where, error.empty(), error); }
  void AddPassed(int count) { passed_ += count; }

  int passed() const { return passed_; }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  int passed_ = 0;
  std::vector<std::string> failures_;
};

// Runs the cases in `dir`, which ends in no slash.
void RunPromql(const std::string& dir, Report* report);
void RunRules(const std::string& dir, Report* report);
void RunConfig(const std::string& dir, Report* report);
void RunRelabel(const std::string& dir, Report* report);
void RunTemplate(const std::string& dir, Report* report);
void RunExposition(const std::string& dir, Report* report);
void RunPromtool(const std::string& dir, Report* report);

// Reading of case files. A file that cannot be read, or a line that is no JSON, is a failure in the report.
struct JsonCase {
  std::string where;  // "parse.jsonl:12"
  YamlNode node;
};
std::vector<JsonCase> ReadJsonLines(const std::string& dir, const std::string& file, Report* report);
// Rows without the header, each with at least `columns` cells; "\n" in a cell is a newline.
struct TsvRow {
  std::string where;  // "errors.tsv: jobname.bad.yml"
  std::vector<std::string> cells;
};
std::vector<TsvRow> ReadTsv(const std::string& dir, const std::string& file, size_t columns, Report* report);
absl::StatusOr<std::string> ReadText(const std::string& path);

// Fields of a case. Text also looks for NAME_b64; absent is "", false, 0.
std::string Text(const YamlNode& node, std::string_view name);
bool Flag(const YamlNode& node, std::string_view name);
double Number(const YamlNode& node);  // "NaN", "+Inf", "-Inf" too
std::vector<std::pair<std::string, std::string>> Pairs(const YamlNode* node);
// NaN equals NaN.
bool SameNumber(double a, double b);
// Empty if `got` contains `part`, else a message with both.
std::string Missing(std::string_view got, std::string_view part);
// Empty if both are equal.
std::string Different(std::string_view what, std::string_view got, std::string_view want);

}  // namespace narthex::corpus
