// config/: configurations that load, with the values they have in effect, and those that are refused.
#include "cli/config.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_replace.h"
#include "base/strings.h"
#include "discovery/discovery.h"
#include "tests/corpus/corpus.h"

namespace narthex::corpus {
namespace {

std::string Compare(const YamlNode& want, const YamlNode* got, const std::string& path,
                    const std::string& dir);

// What is off by default is not printed.
bool IsOff(const YamlNode& node) {
  return node.IsNull() || (node.IsSequence() && node.items().empty()) || node.scalar() == "false";
}

// The static targets of a printed scrape config.
std::string CompareTargets(const YamlNode& want, const YamlNode& section) {
  std::string expected, found;
  for (const YamlNode& target : want.items()) StrAppend(&expected, target.scalar(), " ");
  const YamlNode* groups = section.Find("static_configs");
  for (const YamlNode& group : groups ? groups->items() : std::vector<YamlNode>()) {
    const YamlNode* targets = group.Find("targets");
    for (const YamlNode& target : targets ? targets->items() : std::vector<YamlNode>()) {
      StrAppend(&found, target.scalar(), " ");
    }
  }
  return Different("targets", found, expected);
}

std::string CompareMapping(const YamlNode& want, const YamlNode& got, const std::string& path,
                           const std::string& dir) {
  for (const auto& [key, value] : want.fields()) {
    std::string error = key == "targets" ? CompareTargets(value, got)
                                         : Compare(value, got.Find(key), StrCat(path, ".", key), dir);
    if (!error.empty()) return error;
  }
  return "";
}

// Everything that `want` holds is in `got`.
std::string Compare(const YamlNode& want, const YamlNode* got, const std::string& path,
                    const std::string& dir) {
  if (got == nullptr) return IsOff(want) ? "" : StrCat(path, ": not there");
  if (want.IsMapping()) return CompareMapping(want, *got, path, dir);
  if (!want.IsSequence())
    return Different(path, got->scalar(), absl::StrReplaceAll(want.scalar(), {{"%DIR%", dir}}));
  if (want.items().size() != got->items().size())
    return StrCat(path, ": want ", want.items().size(), " items, got ", got->items().size());
  for (size_t i = 0; i < want.items().size(); ++i) {
    std::string error = Compare(want.items()[i], &got->items()[i], StrCat(path, "[", i, "]"), dir);
    if (!error.empty()) return error;
  }
  return "";
}

std::string CheckGood(const std::string& dir, const YamlNode& node) {
  std::vector<std::pair<std::string, std::string>> environment = Pairs(node.Find("env"));
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  absl::StatusOr<cli::LoadedConfig> config = cli::LoadConfig(StrCat(dir, "/", Text(node, "file")));
  for (const auto& [name, value] : environment) unsetenv(name.c_str());
  if (!config.ok()) return config.status().ToString();
  absl::StatusOr<YamlNode> effective = YamlNode::Parse(config->yaml);
  if (!effective.ok()) return StrCat("effective configuration: ", effective.status().ToString());
  return Compare(*node.Find("expect"), &*effective, "", dir);
}

std::string CheckRefused(const std::string& path, const std::string& part, bool agent_mode) {
  absl::Status status = cli::LoadConfig(path, agent_mode).status();
  if (part.empty()) return status.ok() ? "" : status.ToString();
  if (status.ok()) return StrCat("should be refused: ", part);
  std::string message(status.message());
  // What agent mode forbids is no error of the file.
  std::string start = StrCat("parsing YAML file ", path, ": ");
  if (message.starts_with(start) == agent_mode) {
    return StrCat(agent_mode ? "starts with \"" : "does not start with \"", start, "\": ", message);
  }
  // Names of Go types are no promise.
  return Missing(message, part.substr(0, part.find(" in type")));
}

// "address, address {label="x"}" for each group.
std::string GroupsText(const std::vector<discovery::TargetGroup>& groups) {
  std::string out;
  for (const discovery::TargetGroup& group : groups) {
    for (const Labels& target : group.targets) StrAppend(&out, target.Get("__address__"), ", ");
    StrAppend(&out, LabelsBuilder(group.labels).Del("__meta_filepath").Build().ToString(), "; ");
  }
  return out;
}

std::string CheckTargetFile(const std::string& dir, const YamlNode& node) {
  std::string path = StrCat(dir, "/sd/", Text(node, "file"));
  absl::StatusOr<std::string> text = ReadText(path);
  if (!text.ok()) return std::string(text.status().message());
  absl::StatusOr<std::vector<discovery::TargetGroup>> got = discovery::ParseTargetFile(path, *text);
  if (got.ok() != Flag(node, "valid"))
    return got.ok() ? StrCat("should be refused: ", Text(node, "error")) : got.status().ToString();
  if (!got.ok()) return Missing(std::string(got.status().message()), Text(node, "error"));
  const YamlNode* groups = node.Find("groups");
  std::vector<discovery::TargetGroup> want;
  for (const YamlNode& group : groups ? groups->items() : std::vector<YamlNode>()) {
    discovery::TargetGroup& expected = want.emplace_back();
    for (const YamlNode& target : group.Find("targets")->items())
      expected.targets.push_back(Labels({{"__address__", target.scalar()}}));
    expected.labels = Labels::FromPairs(Pairs(group.Find("labels")));
  }
  return Different("groups", GroupsText(*got), GroupsText(want));
}

}  // namespace

void RunConfig(const std::string& dir, Report* report) {
  for (const TsvRow& row : ReadTsv(dir, "errors.tsv", 2, report))
    report->Result(row.where, CheckRefused(StrCat(dir, "/", row.cells[0]), row.cells[1], false));
  for (const TsvRow& row : ReadTsv(dir, "agent.tsv", 2, report))
    report->Result(row.where, CheckRefused(StrCat(dir, "/", row.cells[0]), row.cells[1], true));
  for (const JsonCase& c : ReadJsonLines(dir, "good.jsonl", report))
    report->Result(StrCat(c.where, " ", Text(c.node, "file")), CheckGood(dir, c.node));
  for (const JsonCase& c : ReadJsonLines(dir, "sd/cases.jsonl", report))
    report->Result(StrCat(c.where, " ", Text(c.node, "file")), CheckTargetFile(dir, c.node));
}

}  // namespace narthex::corpus
