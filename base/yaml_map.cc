// Strict reading of one mapping, with the errors of Prometheus's YAML library.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/str_join.h"
#include "base/duration.h"
#include "base/go_format.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace narthex {
namespace {

std::optional<bool> ResolveBool(const YamlNode& node) {
  static const std::set<std::string_view> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                                   "on",   "On",   "ON",   "y",   "Y"};
  static const std::set<std::string_view> kFalse = {"false", "False", "FALSE", "no", "No", "NO",
                                                    "off",   "Off",   "OFF",   "n",  "N"};
  if (!node.IsScalar() || node.quoted()) return std::nullopt;
  if (kTrue.contains(node.scalar())) return true;
  if (kFalse.contains(node.scalar())) return false;
  return std::nullopt;
}

// An integer as Go's ParseInt(text, 0, 64) reads it: 0x, 0o, 0b and 0 prefixes, underscores.
struct Integer {
  bool negative = false;
  uint64_t magnitude = 0;
};
std::optional<Integer> ResolveInt(const YamlNode& node) {
  if (!node.IsScalar() || node.quoted()) return std::nullopt;
  std::string text;
  for (char c : node.scalar()) {
    if (c != '_') text.push_back(c);
  }
  Integer out;
  std::string_view rest = text;
  if (rest.starts_with("-") || rest.starts_with("+")) {
    out.negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  int base = 10;
  if (rest.size() > 1 && rest[0] == '0') {
    char mark = static_cast<char>(std::tolower(static_cast<unsigned char>(rest[1])));
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    rest.remove_prefix(base == 8 && mark != 'o' ? 1 : 2);
  }
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.magnitude, base);
  if (rest.empty() || error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  return out;
}

std::optional<double> ResolveFloat(const YamlNode& node) {
  if (!node.IsScalar() || node.quoted()) return std::nullopt;
  if (std::optional<Integer> integer = ResolveInt(node)) {
    double magnitude = static_cast<double>(integer->magnitude);
    return integer->negative ? -magnitude : magnitude;
  }
  std::string_view text = node.scalar();
  std::string_view bare = text.starts_with("+") || text.starts_with("-") ? text.substr(1) : text;
  constexpr double kInf = std::numeric_limits<double>::infinity();
  if (bare == ".inf" || bare == ".Inf" || bare == ".INF") return text[0] == '-' ? -kInf : kInf;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::numeric_limits<double>::quiet_NaN();
  if (text.find_first_not_of("0123456789+-.eE") != text.npos) return std::nullopt;
  return ParseGoFloat(text);
}

// What Go's library calls a node in "cannot unmarshal !!str `x` into int".
std::string Describe(const YamlNode& node) {
  if (node.IsSequence()) return "!!seq";
  if (node.IsMapping()) return "!!map";
  const std::string& text = node.scalar();
  std::string_view tag = ResolveBool(node)    ? "!!bool"
                         : ResolveInt(node)   ? "!!int"
                         : ResolveFloat(node) ? "!!float"
                                              : "!!str";
  std::string shown = text.size() > 10 ? StrCat(std::string_view(text).substr(0, 7), "...") : text;
  return StrCat(tag, " `", shown, "`");
}

// Go's library makes integers of floats, cutting off what does not fit into one.
std::optional<Integer> ResolveWhole(const YamlNode& node) {
  if (std::optional<Integer> integer = ResolveInt(node)) return integer;
  const std::optional<double> value = ResolveFloat(node);
  if (!value || !(std::fabs(*value) < 9.2e18)) return std::nullopt;
  return Integer{*value < 0, static_cast<uint64_t>(std::fabs(*value))};
}

// Marks errors that stand alone, without a line: those of texts that Prometheus reads itself.
constexpr char kAlone = '\x01';

std::string CannotUnmarshal(const YamlNode& node, std::string_view type) {
  return StrCat("cannot unmarshal ", Describe(node), " into ", type);
}

// "line 12: ..." -> 12.
int LineOf(const std::string& error) {
  int line = 0;
  std::from_chars(error.data() + 5, error.data() + error.size(), line);
  return line;
}

}  // namespace

YamlMap::YamlMap(const YamlNode& node, std::string_view type_name) : node_(node), type_name_(type_name) {
  if (!node.IsMapping() && !node.IsNull()) AddError(node.line(), CannotUnmarshal(node, type_name));
  for (const auto& [key, line] : node.duplicates()) {
    AddError(line, StrCat("field ", key, " already set in type ", type_name));
  }
}

const YamlNode* YamlMap::Take(std::string_view key) {
  known_.emplace_back(key);
  const YamlNode* node = node_.Find(key);
  return node == nullptr || node->IsNull() ? nullptr : node;
}

const YamlNode* YamlMap::Child(std::string_view key) { return Take(key); }
bool YamlMap::Has(std::string_view key) const { return node_.Find(key) != nullptr; }

void YamlMap::AddError(int line, std::string_view message) {
  errors_.push_back(StrCat("line ", line, ": ", message));
}

void YamlMap::Get(std::string_view key, std::string* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsScalar()) {
    AddError(node->line(), CannotUnmarshal(*node, "string"));
    return;
  }
  *out = node->scalar();
}

