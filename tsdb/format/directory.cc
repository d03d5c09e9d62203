#include "tsdb/format/directory.h"

#include "tsdb/format/bytes.h"
#include "tsdb/format/crc.h"

namespace narthex::tsdb {
namespace {
constexpr uint8_t kDirectoryVersion = 2;  // a stripe begins with 1: neither passes for the other
}

std::string EncodeDirectory(const std::vector<std::vector<uint32_t>>& stripes) {
  std::string out(1, static_cast<char>(kDirectoryVersion));
  PutVarint(&out, stripes.size());
  for (const std::vector<uint32_t>& stripe : stripes) {
    PutVarint(&out, stripe.size());
    int64_t previous = 0;
    for (uint32_t id : stripe) {
      PutZigZag(&out, static_cast<int64_t>(id) - previous);
      previous = id;
    }
  }
  PutFixed32(&out, Crc32c(0, out));
  return out;
}

bool DecodeDirectory(std::string_view bytes, std::vector<std::vector<uint32_t>>* stripes) {
  stripes->clear();
  if (bytes.size() < 5) return false;
  const std::string_view body = bytes.substr(0, bytes.size() - 4);
  if (GetFixed32(bytes.data() + body.size()) != Crc32c(0, body)) return false;
  ByteReader in(body);
  if (in.Byte() != kDirectoryVersion) return false;
  stripes->resize(in.Count(in.left()));
  for (std::vector<uint32_t>& stripe : *stripes) {
    stripe.resize(in.Count(in.left()));
    int64_t id = 0;
    for (uint32_t& series : stripe) {
      id = WrapAdd(id, in.SignedVarint());
      series = static_cast<uint32_t>(id);
    }
    if (!in.ok()) return false;
  }
  return in.ok() && in.done();
}

}  // namespace narthex::tsdb
