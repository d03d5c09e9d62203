// Numbers as decimal digits, fast: what most of a large answer is. They write up to kDecimalRoom bytes from
// `out` on, more than the text has, and return the end of the text.
#pragma once

#include <cstddef>
#include <cstdint>

namespace narthex {

inline constexpr size_t kDecimalRoom = 56;

char* PutInteger(uint64_t n, char* out);
// The last four digits of n < 10'000, with zeros in front.
char* PutFourDigits(uint32_t n, char* out);

// strconv.FormatFloat(value, 'f', -1, 64) of 0 and of what is at least 1e-6 and below 1e15; of all else
// nullptr, and what stands at `out` means nothing.
char* PutFloat(double value, char* out);

}  // namespace narthex
