#include "api/point_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "api/encode.h"

namespace narthex::api {
namespace {

constexpr auto kTwoDigits = [] {
  std::array<char, 200> out{};
  for (size_t i = 0; i < 100; ++i) {
    out[2 * i] = static_cast<char>('0' + i / 10);
    out[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return out;
}();

char* PutOne(uint64_t digit, char* out) {
  *out = static_cast<char>('0' + digit);
  return out + 1;
}

char* PutTwo(uint64_t n, char* out) {
  std::memcpy(out, &kTwoDigits[2 * n], 2);
  return out + 2;
}

// From 10^4 and below 10^10, from the end on.
char* PutMany(uint64_t n, char* out) {
  char* const end = out + (n < 100'000         ? 5
                           : n < 1'000'000     ? 6
                           : n < 10'000'000    ? 7
                           : n < 100'000'000   ? 8
                           : n < 1'000'000'000 ? 9
                                               : 10);
  char* at = end;
  for (; n >= 100; n /= 100) PutTwo(n % 100, at -= 2);
  if (n >= 10)
    PutTwo(n, at - 2);
  else
    PutOne(n, at - 1);
  return end;
}

// Short numbers are most of what there is to write.
char* PutInteger(uint64_t n, char* out) {
  if (n < 10) return PutOne(n, out);
  if (n < 100) return PutTwo(n, out);
  if (n < 1000) return PutTwo(n % 100, PutOne(n / 100, out));
  if (n < 10'000) return PutTwo(n % 100, PutTwo(n / 100, out));
  if (n < 10'000'000'000) return PutMany(n, out);
  return std::to_chars(out, out + 20, n).ptr;
}

char* PutFraction(uint32_t thousandths, char* out) {
  if (thousandths == 0) return out;
  *out++ = '.';
  return PutTwo(thousandths % 100, PutOne(thousandths / 100, out));
}

constexpr size_t kMaxValueText = 32;

// Writes a positive value that is not whole with at most four digits behind the point, as most gauges have;
// nullptr if it has more. A decimal of at most 15 digits that is the value is its shortest text.
char* PutDecimal(double magnitude, char* out) {
  if (magnitude >= 1e10) return nullptr;
  // Of 10^4 parts; what has fewer digits ends with zeros then.
  const int64_t k = static_cast<int64_t>(magnitude * 1e4 + 0.5);
  if (static_cast<double>(k) / 1e4 != magnitude) return nullptr;
  const uint64_t whole = static_cast<uint64_t>(k) / 10'000;
  const uint32_t rest = static_cast<uint32_t>(static_cast<uint64_t>(k) - whole * 10'000), first = rest / 100;
  out = PutInteger(whole, out);
  *out++ = '.';
  PutTwo(first, out);
  PutTwo(rest - first * 100, out + 2);
  out += 4;
  while (out[-1] == '0') --out;
  return out;
}

// Writes a value without quotes to at least kMaxValueText bytes; nullptr if it is none of those that are
// written without an exponent.
char* PutValue(double value, char* out) {
  const double magnitude = std::fabs(value);
  // Whole numbers, mostly counters: cheaper as integers.
  if (const int64_t whole = magnitude < 1e15 ? static_cast<int64_t>(magnitude) : -1;
      static_cast<double>(whole) == magnitude && (value != 0 || !std::signbit(value))) {
    if (value < 0) *out++ = '-';
    return PutInteger(static_cast<uint64_t>(whole), out);
  }
  if (!(magnitude >= 1e-6 && magnitude < 1e15)) return nullptr;
  if (value < 0) *out++ = '-';
  if (char* end = PutDecimal(magnitude, out); end != nullptr) return end;
  const std::to_chars_result result =
      std::to_chars(out, out + kMaxValueText - 1, magnitude, std::chars_format::fixed);
  return result.ec == std::errc() ? result.ptr : nullptr;
}

}  // namespace

// The seconds but for their last four digits, and what of them is the same for 10^4 seconds.
void PointText::SetHead(int64_t ms) {
  head_ms_ = ms - ms % kHeadMs;
  head_size_ = static_cast<size_t>(PutInteger(static_cast<uint64_t>(ms / kHeadMs), head_text_) - head_text_);
}

char* PointText::PutTimestamp(int64_t ms, char* out) {
  if (ms < kHeadMs) {
    const uint64_t magnitude = ms < 0 ? uint64_t{0} - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
    if (ms < 0) *out++ = '-';
    return PutFraction(static_cast<uint32_t>(magnitude % 1000), PutInteger(magnitude / 1000, out));
  }
  if (!InHead(ms)) SetHead(ms);
  return PutBehindHead(ms, out);
}

// Of a time that InHead.
inline char* PointText::PutBehindHead(int64_t ms, char* out) const {
  const uint32_t behind = static_cast<uint32_t>(ms - head_ms_), tail = behind / 1000, pair = tail / 100;
  std::memcpy(out, head_text_, kHeadBytes);
  out = PutTwo(tail - pair * 100, PutTwo(pair, out + head_size_));
  return PutFraction(behind - tail * 1000, out);
}

char* PointText::Put(const FloatPoint& point, char* out) {
  *out++ = '[';
  out = InHead(point.t) ? PutBehindHead(point.t, out) : PutTimestamp(point.t, out);
  *out++ = ',';
  *out++ = '"';
  if (char* end = PutValue(point.v, out); end != nullptr) {
    *end++ = '"';
    *end++ = ']';
    return end;
  }
  JsonWriter value;
  WriteValue(point.v, &value);
  const std::string& text = *value.buffer();
  text.copy(--out, text.size());  // with its quotes
  out += text.size();
  *out++ = ']';
  return out;
}

}  // namespace narthex::api
