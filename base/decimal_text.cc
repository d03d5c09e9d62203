#include "base/decimal_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

namespace narthex {
namespace {

constexpr uint64_t kEight = 100'000'000;
constexpr uint64_t kZeros = 0x3030303030303030;  // '0' eight times

// The digits of n < 10^8, one a byte, the first in the lowest byte: halves, then pairs, then digits are split
// in all parts of a word at once.
uint64_t EightDigits(uint32_t n) {
  const uint64_t halves = n / 10'000 | static_cast<uint64_t>(n % 10'000) << 32;
  const uint64_t hundreds = ((halves * 10'486) >> 20) & 0x0000007f'0000007f;
  const uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;
  const uint64_t tens = ((pairs * 103) >> 10) & 0x000f'000f'000f'000f;
  return tens | (pairs - tens * 10) << 8;
}

// The same of n < 10^4.
uint32_t FourDigits(uint32_t n) {
  const uint32_t pairs = n / 100 | (n % 100) << 16;
  const uint32_t tens = ((pairs * 103) >> 10) & 0x000f'000f;
  return tens | (pairs - tens * 10) << 8;
}

void Store(uint64_t bytes, char* out) {
  if constexpr (std::endian::native == std::endian::big) bytes = __builtin_bswap64(bytes);
  std::memcpy(out, &bytes, sizeof bytes);
}

char* PutEightDigits(uint32_t n, char* out) {
  Store(EightDigits(n) + kZeros, out);
  return out + 8;
}

// Below 10^8.
char* PutShort(uint32_t n, char* out) {
  const uint64_t digits = EightDigits(n);
  const int zeros =
      std::countr_zero(digits | uint64_t{1} << 56) / 8;  // in front; the last digit is written always
  Store((digits + kZeros) >> (8 * zeros), out);
  return out + 8 - zeros;
}

// Of a value with at most four digits behind the point, as most gauges have: a decimal of at most 15 digits
// that is the value is its shortest text. nullptr if it has more.
char* PutShortDecimal(double magnitude, char* out) {
  if (magnitude >= 1e10) return nullptr;
  const uint64_t k = static_cast<uint64_t>(static_cast<int64_t>(magnitude * 1e4 + 0.5));
  if (static_cast<double>(static_cast<int64_t>(k)) / 1e4 != magnitude) return nullptr;
  uint32_t digits;  // four, of which the last but zeros are to be written
  if (k < kEight) {
    const uint64_t all = EightDigits(static_cast<uint32_t>(k));
    const int zeros = std::countr_zero(all | uint64_t{1} << 24) / 8;
    Store((all + kZeros) >> (8 * zeros), out);
    out += 4 - zeros;
    digits = static_cast<uint32_t>(all >> 32);
  } else {
    out = PutInteger(k / 10'000, out);
    digits = FourDigits(static_cast<uint32_t>(k % 10'000));
  }
  *out++ = '.';
  Store(digits + kZeros, out);
  return out + 4 - std::countl_zero(digits) / 8;
}

constexpr auto kPowers = [] {
  std::array<uint64_t, 20> powers{1};
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

// Of a value that is not whole, at least 1e-6 and below 1e15.
char* PutShortest(double magnitude, char* out) {
  // The shortest digits (Jeon, "Dragonbox"). fmt's own texts take twice as long to write as all the rest
  // here.
  const auto [significand, exponent] = fmt::detail::dragonbox::to_decimal(magnitude);
  const size_t behind = static_cast<size_t>(-exponent);  // the point: 1 to 22 digits
  const uint64_t whole = behind < kPowers.size() ? significand / kPowers[behind] : 0;
  uint64_t fraction = behind < kPowers.size() ? significand % kPowers[behind] : significand;
  out = PutInteger(whole, out);
  *out++ = '.';
  // Digits in eights, but for the first ones.
  const size_t first = behind % 8, eights = behind / 8;
  uint64_t part = fraction / kPowers[eights * 8];
  fraction -= part * kPowers[eights * 8];
  Store((EightDigits(static_cast<uint32_t>(part)) + kZeros) >> (8 * (8 - first) % 64), out);
  out += first;
  if (eights > 1) {
    part = fraction / kEight;
    fraction -= part * kEight;
    out = PutEightDigits(static_cast<uint32_t>(part), out);
  }
  return eights > 0 ? PutEightDigits(static_cast<uint32_t>(fraction), out) : out;
}

}  // namespace

char* PutInteger(uint64_t n, char* out) {
  if (n < kEight) return PutShort(static_cast<uint32_t>(n), out);
  const uint64_t rest = n / kEight;
  out = rest < kEight ? PutShort(static_cast<uint32_t>(rest), out) : PutInteger(rest, out);
  return PutEightDigits(static_cast<uint32_t>(n % kEight), out);
}

char* PutFourDigits(uint32_t n, char* out) {
  Store(FourDigits(n) + kZeros, out);
  return out + 4;
}

char* PutFloat(double value, char* out) {
  const double magnitude = std::fabs(value);
  if (!(magnitude < 1e15)) return nullptr;
  *out = '-';
  out += std::signbit(value) ? 1 : 0;
  if (const int64_t whole = static_cast<int64_t>(magnitude); static_cast<double>(whole) == magnitude) {
    return PutInteger(static_cast<uint64_t>(whole), out);
  }
  if (magnitude < 1e-6) return nullptr;
  if (char* end = PutShortDecimal(magnitude, out); end != nullptr) return end;
  return PutShortest(magnitude, out);
}

}  // namespace narthex
