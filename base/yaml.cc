#include "base/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "base/duration.h"
#include "base/go_format.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex {

struct YamlNode::Rep {
  Kind kind = Kind::kNull;
  int line = 0;
  bool quoted = false;
  std::string scalar;
  std::vector<YamlNode> items;
  std::vector<std::pair<std::string, YamlNode>> fields;
};

// Builds nodes; the converter below is its only user.
struct YamlAccess {
  static YamlNode Wrap(YamlNode::Rep rep) {
    YamlNode node;
    node.rep_ = std::make_shared<const YamlNode::Rep>(std::move(rep));
    return node;
  }
  using Rep = YamlNode::Rep;
};

namespace {

constexpr int kMaxDepth = 100;
constexpr size_t kMaxNodes = 2'000'000;  // aliases count each time: stops alias bombs
constexpr size_t kMaxBytes = 64 << 20;

// Copies a yaml-cpp tree. May be used on one thread only; counts nodes against the limit.
class Converter {
 public:
  absl::StatusOr<YamlNode> Convert(const YAML::Node& in, int depth) {
    if (depth > kMaxDepth) return absl::InvalidArgumentError("yaml: exceeded max depth of 100");
    if (++nodes_ > kMaxNodes) return absl::InvalidArgumentError("yaml: document contains excessive aliasing");
    YamlAccess::Rep rep;
    rep.line = in.Mark().line + 1;
    switch (in.Type()) {
      case YAML::NodeType::Scalar:
        return ConvertScalar(in, std::move(rep));
      case YAML::NodeType::Sequence:
        rep.kind = YamlNode::Kind::kSequence;
        for (const YAML::Node& item : in) {
          ASSIGN_OR_RETURN(YamlNode node, Convert(item, depth + 1));
          rep.items.push_back(std::move(node));
        }
        break;
      case YAML::NodeType::Map:
        RETURN_IF_ERROR(ConvertMap(in, depth, &rep));
        break;
      default:
        break;
    }
    return YamlAccess::Wrap(std::move(rep));
  }

 private:
  YamlNode ConvertScalar(const YAML::Node& in, YamlAccess::Rep rep) {
    rep.scalar = in.Scalar();
    rep.quoted = in.Tag() == "!";
    bool null = !rep.quoted && (rep.scalar.empty() || rep.scalar == "~" || rep.scalar == "null" ||
                                rep.scalar == "Null" || rep.scalar == "NULL");
    rep.kind = null ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar;
    return YamlAccess::Wrap(std::move(rep));
  }

  absl::Status ConvertMap(const YAML::Node& in, int depth, YamlAccess::Rep* rep) {
    rep->kind = YamlNode::Kind::kMapping;
    std::set<std::string> seen;
    std::vector<YamlNode> merged;
    for (const auto& entry : in) {
      if (!entry.first.IsScalar()) {
        return absl::InvalidArgumentError(
            StrCat("yaml: line ", entry.first.Mark().line + 1, ": invalid map key"));
      }
      std::string key = entry.first.Scalar();
      ASSIGN_OR_RETURN(YamlNode value, Convert(entry.second, depth + 1));
      if (key == "<<") {
        if (value.IsSequence()) {
          merged.insert(merged.end(), value.items().begin(), value.items().end());
        } else {
          merged.push_back(value);
        }
        continue;
      }
      if (!seen.insert(key).second) {
        return absl::InvalidArgumentError(StrCat("yaml: unmarshal errors:\n  line ",
                                                 entry.first.Mark().line + 1, ": key ", GoQuote(key),
                                                 " already set in map"));
      }
      rep->fields.emplace_back(std::move(key), std::move(value));
    }
    for (const YamlNode& node : merged) {
      if (!node.IsMapping()) {
        return absl::InvalidArgumentError(
            StrCat("yaml: map merge requires map or sequence of maps as the value"));
      }
      for (const auto& [key, value] : node.fields()) {
        if (seen.insert(key).second) rep->fields.emplace_back(key, value);
      }
    }
    return absl::OkStatus();
  }

