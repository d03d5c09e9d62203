// Varints, zigzag, little-endian fixed integers and bit packing: the alphabet of every format in this folder.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace narthex::tsdb {

inline uint64_t ZigZag(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }
inline int64_t UnZigZag(uint64_t v) { return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1); }
// Differences wrap around: exact for any pair of values.
inline int64_t WrapSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
inline int64_t WrapAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
inline int BitWidth(uint64_t v) { return v == 0 ? 0 : 64 - std::countl_zero(v); }

// Up to 10 bytes; returns what is behind them.
inline char* WriteVarint(char* out, uint64_t v) {
  for (; v >= 128; v >>= 7) *out++ = static_cast<char>(v | 128);
  *out++ = static_cast<char>(v);
  return out;
}
inline void PutVarint(std::string* out, uint64_t v) {
  if (v < 128) {
    out->push_back(static_cast<char>(v));
    return;
  }
  char buffer[10];
  out->append(buffer, WriteVarint(buffer, v));
}
inline void PutZigZag(std::string* out, int64_t v) { PutVarint(out, ZigZag(v)); }
// A word of memory as the little-endian number that it is, and back.
template <typename T>
T LittleEndian(T v) {
  if constexpr (std::endian::native == std::endian::little) return v;
  return sizeof(T) == 8 ? static_cast<T>(__builtin_bswap64(v))
                        : static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(v)));
}
template <typename T>
void PutLittleEndian(std::string* out, T v) {
  char buffer[sizeof(T)];
  v = LittleEndian(v);
  std::memcpy(buffer, &v, sizeof(T));
  out->append(buffer, sizeof(T));
}
template <typename T>
T GetLittleEndian(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof(T));
  return LittleEndian(v);
}
inline void PutFixed32(std::string* out, uint32_t v) { PutLittleEndian(out, v); }
inline void PutFixed64(std::string* out, uint64_t v) { PutLittleEndian(out, v); }
inline void PutDouble(std::string* out, double v) { PutFixed64(out, std::bit_cast<uint64_t>(v)); }
void PutBytes(std::string* out, std::string_view bytes);  // varint length, then the bytes
// Big-endian, for keys.
void PutBig32(std::string* out, uint32_t v);
void PutBig64(std::string* out, uint64_t v);
inline uint32_t GetFixed32(const char* p) { return GetLittleEndian<uint32_t>(p); }
inline uint64_t GetFixed64(const char* p) { return GetLittleEndian<uint64_t>(p); }
uint32_t GetBig32(const char* p);
uint64_t GetBig64(const char* p);

// Reads a byte range front to back. After a read past the end ok() is false and every value is 0. Not
// thread-safe.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  bool ok() const { return ok_; }
  bool done() const { return p_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - p_); }
  const char* position() const { return p_; }
  void Fail() {
    ok_ = false;
    p_ = end_;
  }

  uint8_t Byte() {
    if (p_ == end_) {
      Fail();
      return 0;
    }
    return static_cast<uint8_t>(*p_++);
  }
  uint64_t Varint() {
    if (p_ != end_ && static_cast<uint8_t>(*p_) < 128) return static_cast<uint8_t>(*p_++);
    return LongVarint();
  }
  int64_t SignedVarint() { return UnZigZag(Varint()); }
  uint64_t Fixed64();
  double Double() { return std::bit_cast<double>(Fixed64()); }
  std::string_view Take(size_t n);
  std::string_view Bytes() { return Take(Varint()); }
  // A count of things that take at least one bit each: fails when there cannot be that many.
  size_t Count(size_t max);

 private:
  uint64_t LongVarint();

  const char* p_;
  const char* end_;
  bool ok_ = true;
};

// A bitmap over rows or slots.
class Bits {
 public:
  Bits() = default;
  explicit Bits(size_t n) { Resize(n); }
  void Resize(size_t n) {
    size_ = n;
    words_.resize((n + 63) / 64, 0);
    TrimTail();
  }
  void SetAll(size_t n) {
    size_ = n;
    words_.assign((n + 63) / 64, ~uint64_t{0});
    TrimTail();
  }
  void Clear() { std::fill(words_.begin(), words_.end(), 0); }
  size_t size() const { return size_; }
  bool Get(size_t i) const { return i < size_ && (words_[i >> 6] >> (i & 63) & 1) != 0; }
  void Set(size_t i, bool on = true) {
    if (i >= size_) Resize(i + 1);
    const uint64_t bit = uint64_t{1} << (i & 63);
    if (on)
      words_[i >> 6] |= bit;
    else
      words_[i >> 6] &= ~bit;
  }
  // What Get said. REQUIRES: i < size()
  bool TestAndSet(size_t i) {
    uint64_t& word = words_[i >> 6];
    const uint64_t bit = uint64_t{1} << (i & 63), before = word & bit;
    word |= bit;
    return before != 0;
  }
  // Keeps what `other` has, too; beyond its end it has nothing.
  void And(const Bits& other) {
    for (size_t w = 0; w < words_.size(); ++w) words_[w] &= w < other.words_.size() ? other.words_[w] : 0;
  }
  size_t CountOnes() const {
    size_t n = 0;
    for (uint64_t w : words_) n += std::popcount(w);
    return n;
  }
  const std::vector<uint64_t>& words() const { return words_; }
  // ceil(size/8) bytes, lowest bit first.
  void AppendTo(std::string* out) const;
  static Bits Read(ByteReader* in, size_t n);

 private:
  void TrimTail() {
    if ((size_ & 63) != 0 && !words_.empty()) words_.back() &= (uint64_t{1} << (size_ & 63)) - 1;
  }
  std::vector<uint64_t> words_;
  size_t size_ = 0;
};

// Ascending numbers as a count and gaps.
void PutAscending(std::string* out, const std::vector<uint32_t>& values);
bool ReadAscending(ByteReader* in, uint64_t limit, std::vector<uint32_t>* out);

}  // namespace narthex::tsdb
