// The numbers that pages are full of, without a branch for each digit.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace narthex::scraper {

inline constexpr size_t kPlainNumberBytes = 16;
// A decimal without sign and exponent that is followed by a newline, all within the 16 bytes at `p`: up to 7
// digits on either side of the point, or up to 15 without one, so that integer and power of ten are exact as
// doubles, and so is the one division. *length is without the newline. False: it is something else, or
// malformed.
inline bool ReadPlainNumber(const char* p, double* value, size_t* length) {
  if constexpr (std::endian::native != std::endian::little) return false;
  static constexpr uint64_t kPowers[] = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000};
  constexpr uint64_t kOnes = 0x0101010101010101;
  const auto load = [](const char* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    return word ^ kOnes * '0';
  };
  // Marks bytes that are no digits: exact up to the first of them.
  const auto others = [](uint64_t word) { return ((word + 0x76 * kOnes) | word) & kOnes << 7; };
  const auto digits = [](uint64_t others) { return static_cast<unsigned>(std::countr_zero(others)) / 8; };
  // The first n digits of a word, 0 < n <= 8.
  const auto number = [](uint64_t word, unsigned n) {
    constexpr uint64_t kMask = 0x000000ff000000ff;
    word <<= 64 - 8 * n;
    word = word * 10 + (word >> 8);
    return ((word & kMask) * 0x000f424000000064 + (word >> 16 & kMask) * 0x0000271000000001) >> 32;
  };
  const auto set = [value, length](uint64_t integer, unsigned n) {
    *value = static_cast<double>(static_cast<int64_t>(integer));
    *length = n;
  };
  const uint64_t first = load(p), behind = others(first);
  if (behind == 0) {
    const uint64_t second = load(p + 8), end = others(second);
    if (end == 0) return false;
    const unsigned n = digits(end);
    if (p[8 + n] != '\n') return false;
    set(number(first, 8) * kPowers[n] + (n > 0 ? number(second, n) : 0), 8 + n);
    return true;
  }
  const unsigned n = digits(behind);
  if (n == 0) return false;
  const uint64_t integer = number(first, n);
  if (p[n] == '\n') {
    set(integer, n);
    return true;
  }
  if (p[n] != '.') return false;
  const uint64_t decimals = load(p + n + 1), end = others(decimals);
  if (end == 0) return false;
  const unsigned m = digits(end);
  if (m == 0 || p[n + 1 + m] != '\n') return false;
  set(integer * kPowers[m] + number(decimals, m), n + 1 + m);
  *value /= static_cast<double>(static_cast<int64_t>(kPowers[m]));
  return true;
}

}  // namespace narthex::scraper
