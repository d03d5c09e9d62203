// The protobuf wire format, read in place: fields one after the other, nothing copied, nothing recursive.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace narthex {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t bits = 0;       // the number of a varint, fixed64 or fixed32
  std::string_view bytes;  // a string, message or packed list
};

// A cursor over one message. Next() ends at the message's end or at the first byte that is no protobuf; ok()
// tells which. Not thread-safe.
class WireReader {
 public:
  explicit WireReader(std::string_view data) : data_(data) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return data_.empty(); }

  bool Next(WireField* field) {
    if (data_.empty()) return false;
    uint64_t tag = 0;
    if (!Varint(&tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return Fail();
    field->number = static_cast<uint32_t>(tag >> 3);
    field->type = static_cast<WireType>(tag & 7);
    switch (field->type) {
      case WireType::kVarint:
        return Varint(&field->bits) || Fail();
      case WireType::kFixed64:
        return Fixed(8, &field->bits) || Fail();
      case WireType::kFixed32:
        return Fixed(4, &field->bits) || Fail();
      case WireType::kBytes:
        return Bytes(&field->bytes) || Fail();
    }
    return Fail();  // groups are not used by any message read here
  }

  bool Varint(uint64_t* out) {
    uint64_t value = 0;
    for (size_t i = 0; i < 10 && i < data_.size(); ++i) {
      const uint8_t byte = static_cast<uint8_t>(data_[i]);
      value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        data_.remove_prefix(i + 1);
        *out = value;
        return true;
      }
    }
    return false;
  }

  bool Fixed(size_t width, uint64_t* out) {
    if (data_.size() < width) return false;
    *out = 0;
    std::memcpy(out, data_.data(), width);  // the wire is little-endian, as is every machine we run on
    data_.remove_prefix(width);
    return true;
  }

  // A length and so many bytes.
  bool Bytes(std::string_view* out) {
    uint64_t length = 0;
    if (!Varint(&length) || length > data_.size()) return false;
    *out = data_.substr(0, length);
    data_.remove_prefix(length);
    return true;
  }

 private:
  bool Fail() {
    ok_ = false;
    data_ = {};
    return false;
  }

  std::string_view data_;
  bool ok_ = true;
};

static_assert(std::endian::native == std::endian::little);

inline double WireDouble(uint64_t bits) { return std::bit_cast<double>(bits); }
inline int64_t ZigZag(uint64_t n) { return static_cast<int64_t>(n >> 1) ^ -static_cast<int64_t>(n & 1); }

// The values of a repeated number: one of a plain field, all of a packed one. False if it is neither.
template <typename F>
bool EachNumber(const WireField& field, WireType type, F take) {
  if (field.type == type) {
    take(field.bits);
    return true;
  }
  if (field.type != WireType::kBytes) return false;
  WireReader packed(field.bytes);
  while (!packed.AtEnd()) {
    uint64_t bits = 0;
    if (!(type == WireType::kVarint ? packed.Varint(&bits) : packed.Fixed(8, &bits))) return false;
    take(bits);
  }
  return true;
}

}  // namespace narthex
