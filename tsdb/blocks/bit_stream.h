// Bits in Prometheus's order (highest first) and the variable-width integers of its chunks.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace narthex::tsdb::blocks {

// Reads bits front to back. After a read past the end ok() is false and every value is 0. Not thread-safe.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes)
      : p_(reinterpret_cast<const uint8_t*>(bytes.data())), size_(bytes.size()) {}
  bool ok() const { return ok_; }
  uint64_t bits_left() const { return ok_ ? size_ * 8 - pos_ : 0; }
  void Fail() { ok_ = false; }

  // n <= 64.
  uint64_t Bits(unsigned n) {
    if (n == 0 || !Has(n)) return 0;
    const uint64_t w = Window() >> (64 - n);
    pos_ += n;
    return w;
  }
  bool Bit() { return Bits(1) != 0; }
  // Ones before a zero, at most `max`; takes them and the zero (not after `max` ones).
  unsigned Ones(unsigned max) {
    const uint64_t left = bits_left();
    const unsigned n = left == 0 ? 0 : static_cast<unsigned>(std::countl_one(Window()));
    const unsigned ones = n < max ? n : max;
    const unsigned take = ones < max ? ones + 1 : max;
    if (take > left) {
      ok_ = false;
      return 0;
    }
    pos_ += take;
    return ones;
  }
  // n bits as Prometheus stores small signed numbers: 2^(n-1) itself is positive.
  int64_t Signed(unsigned n) {
    const uint64_t v = Bits(n);
    return n < 64 && v > (uint64_t{1} << (n - 1)) ? static_cast<int64_t>(v - (uint64_t{1} << n))
                                                  : static_cast<int64_t>(v);
  }
  double Double() { return std::bit_cast<double>(Bits(64)); }
  uint64_t Uvarint() {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint64_t b = Bits(8);
      v |= (b & 0x7f) << shift;
      if (b < 0x80) return ok_ ? v : 0;
    }
    ok_ = false;
    return 0;
  }
  int64_t Varint() {
    const uint64_t v = Uvarint();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  int64_t VarbitInt() {
    const unsigned n = kVarbitWidths[Ones(8)];
    return n == 0 ? 0 : Signed(n);
  }
  uint64_t VarbitUint() { return Bits(kVarbitWidths[Ones(8)]); }

  static constexpr unsigned kVarbitWidths[] = {0, 3, 6, 9, 12, 18, 25, 56, 64};

 private:
  bool Has(unsigned n) {
    if (ok_ && pos_ + n <= size_ * 8) return true;
    ok_ = false;
    return false;
  }
  // The next 64 bits, zeros behind the end. REQUIRES: pos_ is inside.
  uint64_t Window() const {
    const size_t byte = pos_ >> 3;
    const unsigned off = pos_ & 7;
    uint64_t w = 0;
    if (byte + 9 <= size_) {
      std::memcpy(&w, p_ + byte, 8);
      w = __builtin_bswap64(w) << off;
      return off == 0 ? w : w | (p_[byte + 8] >> (8 - off));
    }
    for (size_t i = 0; i < 8; ++i) w = w << 8 | (byte + i < size_ ? p_[byte + i] : 0);
    return off == 0 ? w : w << off | ((byte + 8 < size_ ? p_[byte + 8] : 0) >> (8 - off));
  }

  const uint8_t* p_;
  size_t size_;
  uint64_t pos_ = 0;
  bool ok_ = true;
};

// Appends bits to a string; the last byte is padded with zeros. Not thread-safe.
class BitWriter {
 public:
  explicit BitWriter(std::string* out) : out_(out) {}
  void Bits(uint64_t v, unsigned n) {
    while (n > 0) {
      if (free_ == 0) {
        out_->push_back(0);
        free_ = 8;
      }
      const unsigned take = n < free_ ? n : free_;
      const uint64_t part = v >> (n - take) & ((1u << take) - 1);
      out_->back() = static_cast<char>(static_cast<uint8_t>(out_->back()) | part << (free_ - take));
      free_ -= take;
      n -= take;
    }
  }
  void Double(double v) { Bits(std::bit_cast<uint64_t>(v), 64); }
  void Uvarint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) Bits((v & 0x7f) | 0x80, 8);
    Bits(v, 8);
  }
  void Varint(int64_t v) { Uvarint(static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63)); }
  void VarbitInt(int64_t v) {
    unsigned i = 0;
    if (v != 0)
      for (i = 1; i < 8 && !Fits(v, BitReader::kVarbitWidths[i]);) ++i;
    Varbit(i, static_cast<uint64_t>(v));
  }
  void VarbitUint(uint64_t v) {
    unsigned i = 0;
    while (i < 8 && BitReader::kVarbitWidths[i] < 64 - static_cast<unsigned>(std::countl_zero(v))) ++i;
    Varbit(i, v);
  }
  // Whether v can be written as Signed(n): -(2^(n-1) - 1) <= v <= 2^(n-1).
  static bool Fits(int64_t v, unsigned n) {
    const int64_t half = int64_t{1} << (n - 1);
    return v >= -(half - 1) && v <= half;
  }

 private:
  void Varbit(unsigned i, uint64_t v) {
    for (unsigned k = 0; k < i; ++k) Bits(1, 1);
    if (i < 8) Bits(0, 1);
    Bits(v, BitReader::kVarbitWidths[i]);
  }
  std::string* const out_;
  unsigned free_ = 0;
};

}  // namespace narthex::tsdb::blocks
