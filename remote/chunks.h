// Prometheus's chunk encodings, written: what a streamed remote read sends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/histogram.h"

namespace narthex::remote {

// Bits, the highest first.
class BitWriter {
 public:
  void Bit(bool bit);
  void Bits(uint64_t value, int count);  // the low `count` bits
  void Byte(uint8_t value) { Bits(value, 8); }
  void Varint(int64_t value);     // as Go's binary.PutVarint, byte by byte
  void Uvarint(uint64_t value);   // as Go's binary.PutUvarint
  void VarbitInt(int64_t value);  // the bit-wise code of histogram chunks
  void VarbitUint(uint64_t value);
  const std::string& bytes() const { return bytes_; }
  void SetByte(size_t at, uint8_t value) { bytes_[at] = static_cast<char>(value); }

 private:
  std::string bytes_;
  int free_ = 0;  // unused bits of the last byte
};

// One value against the one before.
struct XorState {
  double value = 0;
  int leading = 0xff, trailing = 0;
  void Write(double next, BitWriter* out);
};

// Up to 65535 floats. Times ascend.
class XorChunkWriter {
 public:
  XorChunkWriter() { bits_.Bits(0, 16); }
  void Append(int64_t t, double v);
  int count() const { return count_; }
  std::string Finish();  // the chunk's bytes

 private:
  BitWriter bits_;
  int count_ = 0;
  int64_t t_ = 0, delta_ = 0;
  XorState state_;
};

// Float histograms of one layout.
class HistogramChunkWriter {
 public:
  HistogramChunkWriter() { bits_.Bits(0, 24); }
  // False: the histogram has another layout (or is a stale marker) and needs a new chunk. An empty one takes
  // all.
  bool Append(int64_t t, const FloatHistogram& h);
  int count() const { return count_; }
  std::string Finish();

 private:
  void Layout(const FloatHistogram& h);
  bool SameLayout(const FloatHistogram& h) const;
  BitWriter bits_;
  int count_ = 0;
  int64_t t_ = 0, delta_ = 0;
  FloatHistogram first_;
  XorState observations_, zero_, sum_;
  std::vector<XorState> positive_, negative_;
};

}  // namespace narthex::remote
