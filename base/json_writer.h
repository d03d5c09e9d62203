// Streaming JSON text, commas and escapes handled; the caller drains the buffer when it grows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace narthex {

// Not thread-safe. Keys keep the order in which they are written.
class JsonWriter {
 public:
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view value);  // invalid UTF-8 becomes U+FFFD, as Go does
  JsonWriter& Int(int64_t value);
  JsonWriter& Uint(uint64_t value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  JsonWriter& Number(double value);        // Go's encoding/json float form
  JsonWriter& SampleValue(double value);   // quoted: "1.5", "NaN", "+Inf"
  JsonWriter& TimestampMs(int64_t ms);     // seconds with at most three decimals: 1435781430.781
  JsonWriter& Raw(std::string_view json);  // already JSON

  std::string* buffer() { return &out_; }
  std::string Take() { return std::move(out_); }

 private:
  void Separate();
  JsonWriter& Begin(char bracket);
  JsonWriter& End(char bracket);
  JsonWriter& Quote(std::string_view text, bool is_key);
  std::string out_;
  bool comma_ = false;  // a value stands before the next one
};

}  // namespace narthex
