#include "base/json_writer.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/byte_scan.h"
#include "base/go_format.h"
#include "base/strings.h"

namespace narthex {
namespace {

// Whether all characters stand for themselves; it may say no for some that do.
bool IsPlain(std::string_view text) {
  return !AnyByte(text, [](Bytes16 c) { return (c - 0x20 >= 0x7f - 0x20) | (c == '"') | (c == '\\'); });
}

// Compilers that know that a text is short copy it with string instructions, which take long to begin.
size_t SizeOf(std::string_view text) {
  size_t size = text.size();
  asm("" : "+r"(size));
  return size;
}

// Prometheus's escapes for label values: control characters, quotes and backslashes, no HTML characters.
void AppendEscaped(std::string_view text, std::string* out) {
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
  if (comma_) out_.push_back(',');
  comma_ = true;
}

JsonWriter& JsonWriter::Begin(char bracket) {
  Separate();
  out_.push_back(bracket);
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::End(char bracket) {
  out_.push_back(bracket);
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::BeginObject() { return Begin('{'); }
JsonWriter& JsonWriter::EndObject() { return End('}'); }
JsonWriter& JsonWriter::BeginArray() { return Begin('['); }
JsonWriter& JsonWriter::EndArray() { return End(']'); }

// Short texts that need no escapes, as most are, go to the buffer in one piece.
JsonWriter& JsonWriter::Quote(std::string_view text, bool is_key) {
  constexpr size_t kShort = 252;
  if (text.size() > kShort || !IsPlain(text)) {
    Separate();
    out_.push_back('"');
    AppendEscaped(text, &out_);
    out_.append("\":", is_key ? 2 : 1);
  } else {
    char piece[kShort + 4];
    char* end = piece;
    if (comma_) *end++ = ',';
    *end++ = '"';
    std::memcpy(end, text.data(), SizeOf(text));
    end += text.size();
    *end++ = '"';
    if (is_key) *end++ = ':';
    out_.append(piece, static_cast<size_t>(end - piece));
  }
  comma_ = !is_key;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) { return Quote(key, true); }
JsonWriter& JsonWriter::String(std::string_view value) { return Quote(value, false); }

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
