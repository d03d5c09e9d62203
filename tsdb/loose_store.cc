#include "tsdb/loose_store.h"

#include <algorithm>

#include "tsdb/format/histogram_chunk.h"
#include "tsdb/format/nx_chunk.h"

namespace narthex::tsdb {
namespace {
enum Flags : uint8_t { kHistogram = 1, kStart = 2, kSameStep = 4 };
}

void LooseStore::Add(const Sample& s, LooseColumn* column) {
  LooseColumn& c = *column;
  const size_t before = c.bytes.size();
  const int64_t delta = WrapSub(s.t, c.coder_t);
  const bool same_step = c.count > 0 && delta == c.coder_delta;
  c.bytes.push_back(static_cast<char>((s.h ? kHistogram : 0) | (s.start_t != 0 ? kStart : 0) |
                                      (same_step ? kSameStep : 0)));
  if (!same_step) PutZigZag(&c.bytes, delta);
  if (s.start_t != 0) PutZigZag(&c.bytes, WrapSub(s.start_t, s.t));
  if (s.h) {
    PutHistogram(&c.bytes, *s.h);
  } else {
    PutValueDelta(&c.bytes, c.coder_v, s.v);
    c.coder_v = s.v;
  }
  c.coder_t = s.t;
  c.coder_delta = delta;
  ++c.count;
  ++samples_;
  if (s.t >= c.last.t) c.last = s;
  min_t_ = std::min(min_t_, s.t);
  max_t_ = std::max(max_t_, s.t);
  bytes_ += c.bytes.size() - before;
}

void LooseStore::Read(SeriesId id, uint32_t limit, std::vector<Sample>* out) const {
  const auto it = columns_.find(id);
  if (it == columns_.end()) return;
  ByteReader in(it->second.bytes);
  int64_t t = 0, delta = 0;
  double v = 0;
  const uint32_t count = std::min(limit, it->second.count);
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    const uint8_t flags = in.Byte();
    Sample s;
    if ((flags & kSameStep) == 0) delta = in.SignedVarint();
    s.t = t = WrapAdd(t, delta);
    if ((flags & kStart) != 0) s.start_t = WrapAdd(t, in.SignedVarint());
    if ((flags & kHistogram) != 0)
      s.h = ReadHistogram(&in);
    else
      s.v = v = ReadValueDelta(&in, v);
    if (in.ok()) out->push_back(std::move(s));
  }
}

bool LooseStore::ReadFloats(SeriesId id, uint32_t limit, std::vector<int64_t>* times,
                            std::vector<double>* values) const {
  times->clear();
  values->clear();
  const auto it = columns_.find(id);
  if (it == columns_.end()) return true;
  const uint32_t count = std::min(limit, it->second.count);
  times->resize(count);
  values->resize(count);
  ByteReader in(it->second.bytes);
  int64_t t = 0, delta = 0;
  ValueDeltas deltas;
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t flags = in.Byte();
    if ((flags & kSameStep) == 0) delta = in.SignedVarint();
    t = WrapAdd(t, delta);
    const bool plain = (flags & ~kSameStep) == 0 && (i == 0 || delta > 0);
    if (plain) (*values)[i] = deltas.Read(&in);
    if (!plain || !in.ok()) {
      times->clear();
      values->clear();
      return false;
    }
    (*times)[i] = t;
  }
  return true;
}

const LooseColumn* LooseStore::Find(SeriesId id) const {
  const auto it = columns_.find(id);
  return it == columns_.end() ? nullptr : &it->second;
}

void LooseStore::InheritLast(const LooseStore& other, int64_t since) {
  for (const auto& [id, c] : other.columns_) {
    if (c.last.t >= since) columns_[id].last = c.last;
  }
}

void LooseStore::NoteLast(SeriesId id, const Sample& sample) {
  LooseColumn& c = columns_[id];
  if (sample.t > c.last.t) c.last = sample;
}

}  // namespace narthex::tsdb
