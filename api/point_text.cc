#include "api/point_text.h"

#include <cstring>
#include <string>

#include "api/encode.h"
#include "base/decimal_text.h"

namespace narthex::api {
namespace {

// Behind the seconds.
char* PutThousandths(uint32_t thousandths, char* out) {
  if (thousandths == 0) return out;
  PutFourDigits(thousandths, out);
  *out = '.';
  return out + 4;
}

}  // namespace

// The seconds but for their last four digits, and what of them is the same for 10^4 seconds.
void PointText::SetHead(int64_t ms) {
  head_ms_ = ms - ms % kHeadMs;
  char text[kDecimalRoom];
  head_size_ = static_cast<size_t>(PutInteger(static_cast<uint64_t>(ms / kHeadMs), text) - text);
  std::memcpy(head_text_, text, kHeadBytes);
}

char* PointText::PutTimestamp(int64_t ms, char* out) {
  if (ms < kHeadMs) {
    const uint64_t magnitude = ms < 0 ? uint64_t{0} - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
    if (ms < 0) *out++ = '-';
    return PutThousandths(static_cast<uint32_t>(magnitude % 1000), PutInteger(magnitude / 1000, out));
  }
  if (!InHead(ms)) SetHead(ms);
  return PutBehindHead(ms, out);
}

// Of a time that InHead.
inline char* PointText::PutBehindHead(int64_t ms, char* out) const {
  const uint32_t behind = static_cast<uint32_t>(ms - head_ms_), seconds = behind / 1000;
  std::memcpy(out, head_text_, kHeadBytes);
  return PutThousandths(behind - seconds * 1000, PutFourDigits(seconds, out + head_size_));
}

char* PointText::Put(const FloatPoint& point, char* out) {
  *out++ = '[';
  out = InHead(point.t) ? PutBehindHead(point.t, out) : PutTimestamp(point.t, out);
  *out++ = ',';
  *out++ = '"';
  if (char* end = PutFloat(point.v, out); end != nullptr) {
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
