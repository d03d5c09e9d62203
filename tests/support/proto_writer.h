// Writes protobuf messages for tests, field by field.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace narthex::testing {

class ProtoWriter {
 public:
  ProtoWriter& Int(uint32_t field, uint64_t n) { return Varint(field << 3).Varint(n); }
  ProtoWriter& Signed(uint32_t field, int64_t n) { return Int(field, ZigZag(n)); }
  ProtoWriter& Double(uint32_t field, double v) {
    Varint(field << 3 | 1);
    char bytes[8];
    std::memcpy(bytes, &v, 8);
    out_.append(bytes, 8);
    return *this;
  }
  ProtoWriter& Bytes(uint32_t field, std::string_view bytes) {
    Varint(field << 3 | 2).Varint(bytes.size());
    out_ += bytes;
    return *this;
  }
  ProtoWriter& Bytes(uint32_t field, const ProtoWriter& message) {
    return Bytes(field, std::string_view(message.out_));
  }
  ProtoWriter& PackedSigned(uint32_t field, std::initializer_list<int64_t> numbers) {
    ProtoWriter list;
    for (int64_t n : numbers) list.Varint(ZigZag(n));
    return Bytes(field, list);
  }
  ProtoWriter& PackedDouble(uint32_t field, std::initializer_list<double> numbers) {
    std::string list;
    for (double v : numbers) {
      char bytes[8];
      std::memcpy(bytes, &v, 8);
      list.append(bytes, 8);
    }
    return Bytes(field, list);
  }
  const std::string& str() const { return out_; }
  // As one of a stream of messages.
  std::string Delimited() const {
    ProtoWriter length;
    return length.Varint(out_.size()).str() + out_;
  }

 private:
  static uint64_t ZigZag(int64_t n) { return static_cast<uint64_t>(n) << 1 ^ static_cast<uint64_t>(n >> 63); }
  ProtoWriter& Varint(uint64_t n) {
    for (; n >= 0x80; n >>= 7) out_ += static_cast<char>(n | 0x80);
    out_ += static_cast<char>(n);
    return *this;
  }
  std::string out_;
};

// A label, or any message of two strings.
inline ProtoWriter ProtoPair(std::string_view name, std::string_view value) {
  return ProtoWriter().Bytes(1, name).Bytes(2, value);
}

}  // namespace narthex::testing
