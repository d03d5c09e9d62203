#include "base/json_writer.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex {
namespace {

// Whether eight characters stand for themselves; it may say no for some that do.
bool ArePlain(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x80 * kOnes;
  const auto has = [](uint64_t bytes, char c) {
    const uint64_t zero = bytes ^ (static_cast<uint8_t>(c) * kOnes);
    return (zero - kOnes) & ~zero;
  };
  const uint64_t control = (word - 0x20 * kOnes) & ~word;
  return ((word | control | has(word, '"') | has(word, '\\') | has(word, 0x7f)) & kHigh) == 0;
}

bool IsPlain(std::string_view text) {
  size_t i = 0;
  uint64_t word = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::memcpy(&word, text.data() + i, 8);
    if (!ArePlain(word)) return false;
  }
  char rest[8] = {'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x'};
  for (size_t k = 0; i < text.size(); ++i, ++k) rest[k] = text[i];
  std::memcpy(&word, rest, 8);
  return ArePlain(word);
}

// Prometheus's escapes for label values: control characters, quotes and backslashes, no HTML characters.
void AppendEscaped(std::string_view text, std::string* out) {
  if (IsPlain(text)) {
    out->append(text);
    return;
  }
  bool valid = IsValidUtf8(text);
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      *out += {'\\', static_cast<char>(c)};
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (c < 0x20) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", c);
      *out += buffer;
    } else if (c >= 0x80 && !valid) {
      // Copy the longest valid sequence here, else one replacement character for the byte.
      size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
      if (i + length <= text.size() && IsValidUtf8(text.substr(i, length))) {
        out->append(text.substr(i, length));
        i += length - 1;
      } else {
        *out += "\\ufffd";
      }
    } else {
      out->push_back(static_cast<char>(c));
    }
  }
}

}  // namespace

void JsonWriter::Separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (!first_.back()) out_.push_back(',');
  first_.back() = false;
}

JsonWriter& JsonWriter::BeginObject() {
  Separate();
  out_.push_back('{');
  first_.push_back(true);
  return *this;
}

JsonWriter& JsonWriter::EndObject() {
  out_.push_back('}');
  first_.pop_back();
  return *this;
}

JsonWriter& JsonWriter::BeginArray() {
  Separate();
  out_.push_back('[');
  first_.push_back(true);
  return *this;
}

JsonWriter& JsonWriter::EndArray() {
  out_.push_back(']');
  first_.pop_back();
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  String(key);
  out_.push_back(':');
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view value) {
  Separate();
  out_.push_back('"');
  AppendEscaped(value, &out_);
  out_.push_back('"');
  return *this;
}

JsonWriter& JsonWriter::Int(int64_t value) { return Raw(absl::StrCat(value)); }
JsonWriter& JsonWriter::Uint(uint64_t value) { return Raw(absl::StrCat(value)); }
JsonWriter& JsonWriter::Bool(bool value) { return Raw(value ? "true" : "false"); }
JsonWriter& JsonWriter::Null() { return Raw("null"); }

JsonWriter& JsonWriter::Number(double value) {
  if (!std::isfinite(value)) return Null();  // JSON has no such numbers
  double magnitude = std::fabs(value);
  if (magnitude == 0 || (magnitude >= 1e-6 && magnitude < 1e21)) return Raw(FormatFloat(value, 'f', -1));
  std::string text = FormatFloat(value, 'e', -1);
  size_t n = text.size();  // e-09 becomes e-9
  if (n >= 4 && text[n - 4] == 'e' && text[n - 3] == '-' && text[n - 2] == '0') text.erase(n - 2, 1);
  return Raw(text);
}

JsonWriter& JsonWriter::SampleValue(double value) {
  Separate();
  out_.push_back('"');
  AppendFloatF(&out_, value);
  out_.push_back('"');
  return *this;
}

JsonWriter& JsonWriter::TimestampMs(int64_t ms) {
  Separate();
  if (ms < 0) out_.push_back('-');
  uint64_t magnitude = ms < 0 ? uint64_t(0) - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  absl::StrAppend(&out_, magnitude / 1000);
  if (unsigned fraction = static_cast<unsigned>(magnitude % 1000); fraction != 0) {
    char buffer[8];
    std::snprintf(buffer, sizeof buffer, ".%03u", fraction);
    out_ += buffer;
    while (out_.back() == '0') out_.pop_back();
  }
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  out_.append(json);
  return *this;
}

}  // namespace narthex