  size_t nodes_ = 0;
};

// yaml-cpp's reason in the words of Go's library where they say the same.
std::string SyntaxErrorText(const YAML::Exception& e) {
  std::string text = e.msg;
  if (text.find("illegal map value") != text.npos) text = "mapping values are not allowed in this context";
  if (text.find("end of sequence flow not found") != text.npos) text = "did not find expected ',' or ']'";
  if (text.find("end of map flow not found") != text.npos) text = "did not find expected ',' or '}'";
  if (text.find("end of map not found") != text.npos) text = "did not find expected key";
  if (text.find("end of sequence not found") != text.npos) text = "did not find expected '-' indicator";
  if (text.find("the referenced anchor is not defined") != text.npos) text = "unknown anchor referenced";
  return StrCat("yaml: line ", e.mark.line + 1, ": ", text);
}

void DumpNode(const YamlNode& node, int indent, bool in_sequence, std::string* out);

std::string ScalarText(const YamlNode& node) {
  if (node.IsNull()) return "null";
  const std::string& text = node.scalar();
  bool plain = !text.empty() && !node.quoted() && text.find_first_of("\n#:{}[],&*!|>'\"%@`") == text.npos;
  if (plain || (!node.quoted() && text.find('\n') == text.npos)) return text;
  return GoQuote(text);
}

void DumpMapping(const YamlNode& node, int indent, bool in_sequence, std::string* out) {
  bool first = true;
  for (const auto& [key, value] : node.fields()) {
    if (!(first && in_sequence)) out->append(static_cast<size_t>(indent), ' ');
    first = false;
    StrAppend(out, key, ":");
    DumpNode(value, indent, false, out);
  }
}

void DumpNode(const YamlNode& node, int indent, bool in_sequence, std::string* out) {
  if (node.IsMapping()) {
    if (!in_sequence) out->push_back('\n');
    DumpMapping(node, in_sequence ? indent : indent + 2, in_sequence, out);
  } else if (node.IsSequence()) {
    out->push_back('\n');
    for (const YamlNode& item : node.items()) {
      out->append(static_cast<size_t>(indent), ' ');
      out->append("- ");
      if (item.IsScalar() || item.IsNull()) {
        StrAppend(out, ScalarText(item), "\n");
      } else {
        DumpNode(item, indent + 2, true, out);
      }
    }
  } else {
    StrAppend(out, " ", ScalarText(node), "\n");
  }
}

// What Go's library calls a node in "cannot unmarshal !!str `x` into int".
std::string Describe(const YamlNode& node) {
  if (node.IsSequence()) return "!!seq";
  if (node.IsMapping()) return "!!map";
  const std::string& text = node.scalar();
  std::string_view tag = "!!str";
  int64_t integer;
  double real;
  if (!node.quoted()) {
    if (text == "true" || text == "false") {
      tag = "!!bool";
    } else if (absl::SimpleAtoi(text, &integer)) {
      tag = "!!int";
    } else if (absl::SimpleAtod(text, &real)) {
      tag = "!!float";
    }
  }
  std::string shown = text.size() > 10 ? StrCat(std::string_view(text).substr(0, 7), "...") : text;
  return StrCat(tag, " `", shown, "`");
}

}  // namespace

YamlNode::YamlNode() {
  static const auto* kNullRep = new std::shared_ptr<const Rep>(std::make_shared<const Rep>());
  rep_ = *kNullRep;
}

absl::StatusOr<YamlNode> YamlNode::Parse(std::string_view text) {
  if (text.size() > kMaxBytes) return absl::InvalidArgumentError("yaml: document is larger than 64 MiB");
  // yaml-cpp's parser recurses once a nesting level and has no limit of its own.
  int flow = 0;
  for (char c : text) {
    if (c == '[' || c == '{') {
      if (++flow > 10'000) return absl::InvalidArgumentError("yaml: exceeded max depth of 10000");
    } else if ((c == ']' || c == '}') && flow > 0) {
      --flow;
    }
  }
  try {
    YAML::Node root = YAML::Load(std::string(text));
    return Converter().Convert(root, 0);
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(SyntaxErrorText(e));
  }
}

YamlNode::Kind YamlNode::kind() const { return rep_->kind; }
int YamlNode::line() const { return rep_->line; }
bool YamlNode::quoted() const { return rep_->quoted; }
const std::string& YamlNode::scalar() const { return rep_->scalar; }
const std::vector<YamlNode>& YamlNode::items() const { return rep_->items; }
const std::vector<std::pair<std::string, YamlNode>>& YamlNode::fields() const { return rep_->fields; }

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const auto& [name, value] : rep_->fields) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string YamlNode::Dump() const {
  std::string out;
  if (IsMapping()) {
    DumpMapping(*this, 0, false, &out);
  } else {
    DumpNode(*this, 0, false, &out);
    if (out.starts_with("\n") || out.starts_with(" ")) out.erase(0, 1);
  }
  return out;
}

YamlMap::YamlMap(const YamlNode& node, std::string_view type_name) : node_(node), type_name_(type_name) {
  if (!node.IsMapping() && !node.IsNull()) {
    AddError(node.line(), StrCat("cannot unmarshal ", Describe(node), " into ", type_name));
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
    AddError(node->line(), StrCat("cannot unmarshal ", Describe(*node), " into string"));
    return;
  }
  *out = node->scalar();
}

