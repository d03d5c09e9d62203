#include "tsdb/manifest.h"

#include "tsdb/format/crc.h"

namespace narthex::tsdb {

std::string Manifest::Encode() const {
  std::string out;
  PutVarint(&out, sealed_sequence);
  PutZigZag(&out, last_t);
  PutVarint(&out, tracked.size());
  tracked.AppendTo(&out);
  return out;
}

bool Manifest::Decode(std::string_view bytes) {
  ByteReader in(bytes);
  sealed_sequence = in.Varint();
  last_t = in.SignedVarint();
  const size_t n = in.Count(in.left() * 8);
  if (in.ok()) tracked = Bits::Read(&in, n);
  return in.ok();
}

std::string EncodeIntervals(const std::vector<Interval>& intervals) {
  std::string out;
  for (const Interval& i : intervals) {
    PutFixed64(&out, static_cast<uint64_t>(i.first));
    PutFixed64(&out, static_cast<uint64_t>(i.second));
  }
  return out;
}

std::vector<Interval> DecodeIntervals(std::string_view bytes) {
  ByteReader in(bytes);
  std::vector<Interval> out;
  while (in.left() >= 16) {
    const int64_t first = static_cast<int64_t>(in.Fixed64());
    out.emplace_back(first, static_cast<int64_t>(in.Fixed64()));
  }
  return out;
}

std::string EncodeSeriesSet(const Roaring& series) {
  Roaring packed = series;
  packed.runOptimize();
  std::string out(packed.getSizeInBytes(), '\0');
  packed.write(out.data());
  PutFixed32(&out, Crc32c(0, out));
  return out;
}

bool DecodeSeriesSet(std::string_view bytes, Roaring* series) {
  if (bytes.size() < 4) return false;
  const std::string_view body = bytes.substr(0, bytes.size() - 4);
  if (GetFixed32(bytes.data() + body.size()) != Crc32c(0, body)) return false;
  roaring_bitmap_t* const bitmap = roaring_bitmap_portable_deserialize_safe(body.data(), body.size());
  if (bitmap == nullptr) return false;
  *series = Roaring(bitmap);
  return true;
}

}  // namespace narthex::tsdb
