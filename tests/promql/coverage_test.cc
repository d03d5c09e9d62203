// docs/promql-coverage.md must name every function, as it is, with a script that calls it. The program's
// working directory is the root of the repository.
#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "promql/syntax/signatures.h"

namespace narthex::promql {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Row {
  std::string name, arguments, result, experimental, script;
};

// "| `name` | arguments | ..." as its cells, back quotes taken off.
std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  std::stringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    const size_t first = cell.find_first_not_of(" `"), last = cell.find_last_not_of(" `");
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

std::vector<Row> DocumentedFunctions() {
  std::vector<Row> rows;
  std::stringstream in(ReadFile("docs/promql-coverage.md"));
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("| `", 0) != 0) continue;
    const std::vector<std::string> cells = Cells(line);
    EXPECT_EQ(cells.size(), 5u) << line;
    if (cells.size() == 5) rows.push_back({cells[0], cells[1], cells[2], cells[3], cells[4]});
  }
  return rows;
}

std::string TypeText(ValueType type) {
  return type == ValueType::kMatrix ? "range vector" : ValueTypeDocName(type);
}

std::string ArgumentsText(const FunctionSignature& function) {
  if (function.args.empty()) return "-";
  std::string out;
  for (size_t i = 0; i < function.args.size(); ++i) {
    std::string text = TypeText(function.args[i]);
    const bool optional = function.variadic != 0 && i + 1 == function.args.size();
    if (optional && function.variadic < 0) text += ", ...";
    if (optional && function.variadic > 1) text += ", up to " + std::to_string(function.variadic);
    out += (i > 0 ? ", " : "") + (optional ? "[" + text + "]" : text);
  }
  return out;
}

// True if a line that is run, not a comment, calls the function.
bool Calls(const std::string& script, const std::string& function) {
  std::stringstream in(script);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("eval", 0) != 0) continue;
    for (size_t at = line.find(function + "("); at != std::string::npos;
         at = line.find(function + "(", at + 1)) {
      const char before = line[at - 1];
      if (std::isalnum(static_cast<unsigned char>(before)) == 0 && before != '_') return true;
    }
  }
  return false;
}

TEST(PromqlCoverage, DocumentNamesEveryFunctionOnceInOrder) {
  std::vector<std::string> documented, known;
  for (const Row& row : DocumentedFunctions()) documented.push_back(row.name);
  for (const FunctionSignature& function : AllFunctions()) known.emplace_back(function.name);
  EXPECT_EQ(documented, known);
}

TEST(PromqlCoverage, DocumentGivesArgumentsResultAndStateOfEachFunction) {
  for (const Row& row : DocumentedFunctions()) {
    const FunctionSignature* function = FindFunction(row.name);
    ASSERT_NE(function, nullptr) << row.name;
    EXPECT_EQ(row.arguments, ArgumentsText(*function)) << row.name;
    EXPECT_EQ(row.result, TypeText(function->returns)) << row.name;
    EXPECT_EQ(row.experimental, function->experimental ? "yes" : "-") << row.name;
  }
}

TEST(PromqlCoverage, NamedScriptCallsTheFunction) {
  for (const Row& row : DocumentedFunctions()) {
    EXPECT_TRUE(Calls(ReadFile("tests/promql/" + row.script), row.name)) << row.script << ": " << row.name;
  }
}

}  // namespace
}  // namespace narthex::promql