void YamlMap::Get(std::string_view key, bool* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  static const std::set<std::string> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                              "on",   "On",   "ON",   "y",   "Y"};
  static const std::set<std::string> kFalse = {"false", "False", "FALSE", "no", "No", "NO",
                                               "off",   "Off",   "OFF",   "n",  "N"};
  if (node->IsScalar() && kTrue.contains(node->scalar())) {
    *out = true;
  } else if (node->IsScalar() && kFalse.contains(node->scalar())) {
    *out = false;
  } else {
    AddError(node->line(), StrCat("cannot unmarshal ", Describe(*node), " into bool"));
  }
}

void YamlMap::Get(std::string_view key, int64_t* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsScalar() || !absl::SimpleAtoi(node->scalar(), out)) {
    AddError(node->line(), StrCat("cannot unmarshal ", Describe(*node), " into int"));
  }
}

void YamlMap::Get(std::string_view key, uint64_t* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsScalar() || !absl::SimpleAtoi(node->scalar(), out)) {
    AddError(node->line(), StrCat("cannot unmarshal ", Describe(*node), " into uint64"));
  }
}

void YamlMap::Get(std::string_view key, double* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  std::optional<double> value = node->IsScalar() ? ParseGoFloat(node->scalar()) : std::nullopt;
  if (!value) {
    AddError(node->line(), StrCat("cannot unmarshal ", Describe(*node), " into float64"));
    return;
  }
  *out = *value;
}

void YamlMap::Get(std::string_view key, std::vector<std::string>* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsSequence()) {
    AddError(node->line(), StrCat("cannot unmarshal ", Describe(*node), " into []string"));
    return;
  }
  out->clear();
  for (const YamlNode& item : node->items()) {
    if (!item.IsScalar() && !item.IsNull()) {
      AddError(item.line(), StrCat("cannot unmarshal ", Describe(item), " into string"));
      continue;
    }
    out->push_back(item.scalar());
  }
}

void YamlMap::Get(std::string_view key, std::vector<std::pair<std::string, std::string>>* out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsMapping()) {
    AddError(node->line(), StrCat("cannot unmarshal ", Describe(*node), " into map[string]string"));
    return;
  }
  out->clear();
  for (const auto& [name, value] : node->fields()) {
    if (!value.IsScalar() && !value.IsNull()) {
      AddError(value.line(), StrCat("cannot unmarshal ", Describe(value), " into string"));
      continue;
    }
    out->emplace_back(name, value.IsNull() ? "" : value.scalar());
  }
}

void YamlMap::GetDuration(std::string_view key, int64_t* out_ms) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (!node->IsScalar()) {
    AddError(node->line(), StrCat("cannot unmarshal ", Describe(*node), " into string"));
    return;
  }
  absl::StatusOr<int64_t> value = ParseDurationMs(node->scalar());
  if (!value.ok()) {
    errors_.push_back(StrCat("line ", node->line(), ": ", std::string(value.status().message())));
    return;
  }
  *out_ms = *value;
}

void YamlMap::GetBytes(std::string_view key, int64_t* out_bytes) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  absl::StatusOr<int64_t> value = ParseBytes(node->scalar());
  if (!value.ok()) {
    AddError(node->line(), std::string(value.status().message()));
    return;
  }
  *out_bytes = *value;
}

absl::Status YamlMap::Finish(bool ignore_unknown) {
  if (!ignore_unknown) {
    for (const auto& [key, value] : node_.fields()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
        AddError(value.line(), StrCat("field ", key, " not found in type ", type_name_));
      }
    }
  }
  if (errors_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("yaml: unmarshal errors:\n  ", absl::StrJoin(errors_, "\n  ")));
}

absl::StatusOr<int64_t> ParseBytes(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() &&
         (std::isdigit(static_cast<unsigned char>(text[digits])) || text[digits] == '.'))
    ++digits;
  std::optional<double> number = ParseGoFloat(text.substr(0, digits));
  std::string_view unit = text.substr(digits);
  auto bad = [&] { return absl::InvalidArgumentError(StrCat("units: unknown unit in ", GoQuote(text))); };
  if (!number) return absl::InvalidArgumentError(StrCat("units: invalid ", text));
  if (unit.empty()) {
    if (*number == 0) return 0;
    return absl::InvalidArgumentError(StrCat("units: unknown unit  in ", text));
  }
  static constexpr std::string_view kPrefixes = "KMGTPE";
  int power = 0;
  if (unit != "B") {
    size_t k = kPrefixes.find(unit[0]);
    if (k == kPrefixes.npos || (unit.substr(1) != "B" && unit.substr(1) != "iB")) return bad();
    power = static_cast<int>(k) + 1;
  }
  double bytes = *number;
  for (int i = 0; i < power; ++i) bytes *= 1024;
  if (bytes >= 9.2e18) return bad();
  return static_cast<int64_t>(bytes);
}

}  // namespace narthex
