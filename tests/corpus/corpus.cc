#include "tests/corpus/corpus.h"

#include <cmath>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::corpus {

void Report::Check(std::string_view where, bool passed, std::string_view message) {
  if (passed) {
    ++passed_;
  } else {
    failures_.push_back(StrCat(where, ": ", message));
  }
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(StrCat("cannot read ", path));
  std::stringstream buffer;
  buffer << in.rdbuf();
  return std::move(buffer).str();
}

namespace {

std::vector<std::string> ReadLines(const std::string& dir, const std::string& file, Report* report) {
  absl::StatusOr<std::string> text = ReadText(StrCat(dir, "/", file));
  if (!text.ok()) {
    report->Result(file, std::string(text.status().message()));
    return {};
  }
  return absl::StrSplit(*text, '\n');
}

}  // namespace

std::vector<JsonCase> ReadJsonLines(const std::string& dir, const std::string& file, Report* report) {
  std::vector<JsonCase> out;
  int line = 0;
  for (const std::string& text : ReadLines(dir, file, report)) {
    ++line;
    if (text.empty()) continue;
    std::string where = StrCat(file, ":", line);
    absl::StatusOr<YamlNode> node = YamlNode::Parse(text);
    if (!node.ok() || !node->IsMapping()) {
      report->Result(where, StrCat("no JSON object: ", node.status().ToString()));
      continue;
    }
    out.push_back({std::move(where), *std::move(node)});
  }
  return out;
}

std::vector<TsvRow> ReadTsv(const std::string& dir, const std::string& file, size_t columns, Report* report) {
  std::vector<TsvRow> out;
  bool header = true;
  for (const std::string& line : ReadLines(dir, file, report)) {
    if (line.empty() || header) {
      header = false;
      continue;
    }
    TsvRow row;
    row.cells = absl::StrSplit(line, '\t');
    for (std::string& cell : row.cells) cell = absl::StrReplaceAll(cell, {{"\\n", "\n"}});
    if (row.cells.size() < columns) row.cells.resize(columns);
    row.where = StrCat(file, ": ", row.cells[0]);
    out.push_back(std::move(row));
  }
  return out;
}

std::string Text(const YamlNode& node, std::string_view name) {
  if (const YamlNode* encoded = node.Find(StrCat(name, "_b64"))) {
    std::string decoded;
    absl::Base64Unescape(encoded->scalar(), &decoded);
    return decoded;
  }
  const YamlNode* field = node.Find(name);
  return field == nullptr ? "" : field->scalar();
}

bool Flag(const YamlNode& node, std::string_view name) { return Text(node, name) == "true"; }

double Number(const YamlNode& node) { return ParseGoFloat(node.scalar()).value_or(0); }

std::vector<std::pair<std::string, std::string>> Pairs(const YamlNode* node) {
  std::vector<std::pair<std::string, std::string>> out;
  if (node == nullptr) return out;
  for (const auto& [name, value] : node->fields()) out.emplace_back(name, value.scalar());
  return out;
}

bool SameNumber(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

std::string Missing(std::string_view got, std::string_view part) {
  if (got.find(part) != got.npos) return "";
  return StrCat("want an error with ", GoQuote(part), ", got ", GoQuote(got));
}

std::string Different(std::string_view what, std::string_view got, std::string_view want) {
  if (got == want) return "";
  return StrCat(what, ": want ", GoQuote(want), ", got ", GoQuote(got));
}

}  // namespace narthex::corpus
