// What the store notes about seals: per group how far it is sealed and the state that the next round goes on
// from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <roaring/roaring.hh>

#include "tsdb/format/bytes.h"
#include "tsdb/read_view.h"

namespace narthex::tsdb {

struct Manifest {
  uint64_t sealed_sequence = 0;
  int64_t last_t = INT64_MIN;
  Bits tracked;
  std::string Encode() const;
  bool Decode(std::string_view bytes);
};

std::string EncodeIntervals(const std::vector<Interval>& intervals);
std::vector<Interval> DecodeIntervals(std::string_view bytes);
std::string EncodeSeriesSet(const Roaring& series);  // with a checksum
bool DecodeSeriesSet(std::string_view bytes, Roaring* series);

}  // namespace narthex::tsdb
