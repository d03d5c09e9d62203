// NX: values of one series, exact bit for bit. double -> decimal integer (or ordered bits) -> /gcd -> deltas
// -> blocks. docs/storage-format.md has the bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tsdb/format/bytes.h"

namespace narthex::tsdb {

inline constexpr int kMaxExponent = 15;

// The number of values is not stored: the caller knows it.
void PutNxChunk(std::string* out, const double* values, size_t n);
// The same of integers / 10^exponent, where no smaller exponent is exact for all and all are below 2^50.
void PutNxDecimals(std::string* out, int exponent, const int64_t* integers, size_t n);
// False (and the reader failed) if the bytes are malformed.
bool ReadNxChunk(ByteReader* in, double* values, size_t n);
// The values at the places [begin, end) only, end <= n; what is behind them is not looked at.
bool ReadNxChunkRange(ByteReader* in, size_t n, size_t begin, size_t end, double* values);
// The values at the places at[0], at[1] .. (ascending, below n) of a chunk of n; what is behind the last of
// them is not looked at.
bool ReadNxChunkAt(ByteReader* in, size_t n, std::span<const uint32_t> at, double* values);

// True if value == mantissa / 10^exponent bit for bit with |mantissa| < 2^53.
bool ExactDecimal(double value, int exponent, int64_t* mantissa);
// Integers as they are, any other double as its bits in numeric order.
int64_t OrderedBits(double v);
double FromOrderedBits(int64_t bits);
double FromDecimal(int64_t mantissa, int exponent);

// One value against the one before it (journal rounds and head columns). *previous becomes the value.
void PutValueDelta(std::string* out, double previous, double value);
// The same at `out`, where there is room for so many bytes; returns what is behind it.
inline constexpr size_t kLongestValueDelta = 11;
char* WriteValueDelta(char* out, double previous, double value);
double ReadValueDelta(ByteReader* in, double previous);

// A run of such deltas from 0 on, read faster: the integer behind the last value is at hand.
class ValueDeltas {
 public:
  explicit ValueDeltas(double previous = 0) : value_(previous) {}
  double Read(ByteReader* in);

 private:
  double value_;
  int exponent_ = -1;  // -1: unknown
  int64_t mantissa_ = 0;
};

}  // namespace narthex::tsdb
