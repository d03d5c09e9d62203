#include "tsdb/format/int_blocks.h"

#include <algorithm>

namespace narthex::tsdb {
namespace {

constexpr size_t kBlock = 32;
constexpr uint8_t kMasked = 0x80;

size_t PackedBytes(size_t n, int width) { return (n * width + 7) / 8; }

// Lowest bit first.
void Pack(std::string* out, const uint64_t* codes, size_t n, int width) {
  unsigned __int128 acc = 0;
  int filled = 0;
  for (size_t i = 0; i < n; ++i) {
    acc |= static_cast<unsigned __int128>(codes[i]) << filled;
    filled += width;
    for (; filled >= 8; filled -= 8, acc >>= 8) out->push_back(static_cast<char>(acc));
  }
  if (filled > 0) out->push_back(static_cast<char>(acc));
}

bool Unpack(ByteReader* in, uint64_t* codes, size_t n, int width) {
  if (width == 0) {
    std::fill(codes, codes + n, 0);
    return in->ok();
  }
  const std::string_view bytes = in->Take(PackedBytes(n, width));
  if (!in->ok()) return false;
  // A padded copy lets every code be read with whole-word loads.
  char buffer[kBlock * 8 + 16] = {};
  std::memcpy(buffer, bytes.data(), bytes.size());
  const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
  size_t bit = 0;
  for (size_t i = 0; i < n; ++i, bit += width) {
    uint64_t word;
    std::memcpy(&word, buffer + bit / 8, 8);
    const int shift = bit & 7;
    word >>= shift;
    if (shift + width > 64) {
      word |= static_cast<uint64_t>(static_cast<uint8_t>(buffer[bit / 8 + 8])) << (64 - shift);
    }
    codes[i] = word & mask;
  }
  return true;
}

void PutBlock(std::string* out, const uint64_t* codes, size_t n) {
  uint64_t all = 0;
  uint32_t mask = 0;
  uint64_t changed[kBlock];
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    all |= codes[i];
    if (codes[i] == 0) continue;
    mask |= uint32_t{1} << i;
    changed[count++] = codes[i];
  }
  const int width = BitWidth(all);
  if (4 + PackedBytes(count, width) < PackedBytes(n, width)) {
    out->push_back(static_cast<char>(kMasked | width));
    PutFixed32(out, mask);
    Pack(out, changed, count, width);
  } else {
    out->push_back(static_cast<char>(width));
    if (width > 0) Pack(out, codes, n, width);
  }
}

bool ReadBlock(ByteReader* in, uint64_t* codes, size_t n) {
  const uint8_t head = in->Byte();
  const int width = head & 0x7f;
  if (width > 64) in->Fail();
  if (!in->ok()) return false;
  if ((head & kMasked) == 0) return Unpack(in, codes, n, width);
  const std::string_view mask_bytes = in->Take(4);
  if (!in->ok()) return false;
  uint32_t mask = GetFixed32(mask_bytes.data());
  if (n < 32 && (mask >> n) != 0) {
    in->Fail();
    return false;
  }
  uint64_t changed[kBlock];
  if (!Unpack(in, changed, std::popcount(mask), width)) return false;
  std::fill(codes, codes + n, 0);
  for (size_t i = 0; mask != 0; ++i, mask &= mask - 1) codes[std::countr_zero(mask)] = changed[i];
  return true;
}

}  // namespace

void PutBlocks(std::string* out, const uint64_t* codes, size_t n) {
  for (size_t i = 0; i < n; i += kBlock) PutBlock(out, codes + i, std::min(kBlock, n - i));
}

bool ReadBlocks(ByteReader* in, uint64_t* codes, size_t n) {
  for (size_t i = 0; i < n; i += kBlock) {
    if (!ReadBlock(in, codes + i, std::min(kBlock, n - i))) return false;
  }
  return in->ok();
}

}  // namespace narthex::tsdb
