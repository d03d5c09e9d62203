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

// Below 10^10, from the end on.
char* PutMany(uint64_t n, char* out) {
  char digits[10];
  char* at = digits + sizeof digits;
  for (; n >= 100; n /= 100) PutTwo(n % 100, at -= 2);
  if (n >= 10)
    PutTwo(n, at -= 2);
  else
    PutOne(n, --at);
  const size_t size = static_cast<size_t>(digits + sizeof digits - at);
  std::memcpy(out, at, size);
  return out + size;
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

constexpr size_t kMaxValueText = 32;

// Writes a positive value below 10^10 with so many digits behind the point; nullptr if it has others.
template <int kDigits>
char* PutWithDigits(double magnitude, char* out) {
  constexpr uint64_t kPower = kDigits == 1 ? 10 : kDigits == 2 ? 100 : kDigits == 3 ? 1000 : 10'000;
  const int64_t k = static_cast<int64_t>(magnitude * static_cast<double>(kPower) + 0.5);
  if (static_cast<double>(k) / static_cast<double>(kPower) != magnitude) return nullptr;
  const uint64_t whole = static_cast<uint64_t>(k) / kPower, rest = static_cast<uint64_t>(k) % kPower;
  out = PutInteger(whole, out);
  *out++ = '.';
  if constexpr (kDigits == 1) return PutOne(rest, out);
  if constexpr (kDigits == 2) return PutTwo(rest, out);
  if constexpr (kDigits == 3) return PutTwo(rest % 100, PutOne(rest / 100, out));
  return PutTwo(rest % 100, PutTwo(rest / 100, out));
}

// Writes a positive value with a few digits behind the point, as most gauges have; nullptr if it is none. A
// decimal of at most 15 digits that is the value is its shortest text.
char* PutDecimal(double magnitude, char* out) {
  const double all = magnitude * 1e4;
  if (magnitude >= 1e10 || std::fabs(all - std::floor(all + 0.5)) > all * 0x1p-51) return nullptr;
  if (char* end = PutWithDigits<1>(magnitude, out)) return end;
  if (char* end = PutWithDigits<2>(magnitude, out)) return end;
  if (char* end = PutWithDigits<3>(magnitude, out)) return end;
  return PutWithDigits<4>(magnitude, out);
}

// Writes a value without quotes to at least kMaxValueText bytes; nullptr if it is none of those that are
// written without an exponent.
char* PutValue(double value, char* out) {
  const double magnitude = std::fabs(value);
  // Whole numbers, mostly counters: cheaper as integers.
  if (magnitude < 1e15 && value == std::floor(value) && (value != 0 || !std::signbit(value))) {
    if (value < 0) *out++ = '-';
    return PutInteger(static_cast<uint64_t>(static_cast<int64_t>(magnitude)), out);
  }
  if (!(magnitude >= 1e-6 && magnitude < 1e15)) return nullptr;
  if (value < 0) *out++ = '-';
  if (char* end = PutDecimal(magnitude, out); end != nullptr) return end;
  const std::to_chars_result result =
      std::to_chars(out, out + kMaxValueText - 1, magnitude, std::chars_format::fixed);
  return result.ec == std::errc() ? result.ptr : nullptr;
}

}  // namespace

char* PointText::PutTimestamp(int64_t ms, char* out) {
  constexpr int64_t kTail = 10'000;
  const uint64_t magnitude = ms < 0 ? uint64_t{0} - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  if (ms < 0) *out++ = '-';
  const int64_t seconds = static_cast<int64_t>(magnitude / 1000);
  if (seconds < kTail) {
    out = PutInteger(static_cast<uint64_t>(seconds), out);
  } else {
    if (const int64_t head = seconds / kTail; head != head_) {
      head_ = head;
      head_size_ = static_cast<size_t>(PutInteger(static_cast<uint64_t>(head), head_text_) - head_text_);
    }
    const uint64_t tail = static_cast<uint64_t>(seconds % kTail);
    std::memcpy(out, head_text_, kHeadBytes);
    out = PutTwo(tail % 100, PutTwo(tail / 100, out + head_size_));
  }
  if (const uint64_t fraction = magnitude % 1000; fraction != 0) {
    *out++ = '.';
    out = PutTwo(fraction % 100, PutOne(fraction / 100, out));
  }
  return out;
}

char* PointText::Put(const FloatPoint& point, char* out) {
  *out++ = '[';
  out = PutTimestamp(point.t, out);
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
