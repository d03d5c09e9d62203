// template/: alert templates and what they expand to.
#include "template/template.h"

#include "base/go_format.h"
#include "base/strings.h"
#include "template/exec.h"
#include "template/parser.h"
#include "template/value.h"
#include "tests/corpus/corpus.h"

namespace narthex::corpus {
namespace {

constexpr int kMaxDepth = 100;

tmpl::Value InputOf(const YamlNode& node) {
  if (node.IsScalar()) {
    bool boolean = !node.quoted() && (node.scalar() == "true" || node.scalar() == "false");
    return boolean ? tmpl::Value::Bool(node.scalar() == "true") : tmpl::Value::String(node.scalar());
  }
  if (!node.IsMapping() || node.fields().empty()) return tmpl::Value();
  const auto& [kind, value] = node.fields()[0];
  if (kind == "int") return tmpl::Value::Int(std::stoll(value.scalar()));
  if (kind == "uint") return tmpl::Value::Uint(std::stoull(value.scalar()));
  if (kind == "float") return tmpl::Value::Float(Number(value));
  if (kind == "list") {
    tmpl::List list;
    for (const YamlNode& item : value.items()) list.push_back(InputOf(item));
    return tmpl::Value::OfList(std::move(list));
  }
  tmpl::Map map;
  for (const auto& [name, item] : value.fields()) map[name] = InputOf(item);
  return tmpl::Value::OfMap(kind == "labels" ? tmpl::Value::kLabels : tmpl::Value::kMap, std::move(map));
}

std::vector<tmpl::QuerySample> SamplesOf(const YamlNode* node) {
  std::vector<tmpl::QuerySample> out;
  if (node == nullptr) return out;
  for (const YamlNode& item : node->items()) {
    tmpl::QuerySample sample;
    sample.labels = Pairs(item.Find("labels"));
    if (const YamlNode* value = item.Find("value")) sample.value = Number(*value);
    out.push_back(std::move(sample));
  }
  return out;
}

// The expansion, or the error text.
absl::StatusOr<std::string> Expand(const YamlNode& node) {
  tmpl::ExpandOptions options;
  options.name = "test";
  options.now_ms = 1353755652000;
  options.external_url = "http://testhost:9090/path/prefix";
  options.path_prefix = "/path/prefix";
  options.query = [samples = SamplesOf(node.Find("query_result"))](const std::string&, int64_t) {
    return absl::StatusOr<std::vector<tmpl::QuerySample>>(samples);
  };
  tmpl::ExecOptions exec;
  exec.escape_html = Flag(node, "html");
  if (const YamlNode* given = node.Find("options")) {
    for (const YamlNode& option : given->items())
      exec.missing_key_is_error |= option.scalar() == "missingkey=error";
  }
  absl::StatusOr<tmpl::TemplateSet> set = tmpl::ParseTemplate("test", Text(node, "text"), kMaxDepth);
  if (!set.ok()) {
    return absl::InvalidArgumentError(StrCat("error parsing template test: ", set.status().message()));
  }
  const YamlNode* input = node.Find("input");
  tmpl::Value dot = input == nullptr ? tmpl::Value() : InputOf(*input);
  absl::StatusOr<std::string> text = tmpl::Execute(*set, dot, options, exec);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(StrCat("error executing template test: ", text.status().message()));
}

}  // namespace

void RunTemplate(const std::string& dir, Report* report) {
  for (const JsonCase& c : ReadJsonLines(dir, "template.jsonl", report)) {
    absl::StatusOr<std::string> got = Expand(c.node);
    std::string error = Different("error", std::string(got.status().message()), Text(c.node, "error"));
    if (error.empty() && got.ok()) error = Different("text", *got, Text(c.node, "output"));
    report->Result(c.where, error);
  }
}

}  // namespace narthex::corpus