void YamlMap::Get(std::string_view key, bool* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (std::optional<bool> value = ResolveBool(*node)) {
    *out = *value;
  } else {
    AddError(node->line(), CannotUnmarshal(*node, "bool"));
  }
}

void YamlMap::Get(std::string_view key, int64_t* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  std::optional<Integer> value = ResolveWhole(*node);
  if (!value || value->magnitude > kMax + (value->negative ? 1 : 0)) {
    AddError(node->line(), CannotUnmarshal(*node, "int"));
    return;
  }
  *out = static_cast<int64_t>(value->negative ? uint64_t(0) - value->magnitude : value->magnitude);
}

void YamlMap::Get(std::string_view key, uint64_t* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  std::optional<Integer> value = ResolveWhole(*node);
  if (!value || (value->negative && value->magnitude != 0)) {
    AddError(node->line(), CannotUnmarshal(*node, "uint64"));
    return;
  }
  *out = value->magnitude;
}

void YamlMap::Get(std::string_view key, double* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  std::optional<double> value = ResolveFloat(*node);
  if (!value) {
    AddError(node->line(), CannotUnmarshal(*node, "float64"));
    return;
  }
  *out = *value;
}

void YamlMap::Get(std::string_view key, std::vector<std::string>* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsSequence()) {
    AddError(node->line(), CannotUnmarshal(*node, "[]string"));
    return;
  }
  out->clear();
  for (const YamlNode& item : node->items()) {
    if (!item.IsScalar() && !item.IsNull()) {
      AddError(item.line(), CannotUnmarshal(item, "string"));
      continue;
    }
    out->push_back(item.scalar());
  }
}

void YamlMap::Get(std::string_view key, std::vector<std::pair<std::string, std::string>>* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsMapping()) {
    AddError(node->line(), CannotUnmarshal(*node, "map[string]string"));
    return;
  }
  out->clear();
  for (const auto& [name, line] : node->duplicates()) {
    AddError(line, StrCat("key ", GoQuote(name), " already set in map"));
  }
  for (const auto& [name, value] : node->fields()) {
    if (!value.IsScalar() && !value.IsNull()) {
      AddError(value.line(), CannotUnmarshal(value, "string"));
      continue;
    }
    out->emplace_back(name, value.IsNull() ? "" : value.scalar());
  }
}

void YamlMap::GetDuration(std::string_view key, int64_t* out_ms) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsScalar()) {
    AddError(node->line(), CannotUnmarshal(*node, "string"));
    return;
  }
  absl::StatusOr<int64_t> value = ParseDurationMs(node->scalar());
  if (!value.ok()) {
    errors_.push_back(StrCat(std::string(1, kAlone), std::string(value.status().message())));
    return;
  }
  *out_ms = *value;
}

void YamlMap::GetBytes(std::string_view key, int64_t* out_bytes) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  absl::StatusOr<int64_t> value = ParseBytes(node->scalar());
  if (!value.ok()) {
    errors_.push_back(StrCat(std::string(1, kAlone), std::string(value.status().message())));
    return;
  }
  *out_bytes = *value;
}

absl::Status YamlMap::Finish(bool ignore_unknown) {
  for (size_t i = 0; !ignore_unknown && i < node_.fields().size(); ++i) {
    const std::string& key = node_.fields()[i].first;
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      AddError(node_.key_line(i), StrCat("field ", key, " not found in type ", type_name_));
    }
  }
  if (errors_.empty()) return absl::OkStatus();
  for (const std::string& error : errors_) {
    if (error[0] == kAlone) return absl::InvalidArgumentError(error.substr(1));
  }
  std::stable_sort(errors_.begin(), errors_.end(),
                   [](const std::string& a, const std::string& b) { return LineOf(a) < LineOf(b); });
  return absl::InvalidArgumentError(StrCat("yaml: unmarshal errors:\n  ", absl::StrJoin(errors_, "\n  ")));
}

absl::StatusOr<int64_t> ParseBytes(std::string_view text) {
  auto error = [&](std::string_view what) {
    return absl::InvalidArgumentError(StrCat("units: ", what, text));
  };
  if (text == "0") return 0;
  std::string_view rest = text;
  if (rest.empty()) return error("invalid ");
  double total = 0;
  while (!rest.empty()) {
    size_t digits = std::min(rest.find_first_not_of("0123456789."), rest.size());
    std::optional<double> number = ParseGoFloat(rest.substr(0, digits));
    if (!number) return error("invalid ");
    rest.remove_prefix(digits);
    std::string_view unit = rest.substr(0, rest.find_first_of("0123456789.-"));
    rest.remove_prefix(unit.size());
    static constexpr std::string_view kPrefixes = "KMGTPE";
    size_t prefix = unit.empty() ? kPrefixes.npos : kPrefixes.find(unit[0]);
    bool prefixed = prefix != kPrefixes.npos && (unit.substr(1) == "B" || unit.substr(1) == "iB");
    if (!prefixed && unit != "B") return error(StrCat("unknown unit ", unit, " in "));
    for (size_t i = 0; prefixed && i <= prefix; ++i) *number *= 1024;
    total += *number;
  }
  if (total >= 9.2e18) return error("overflow parsing unit in ");
  return static_cast<int64_t>(total);
}

}  // namespace narthex
