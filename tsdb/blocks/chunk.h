// Prometheus's chunks: reading every encoding, writing XOR, histogram and float histogram.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "model/histogram.h"
#include "model/sample.h"

namespace narthex::tsdb::blocks {

enum class Encoding : uint8_t {
  kXor = 1,
  kHistogram = 2,
  kFloatHistogram = 3,
  kXor2 = 4,
  kHistogramSt = 5,
  kFloatHistogramSt = 6
};  // on disk

// Samples of one series, floats apart from histograms; each list ascends.
struct Samples {
  std::vector<int64_t> t;
  std::vector<double> v;
  std::vector<int64_t> start_t;  // of the floats: empty, or as t
  std::vector<HistogramPoint> h;
  std::vector<int64_t> h_start_t;  // of the histograms: empty, or as h
  size_t size() const { return t.size() + h.size(); }
  void Clear() {
    t.clear();
    v.clear();
    start_t.clear();
    h.clear();
    h_start_t.clear();
  }
};

// Appends what the chunk holds (`data` without length, encoding byte and checksum). DataLoss if it is
// malformed; what was read until then stays appended.
absl::Status DecodeChunk(uint8_t encoding, std::string_view data, Samples* out);

// The number of samples that the header promises; 0 if there is no whole header.
uint32_t ChunkSampleCount(uint8_t encoding, std::string_view data);

struct EncodedChunk {
  Encoding encoding = Encoding::kXor;
  int64_t mint = 0, maxt = 0;
  uint32_t samples = 0;
  std::string data;
};
inline constexpr size_t kSamplesPerChunk = 120;

// Cuts samples into chunks as Prometheus does, in order of time; start timestamps are left out (XOR has
// none). A histogram whose counts are all whole becomes an integer histogram.
std::vector<EncodedChunk> EncodeChunks(const Samples& samples);

}  // namespace narthex::tsdb::blocks
