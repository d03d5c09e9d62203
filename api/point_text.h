// Points as text: most of what large answers are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/sample.h"

namespace narthex::api {

// Writes points one after the other: [1435781430.700,"1.5"]. Steps follow each other, so that most digits of
// a time are those of the one before. Not thread-safe.
class PointText {
 public:
  // No point is longer.
  static constexpr size_t kMostBytes = 96;

  // Returns the end of the text.
  char* Put(const FloatPoint& point, char* out);
  // Seconds; a fraction has always three digits.
  char* PutTimestamp(int64_t ms, char* out);

 private:
  static constexpr size_t kHeadBytes = 16;
  static constexpr int64_t kHeadMs = 10'000'000;
  void SetHead(int64_t ms);
  bool InHead(int64_t ms) const {
    return static_cast<uint64_t>(ms) - static_cast<uint64_t>(head_ms_) < static_cast<uint64_t>(kHeadMs);
  }
  char* PutBehindHead(int64_t ms, char* out) const;
  int64_t head_ms_ = kHeadMs;  // the time without its last four digits of seconds, and its text
  size_t head_size_ = 1;
  char head_text_[kHeadBytes] = {'1'};
};

}  // namespace narthex::api
