// Bytes of a text looked at sixteen at a time, as vectors that compilers know on every machine.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace narthex {

using Bytes16 = uint8_t __attribute__((vector_size(16)));

// The bytes of a text of 1 to 15, some of them several times. Put together in registers: what is written to
// memory in pieces and read back as a whole is waited for.
inline Bytes16 ShortBytes(const char* at, size_t size) {
  const auto word = [at]<typename T>(size_t from, T out) {
    std::memcpy(&out, at + from, sizeof out);
    return uint64_t{out};
  };
  uint64_t first, second;
  if (size >= 8) {
    first = word(0, uint64_t{});
    second = word(size - 8, uint64_t{});
  } else if (size >= 4) {
    first = second = word(0, uint32_t{}) | word(size - 4, uint32_t{}) << 32;
  } else {
    const uint64_t all = word(0, uint8_t{}) * 0x0101010101010101;
    first = second = (all & ~uint64_t{0xffff}) | word(size / 2, uint8_t{}) << 8 | word(size - 1, uint8_t{});
  }
  using Words = uint64_t __attribute__((vector_size(16)));
  return std::bit_cast<Bytes16>(Words{first, second});
}

// Whether test(bytes) marks some byte of the text: in what it returns, bytes other than 0 are marks.
template <typename Test>
bool AnyByte(std::string_view text, Test test) {
  const auto marks = [&](Bytes16 bytes) {
    const auto halves = std::bit_cast<std::array<uint64_t, 2>>(test(bytes));
    return (halves[0] | halves[1]) != 0;
  };
  const auto load = [](const char* at) {
    Bytes16 bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    return bytes;
  };
  const char* at = text.data();
  size_t left = text.size();
  if (left < sizeof(Bytes16)) return left > 0 && marks(ShortBytes(at, left));
  for (; left > sizeof(Bytes16); left -= sizeof(Bytes16), at += sizeof(Bytes16)) {
    if (marks(load(at))) return true;
  }
  return marks(load(at + left - sizeof(Bytes16)));  // some of them a second time
}

}  // namespace narthex
