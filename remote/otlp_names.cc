#include "remote/otlp_names.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "base/strings.h"

namespace narthex::remote {
namespace {

using Words = std::vector<std::string>;

constexpr std::pair<std::string_view, std::string_view> kUnits[] = {{"d", "days"},
                                                                    {"h", "hours"},
                                                                    {"min", "minutes"},
                                                                    {"s", "seconds"},
                                                                    {"ms", "milliseconds"},
                                                                    {"us", "microseconds"},
                                                                    {"ns", "nanoseconds"},
                                                                    {"By", "bytes"},
                                                                    {"KiBy", "kibibytes"},
                                                                    {"MiBy", "mebibytes"},
                                                                    {"GiBy", "gibibytes"},
                                                                    {"TiBy", "tibibytes"},
                                                                    {"KBy", "kilobytes"},
                                                                    {"MBy", "megabytes"},
                                                                    {"GBy", "gigabytes"},
                                                                    {"TBy", "terabytes"},
                                                                    {"KB", "kilobytes"},
                                                                    {"MB", "megabytes"},
                                                                    {"GB", "gigabytes"},
                                                                    {"TB", "terabytes"},
                                                                    {"m", "meters"},
                                                                    {"V", "volts"},
                                                                    {"A", "amperes"},
                                                                    {"J", "joules"},
                                                                    {"W", "watts"},
                                                                    {"g", "grams"},
                                                                    {"Cel", "celsius"},
                                                                    {"Hz", "hertz"},
                                                                    {"1", ""},
                                                                    {"%", "percent"}};
constexpr std::pair<std::string_view, std::string_view> kPerUnits[] = {
    {"s", "second"}, {"m", "minute"}, {"h", "hour"}, {"d", "day"},
    {"w", "week"},   {"mo", "month"}, {"y", "year"}};

template <size_t n>
std::string Lookup(const std::pair<std::string_view, std::string_view> (&table)[n], std::string_view unit) {
  for (const auto& [key, word] : table) {
    if (key == unit) return std::string(word);
  }
  return std::string(unit);
}

bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }

// What stands between characters that a name cannot have; ':' is allowed.
Words SplitName(std::string_view text) {
  Words words;
  std::string word;
  for (char c : text) {
    if (IsAlnum(c) || c == ':') {
      word.push_back(c);
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

struct UnitWords {
  std::string main, per;
};

std::string_view Strip(std::string_view text) {
  absl::string_view stripped = absl::StripAsciiWhitespace(ToAbsl(text));
  return {stripped.data(), stripped.size()};
}

// "{packet}/s": annotations in braces are no units.
UnitWords SplitUnit(std::string_view unit) {
  UnitWords out;
  size_t slash = unit.find('/');
  std::string_view main = Strip(unit.substr(0, slash));
  if (!main.empty() && main.find_first_of("{}") == main.npos) out.main = Lookup(kUnits, main);
  if (slash == unit.npos) return out;
  std::string_view per = Strip(unit.substr(slash + 1));
  if (!per.empty() && per.find_first_of("{}") == per.npos) out.per = Lookup(kPerUnits, per);
  return out;
}

void Remove(Words* words, std::string_view word) { std::erase(*words, word); }

bool Contains(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string Escaped(const Words& words) {
  std::string name = absl::StrJoin(words, "_");
  if (!name.empty() && absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) name.insert(0, "_");
  return name;
}

std::string EscapedWithSuffixes(std::string_view name, std::string_view unit, OtlpKind kind) {
  Words words = SplitName(name);
  UnitWords units = SplitUnit(unit);
  std::string main = absl::StrJoin(SplitName(units.main), "_"),
              per = absl::StrJoin(SplitName(units.per), "_");
  if (!main.empty() && !Contains(words, main)) words.push_back(main);
  if (!per.empty() && !Contains(words, per)) {
    words.emplace_back("per");
    words.push_back(per);
  }
  if (kind == OtlpKind::kMonotonicCounter) {
    Remove(&words, "total");
    words.emplace_back("total");
  }
  if (kind == OtlpKind::kGauge && unit == "1") {
    Remove(&words, "ratio");
    words.emplace_back("ratio");
  }
  return Escaped(words);
}

void AddSuffix(std::string* name, std::string_view suffix) {
  if (suffix.empty() || name->ends_with(suffix)) return;
  StrAppend(name, "_", suffix);
}

std::string Utf8WithSuffixes(std::string_view name, std::string_view unit, OtlpKind kind) {
  std::string out(name);
  // _total and _ratio stay last, whatever the name had.
  if (kind == OtlpKind::kMonotonicCounter && out.ends_with("_total")) out.resize(out.size() - 6);
  if (kind == OtlpKind::kGauge && unit == "1" && out.ends_with("_ratio")) out.resize(out.size() - 6);
  UnitWords units = SplitUnit(unit);
  AddSuffix(&out, units.main);
  if (!units.per.empty()) AddSuffix(&out, StrCat("per_", units.per));
  if (kind == OtlpKind::kMonotonicCounter) AddSuffix(&out, "total");
  if (kind == OtlpKind::kGauge && unit == "1") AddSuffix(&out, "ratio");
  return out;
}

}  // namespace

std::string OtlpMetricName(const OtlpConfig& config, std::string_view name, std::string_view unit,
                           OtlpKind kind) {
  if (config.strategy == "NoTranslation") return std::string(name);
  if (config.strategy == "NoUTF8EscapingWithSuffixes") return Utf8WithSuffixes(name, unit, kind);
  if (config.strategy == "UnderscoreEscapingWithoutSuffixes") return Escaped(SplitName(name));
  return EscapedWithSuffixes(name, unit, kind);
}

std::string OtlpLabelName(const OtlpConfig& config, std::string_view attribute) {
  if (config.Utf8()) return std::string(attribute);
  std::string out;
  for (size_t i = 0; i < attribute.size(); ++i) {
    char c = attribute[i];
    bool continuation = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    if (continuation) continue;  // one underscore a character
    char kept = IsAlnum(c) ? c : '_';
    if (kept == '_' && !config.preserve_underscores && out.ends_with("_")) continue;
    out.push_back(kept);
  }
  if (out.empty()) return out;
  if (absl::ascii_isdigit(static_cast<unsigned char>(out[0]))) return "key_" + out;
  bool one_underscore = out[0] == '_' && !out.starts_with("__");
  return one_underscore && config.sanitize_underscore ? "key" + out : out;
}

std::string OtlpUnit(std::string_view unit) {
  UnitWords units = SplitUnit(unit);
  std::string out = std::move(units.main);
  if (!units.per.empty()) StrAppend(&out, out.empty() ? "per_" : "_per_", units.per);
  return out;
}

}  // namespace narthex::remote
