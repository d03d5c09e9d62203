#include "tsdb/format/bytes.h"

#include <algorithm>

namespace narthex::tsdb {

void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}
void PutBig32(std::string* out, uint32_t v) {
  for (int i = 3; i >= 0; --i) out->push_back(static_cast<char>(v >> (8 * i)));
}
void PutBig64(std::string* out, uint64_t v) {
  for (int i = 7; i >= 0; --i) out->push_back(static_cast<char>(v >> (8 * i)));
}

uint32_t GetBig32(const char* p) { return __builtin_bswap32(GetFixed32(p)); }
uint64_t GetBig64(const char* p) { return __builtin_bswap64(GetFixed64(p)); }

uint64_t ByteReader::LongVarint() {
  uint64_t v = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (p_ == end_) break;
    const uint8_t b = static_cast<uint8_t>(*p_++);
    v |= static_cast<uint64_t>(b & 127) << shift;
    if (b < 128) return v;
  }
  Fail();
  return 0;
}

uint64_t ByteReader::Fixed64() {
  const std::string_view b = Take(8);
  return b.size() == 8 ? GetFixed64(b.data()) : 0;
}

std::string_view ByteReader::Take(size_t n) {
  if (n > left()) {
    Fail();
    return {};
  }
  const std::string_view out(p_, n);
  p_ += n;
  return out;
}

size_t ByteReader::Count(size_t max) {
  const uint64_t n = Varint();
  if (n > max) {
    Fail();
    return 0;
  }
  return n;
}

void Bits::AppendTo(std::string* out) const {
  const size_t at = out->size(), bytes = (size_ + 7) / 8;
  for (uint64_t word : words_) PutFixed64(out, word);
  out->resize(at + bytes);
}

Bits Bits::Read(ByteReader* in, size_t n) {
  const std::string_view bytes = in->Take((n + 7) / 8);
  Bits out;
  if (!in->ok()) return out;
  out.size_ = n;
  out.words_.assign((n + 63) / 64, 0);
  if (n > 0) std::memcpy(out.words_.data(), bytes.data(), bytes.size());
  for (uint64_t& word : out.words_) word = LittleEndian(word);
  out.TrimTail();
  return out;
}

void PutAscending(std::string* out, const std::vector<uint32_t>& values) {
  PutVarint(out, values.size());
  uint64_t next = 0;
  for (uint32_t v : values) {
    PutVarint(out, v - next);
    next = uint64_t{v} + 1;
  }
}

bool ReadAscending(ByteReader* in, uint64_t limit, std::vector<uint32_t>* out) {
  const size_t n = in->Count(in->left());
  uint64_t next = 0;
  out->clear();
  out->reserve(n);
  for (size_t i = 0; i < n && in->ok(); ++i) {
    const uint64_t gap = in->Varint();
    if (gap >= limit || next + gap >= limit) {
      in->Fail();
      return false;
    }
    out->push_back(static_cast<uint32_t>(next + gap));
    next += gap + 1;
  }
  return in->ok();
}

}  // namespace narthex::tsdb
