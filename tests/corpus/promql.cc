// promql/: scripts, and which texts parse, with what error and how they print.
#include <algorithm>
#include <filesystem>

#include "base/strings.h"
#include "promql/script/script.h"
#include "promql/syntax/ast.h"
#include "promql/syntax/parser.h"
#include "tests/corpus/corpus.h"

namespace narthex::corpus {
namespace {

void RunScripts(const std::string& dir, Report* report) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path().filename().string());
  }
  std::sort(files.begin(), files.end());
  promql::ScriptOptions options;
  options.clock = &SystemClock();
  for (const std::string& file : files) {
    absl::StatusOr<std::string> text = ReadText(StrCat(dir, "/", file));
    if (!text.ok()) {
      report->Result(file, std::string(text.status().message()));
      continue;
    }
    promql::ScriptReport result = promql::RunScript(*text, options);
    report->AddPassed(result.passed);
    for (const promql::ScriptFailure& failure : result.failures) {
      report->Check(StrCat(file, ":", failure.line), false, failure.message);
    }
  }
}

promql::ParserOptions AllSyntax() {
  promql::ParserOptions options;
  options.experimental_functions = true;
  options.duration_expressions = true;
  options.extended_range_selectors = true;
  return options;
}

// The positions and messages of all errors; the corpus holds the first five.
std::string CompareErrors(const YamlNode& want, const std::vector<promql::ParseError>& got) {
  const std::vector<YamlNode>& items = want.items();
  if (got.size() < items.size()) return StrCat("want ", items.size(), " errors, got ", got.size());
  for (size_t i = 0; i < items.size(); ++i) {
    std::string error = Different(StrCat("message of error ", i), got[i].message, Text(items[i], "msg"));
    if (!error.empty()) return error;
    std::string range = StrCat(got[i].pos.start, "-", got[i].pos.end);
    error = Different(StrCat("position of error ", i), range,
                      StrCat(Text(items[i], "start"), "-", Text(items[i], "end")));
    if (!error.empty()) return error;
  }
  return "";
}

std::string CheckParse(const YamlNode& node) {
  std::string query = Text(node, "query");
  std::vector<promql::ParseError> errors;
  absl::StatusOr<promql::ExprPtr> tree = promql::ParseExpr(query, AllSyntax(), &errors);
  if (tree.ok() != Flag(node, "valid")) {
    return tree.ok() ? StrCat("should not parse: ", query)
                     : StrCat("should parse: ", query, ": ", tree.status().ToString());
  }
  if (tree.ok()) {
    std::string type = Text(node, "type");
    return type.empty() ? "" : Different("type", promql::ValueTypeDocName(promql::TypeOf(**tree)), type);
  }
  std::string error = Different("error", std::string(tree.status().message()), Text(node, "error"));
  const YamlNode* all = node.Find("errors");
  return error.empty() && all != nullptr ? CompareErrors(*all, errors) : error;
}

std::string CheckFormat(const YamlNode& node) {
  promql::ParserOptions options = AllSyntax();
  options.fill_modifiers = true;
  absl::StatusOr<promql::ExprPtr> tree = promql::ParseExpr(Text(node, "in"), options);
  if (!tree.ok()) return StrCat("does not parse: ", Text(node, "in"), ": ", tree.status().ToString());
  if (Text(node, "op") == "string") return Different("text", promql::ToString(**tree), Text(node, "out"));
  const YamlNode* limit = node.Find("max_chars");
  int max_chars = limit == nullptr ? 100 : static_cast<int>(Number(*limit));
  return Different("pretty text", promql::Pretty(**tree, max_chars), Text(node, "out"));
}

std::string CheckSeries(const YamlNode& node) {
  absl::StatusOr<promql::SeriesDescription> series = promql::ParseSeriesDescription(Text(node, "input"));
  if (series.ok() != Flag(node, "valid")) {
    return StrCat(Text(node, "input"), ": ", series.ok() ? "should be refused" : series.status().ToString());
  }
  if (!series.ok()) return "";
  Labels want = Labels::FromPairs(Pairs(node.Find("labels")));
  if (series->labels != want) return Different("labels", series->labels.ToString(), want.ToString());
  const std::vector<YamlNode>& values = node.Find("values")->items();
  if (values.size() != series->points.size()) {
    return StrCat("want ", values.size(), " points, got ", series->points.size());
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const promql::SequencePoint& point = series->points[i];
    if (values[i].IsNull() != point.missing) return StrCat("point ", i, " is wrongly there or missing");
    if (!point.missing && !SameNumber(point.v, Number(values[i]))) {
      return StrCat("point ", i, ": want ", values[i].scalar(), ", got ", point.v);
    }
  }
  return "";
}

}  // namespace

void RunPromql(const std::string& dir, Report* report) {
  RunScripts(dir, report);
  for (const JsonCase& c : ReadJsonLines(dir, "parser.jsonl", report))
    report->Result(c.where, CheckParse(c.node));
  for (const JsonCase& c : ReadJsonLines(dir, "format.jsonl", report))
    report->Result(c.where, CheckFormat(c.node));
  for (const JsonCase& c : ReadJsonLines(dir, "series_desc.jsonl", report))
    report->Result(c.where, CheckSeries(c.node));
}

}  // namespace narthex::corpus
