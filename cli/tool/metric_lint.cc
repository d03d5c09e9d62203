#include "cli/tool/metric_lint.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::cli {
namespace {

struct Unit {
  const char *name, *base;
};
constexpr Unit kUnits[] = {
    {"amperes", "amperes"}, {"bytes", "bytes"},     {"celsius", "celsius"}, {"grams", "grams"},
    {"joules", "joules"},   {"kelvin", "kelvin"},   {"meters", "meters"},   {"metres", "metres"},
    {"seconds", "seconds"}, {"volts", "volts"},     {"minutes", "seconds"}, {"hours", "seconds"},
    {"days", "seconds"},    {"weeks", "seconds"},   {"kelvins", "kelvin"},  {"fahrenheit", "celsius"},
    {"rankine", "celsius"}, {"inches", "meters"},   {"yards", "meters"},    {"miles", "meters"},
    {"bits", "bytes"},      {"calories", "joules"}, {"pounds", "grams"},    {"ounces", "grams"},
};
constexpr const char* kPrefixes[] = {"pico",  "nano", "micro", "milli", "centi", "deci", "deca",
                                     "hecto", "kilo", "kibi",  "mega",  "mibi",  "giga", "gibi",
                                     "tera",  "tebi", "peta",  "pebi",  ""};
constexpr const char* kAbbreviations[] = {"s",  "ms", "us", "ns", "sec", "b", "kb",
                                          "mb", "gb", "tb", "pb", "m",   "h", "d"};

// The problems of one family.
class Linter {
 public:
  Linter(const scraper::ExposedFamily& family, std::vector<MetricProblem>* out)
      : family_(family), out_(out), lower_(absl::AsciiStrToLower(family.name)) {}

  void Run() {
    if (!family_.has_help || family_.help.empty()) Add("no help text");
    if (family_.duplicates) Add("metric not unique");
    CheckUnits();
    CheckTotal();
    CheckReserved();
    if (family_.type != "untyped" && HasWord(family_.type))
      Add(StrCat("metric name should not include type '", family_.type, "'"));
    if (family_.name.find(':') != std::string::npos) Add("metric names should not contain ':'");
    if (IsCamelCase(family_.name)) Add("metric names should be written in 'snake_case' not 'camelCase'");
    for (const std::string& label : family_.label_names) {
      if (IsCamelCase(label)) Add("label names should be written in 'snake_case' not 'camelCase'");
    }
    for (const char* unit : kAbbreviations) {
      if (HasWord(unit)) Add("metric names should not contain abbreviated units");
    }
  }

 private:
  void Add(std::string text) { out_->push_back({family_.name, std::move(text)}); }

  // The word stands in the name, but not at its start.
  bool HasWord(std::string_view word) const {
    return lower_.find(StrCat("_", word, "_")) != std::string::npos || lower_.ends_with(StrCat("_", word));
  }

  static bool IsCamelCase(std::string_view name) {
    return std::adjacent_find(name.begin(), name.end(), [](char a, char b) {
             return absl::ascii_islower(a) && absl::ascii_isupper(b);
           }) != name.end();
  }

  void CheckUnits() {
    std::vector<std::string> words = absl::StrSplit(family_.name, '_');
    for (const Unit& unit : kUnits) {
      for (const char* prefix : kPrefixes) {
        std::string name = StrCat(prefix, unit.name);
        if (std::find(words.begin(), words.end(), name) == words.end()) continue;
        if (name != unit.base)
          Add(StrCat("use base unit ", GoQuote(unit.base), " instead of ", GoQuote(name)));
        return;
      }
    }
  }

  void CheckTotal() {
    const bool total = family_.name.ends_with("_total");
    if (family_.type == "counter" && !total) Add("counter metrics should have \"_total\" suffix");
    if (family_.type != "counter" && family_.type != "untyped" && total)
      Add("non-counter metrics should not have \"_total\" suffix");
  }

  // Names that histograms and summaries need for themselves.
  void CheckReserved() {
    if (family_.type == "untyped") return;
    const bool histogram = family_.type == "histogram", summary = family_.type == "summary";
    if (!histogram && family_.name.ends_with("_bucket"))
      Add("non-histogram metrics should not have \"_bucket\" suffix");
    for (const char* suffix : {"_count", "_sum"}) {
      if (!histogram && !summary && family_.name.ends_with(suffix))
        Add(StrCat("non-histogram and non-summary metrics should not have \"", suffix, "\" suffix"));
    }
    for (const std::string& label : family_.label_names) {
      if (!histogram && label == "le") Add("non-histogram metrics should not have \"le\" label");
      if (!summary && label == "quantile") Add("non-summary metrics should not have \"quantile\" label");
    }
  }

  const scraper::ExposedFamily& family_;
  std::vector<MetricProblem>* const out_;
  const std::string lower_;
};

}  // namespace

std::vector<MetricProblem> LintMetrics(const std::vector<scraper::ExposedFamily>& families) {
  std::vector<MetricProblem> out;
  for (const scraper::ExposedFamily& family : families) Linter(family, &out).Run();
  std::sort(out.begin(), out.end(), [](const MetricProblem& a, const MetricProblem& b) {
    return std::tie(a.metric, a.text) < std::tie(b.metric, b.text);
  });
  return out;
}

}  // namespace narthex::cli
