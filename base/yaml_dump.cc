// Block-style YAML text of a node.
#include "base/go_format.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace narthex {
namespace {

// Would the text, written plain, be read back as the same string?
bool IsPlainSafe(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  bool indicator = text.size() == 1 || text[1] == ' ';
  if (std::string_view("-?:").find(text[0]) != text.npos && indicator) return false;
  if (std::string_view(",[]{}#&*!|>'\"%@`").find(text[0]) != text.npos) return false;
  if (!IsValidUtf8(text)) return false;
  if (text.find(": ") != text.npos || text.find(" #") != text.npos) return false;
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

// Would a plain scalar with this text be something else than a string?
bool ResolvesToOther(std::string_view text) {
  static constexpr std::string_view kWords[] = {
      "true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no",   "No",   "NO",   "on",
      "On",   "ON",   "off",  "Off",   "OFF",   "y",     "Y",   "n",   "N",   "null", "Null", "NULL", "~"};
  for (std::string_view word : kWords) {
    if (text == word) return true;
  }
  return ParseGoFloat(text).has_value() || (text[0] >= '0' && text[0] <= '9');
}

}  // namespace

std::string YamlString(std::string_view text) {
  return IsPlainSafe(text) && !ResolvesToOther(text) ? std::string(text) : GoQuote(text);
}

namespace {

std::string ScalarText(const YamlNode& node) {
  if (node.IsNull()) return "null";
  const std::string& text = node.scalar();
  if (IsPlainSafe(text) && !(node.quoted() && ResolvesToOther(text))) return text;
  return GoQuote(text);
}

bool IsEmptyCollection(const YamlNode& node) {
  return (node.IsMapping() && node.fields().empty()) || (node.IsSequence() && node.items().empty());
}

// The value of a key or a list item; the cursor stands behind "key:" or "-".
void DumpValue(const YamlNode& node, int indent, bool in_sequence, std::string* out);

void DumpFields(const YamlNode& node, int indent, bool first_in_place, std::string* out) {
  for (const auto& [key, value] : node.fields()) {
    if (!first_in_place) out->append(static_cast<size_t>(indent), ' ');
    first_in_place = false;
    StrAppend(out, IsPlainSafe(key) ? key : GoQuote(key), ":");
    DumpValue(value, indent, false, out);
  }
}

void DumpItems(const YamlNode& node, int indent, bool first_in_place, std::string* out) {
  for (const YamlNode& item : node.items()) {
    if (!first_in_place) out->append(static_cast<size_t>(indent), ' ');
    first_in_place = false;
    out->push_back('-');
    DumpValue(item, indent, true, out);
  }
}

void DumpValue(const YamlNode& node, int indent, bool in_sequence, std::string* out) {
  if (IsEmptyCollection(node)) {
    StrAppend(out, node.IsMapping() ? " {}" : " []", "\n");
  } else if (node.IsScalar() || node.IsNull()) {
    StrAppend(out, " ", ScalarText(node), "\n");
  } else if (in_sequence) {
    out->push_back(' ');
    node.IsMapping() ? DumpFields(node, indent + 2, true, out) : DumpItems(node, indent + 2, true, out);
  } else {
    out->push_back('\n');
    node.IsMapping() ? DumpFields(node, indent + 2, false, out) : DumpItems(node, indent, false, out);
  }
}

}  // namespace

std::string YamlNode::Dump() const {
  std::string out;
  if (IsEmptyCollection(*this) || IsScalar() || IsNull()) {
    DumpValue(*this, 0, false, &out);
    return out.substr(1);
  }
  IsMapping() ? DumpFields(*this, 0, false, &out) : DumpItems(*this, 0, false, &out);
  return out;
}

}  // namespace narthex
