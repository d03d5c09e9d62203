#include "tsdb/format/bytes.h"

#include <algorithm>

namespace narthex::tsdb {

void PutVarint(std::string* out, uint64_t v) {
  while (v >= 128) {
    out->push_back(static_cast<char>(v | 128));
    v >>= 7;
  }
  out->push_back(static_cast<char>(v));
}

void PutFixed32(std::string* out, uint32_t v) {
  for (int i = 0; i < 4; ++i) out->push_back(static_cast<char>(v >> (8 * i)));
}
void PutFixed64(std::string* out, uint64_t v) {
  for (int i = 0; i < 8; ++i) out->push_back(static_cast<char>(v >> (8 * i)));
}
void PutDouble(std::string* out, double v) { PutFixed64(out, std::bit_cast<uint64_t>(v)); }
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

namespace {
uint64_t Gather(const char* p, int n, bool big) {
  uint64_t v = 0;
  for (int i = 0; i < n; ++i) {
    const int shift = 8 * (big ? n - 1 - i : i);
    v |= static_cast<uint64_t>(static_cast<uint8_t>(p[i])) << shift;
  }
  return v;
}
}  // namespace

uint32_t GetFixed32(const char* p) { return static_cast<uint32_t>(Gather(p, 4, false)); }
uint64_t GetFixed64(const char* p) { return Gather(p, 8, false); }
uint32_t GetBig32(const char* p) { return static_cast<uint32_t>(Gather(p, 4, true)); }
uint64_t GetBig64(const char* p) { return Gather(p, 8, true); }

uint64_t ByteReader::Varint() {
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
  for (size_t i = 0; i < (size_ + 7) / 8; ++i)
    out->push_back(static_cast<char>(words_[i / 8] >> (8 * (i % 8))));
}

Bits Bits::Read(ByteReader* in, size_t n) {
  const std::string_view bytes = in->Take((n + 7) / 8);
  Bits out;
  if (!in->ok()) return out;
  out.size_ = n;
  out.words_.assign((n + 63) / 64, 0);
  for (size_t i = 0; i < bytes.size(); ++i) {
    out.words_[i / 8] |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * (i % 8));
  }
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
