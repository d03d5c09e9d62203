// /api/v1/targets/relabel_steps and /api/v1/scrape_pools/config: one scrape job, looked into.
#include <string>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/encode.h"
#include "api/params.h"
#include "api/respond.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace narthex::api {
namespace {

using ScrapeConfigPtr = std::shared_ptr<const scraper::ScrapeConfig>;

ScrapeConfigPtr FindPool(const Call& call, const std::string& pool) {
  return call.options.scrape_config ? call.options.scrape_config(pool) : nullptr;
}

std::string PoolNotFound(const std::string& pool) {
  return StrCat("scrape pool ", GoQuote(pool), " not found");
}

// A flat JSON object of strings. JSON is YAML too; what YAML would accept beyond JSON does no harm here.
absl::StatusOr<Labels> ParseLabels(const std::string& text) {
  absl::StatusOr<YamlNode> node = YamlNode::Parse(text);
  if (!node.ok() || !node->IsMapping() || !text.starts_with("{")) {
    return absl::InvalidArgumentError(
        StrCat("invalid labels ", GoQuote(text), ": not a JSON object of strings"));
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : node->fields()) {
    if (!value.IsScalar() || !value.quoted()) {
      return absl::InvalidArgumentError(StrCat("the value of label ", GoQuote(name), " is not a string"));
    }
    pairs.emplace_back(name, value.scalar());
  }
  return Labels::FromPairs(std::move(pairs));
}

void WriteRule(const RelabelConfig& rule, JsonWriter* json) {
  json->BeginObject();
  if (!rule.source_labels.empty()) {
    json->Key("sourceLabels").BeginArray();
    for (const std::string& label : rule.source_labels) WriteText(label, json);
    json->EndArray();
  }
  auto text = [json](std::string_view key, std::string_view value) {
    if (value.empty()) return;
    json->Key(key);
    WriteText(value, json);
  };
  text("separator", rule.separator);
  text("regex", rule.regex_text);
  if (rule.modulus != 0) json->Key("modulus").Uint(rule.modulus);
  text("targetLabel", rule.target_label);
  text("replacement", rule.replacement);
  text("action", RelabelActionName(rule.action));
  json->EndObject();
}

}  // namespace

absl::Status TargetRelabelSteps(Call& call) {
  std::string pool = call.Param("scrapePool");
  if (pool.empty()) return absl::InvalidArgumentError("no scrapePool parameter provided");
  std::string text = call.Param("labels");
  if (text.empty()) return absl::InvalidArgumentError("no labels parameter provided");
  absl::StatusOr<Labels> labels = ParseLabels(text);
  if (!labels.ok())
    return absl::InvalidArgumentError(StrCat("error parsing labels: ", MessageOf(labels.status())));
  ScrapeConfigPtr config = FindPool(call, pool);
  if (config == nullptr) {
    return absl::InvalidArgumentError(StrCat("error retrieving scrape config: ", PoolNotFound(pool)));
  }
  SuccessBody body(call.out);
  JsonWriter* json = body.json();
  json->BeginObject().Key("steps").BeginArray();
  LabelsBuilder builder(*labels);
  bool keep = true;
  for (const RelabelConfig& rule : config->relabel_configs) {
    keep = keep && Relabel({rule}, &builder);
    json->BeginObject().Key("rule");
    WriteRule(rule, json);
    json->Key("output");
    WriteLabels(keep ? builder.Build() : Labels(), json);
    json->Key("keep").Bool(keep).EndObject();
  }
  json->EndArray().EndObject();
  return body.Finish();
}

absl::Status ScrapePoolConfig(Call& call) {
  std::string pool = call.Param("scrapePool");
  if (pool.empty()) return absl::InvalidArgumentError("no scrapePool parameter provided");
  ScrapeConfigPtr config = FindPool(call, pool);
  if (config == nullptr) return absl::NotFoundError(PoolNotFound(pool));
  SuccessBody body(call.out);
  body.json()->BeginObject().Key("yaml");
  WriteText(config->yaml, body.json());
  body.json()->EndObject();
  return body.Finish();
}

}  // namespace narthex::api
