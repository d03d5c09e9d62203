// The metric families of an exposition, for the lints of `check metrics`.
#include <map>
#include <set>

#include "base/status_macros.h"
#include "scraper/parser.h"
#include "scraper/scraper.h"

namespace narthex::scraper {
namespace {

// The family that a series belongs to: parts of a histogram or summary bear suffixes.
std::string FamilyName(const std::map<std::string, ExposedFamily>& families, const std::string& series) {
  for (std::string_view suffix : {"_bucket", "_count", "_sum"}) {
    if (!series.ends_with(suffix)) continue;
    auto it = families.find(series.substr(0, series.size() - suffix.size()));
    if (it == families.end()) continue;
    const std::string& type = it->second.type;
    if (type == "histogram" || (type == "summary" && suffix != "_bucket")) return it->first;
  }
  return series;
}

ExposedFamily& Family(std::map<std::string, ExposedFamily>* families, const std::string& name) {
  ExposedFamily& family = (*families)[name];
  family.name = name;
  return family;
}

void AddSeries(const LabelPairs& labels, std::set<Labels>* seen,
               std::map<std::string, ExposedFamily>* families) {
  ExposedFamily& family = Family(families, FamilyName(*families, labels[0].second));
  family.duplicates |= !seen->insert(Labels::FromPairs(labels)).second;
  ++family.series;
  for (size_t i = 1; i < labels.size(); ++i) family.label_names.push_back(labels[i].first);
}

}  // namespace

absl::StatusOr<std::vector<ExposedFamily>> ReadExposedFamilies(std::string text) {
  std::map<std::string, ExposedFamily> families;
  std::set<Labels> seen;
  std::unique_ptr<ExpositionParser> parser = NewTextParser(&text, ParserOptions());
  while (true) {
    ASSIGN_OR_RETURN(EntryKind kind, parser->Next());
    if (kind == EntryKind::kEnd) break;
    if (kind == EntryKind::kHelp) {
      ExposedFamily& family = Family(&families, std::string(parser->metric()));
      family.help = parser->help();
      family.has_help = true;
    } else if (kind == EntryKind::kType) {
      Family(&families, std::string(parser->metric())).type = std::string(parser->type());
    } else if (kind == EntryKind::kSeries) {
      LabelPairs labels;
      parser->BuildLabels(&labels);
      if (!labels.empty()) AddSeries(labels, &seen, &families);
    }
  }
  std::vector<ExposedFamily> out;
  for (auto& [name, family] : families) {
    if (family.series == 0) continue;
    if (family.type == "unknown") family.type = "untyped";
    out.push_back(std::move(family));
  }
  return out;
}

}  // namespace narthex::scraper
