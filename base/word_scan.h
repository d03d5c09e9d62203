// Bytes of a text looked at eight at a time.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace narthex {

inline constexpr uint64_t kEachByte = 0x0101010101010101;
inline constexpr uint64_t kEachHighBit = 0x80 * kEachByte;

// The high bits of the bytes that are `c`; of those above one that is, maybe of others.
inline uint64_t HighBitsWhere(uint64_t word, char c) {
  const uint64_t zero = word ^ (static_cast<uint8_t>(c) * kEachByte);
  return (zero - kEachByte) & ~zero & kEachHighBit;
}

// Whether test(word) of words that have all bytes of the text, and beside them only `filler`.
template <typename Test>
bool AnyWord(std::string_view text, char filler, Test test) {
  uint64_t word;
  const char* at = text.data();
  size_t left = text.size();
  if (left < sizeof word) {
    word = static_cast<uint8_t>(filler) * kEachByte;
    for (size_t i = 0; i < left; ++i) word = word << 8 | static_cast<uint8_t>(at[i]);
    return test(word);
  }
  for (; left > sizeof word; left -= sizeof word, at += sizeof word) {
    std::memcpy(&word, at, sizeof word);
    if (test(word)) return true;
  }
  std::memcpy(&word, at + left - sizeof word, sizeof word);  // some of them a second time
  return test(word);
}

}  // namespace narthex
