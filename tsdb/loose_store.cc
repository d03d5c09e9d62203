#include "tsdb/loose_store.h"

#include <algorithm>

#include "tsdb/format/histogram_chunk.h"
#include "tsdb/format/nx_chunk.h"

namespace narthex::tsdb {
namespace {
enum Flags : uint8_t { kHistogram = 1, kStart = 2, kSameStep = 4 };
constexpr uint32_t kMarkEvery = 32;

size_t HeapOf(const HistogramPtr& h) {
  if (h == nullptr) return 0;
  return HeapBytes(sizeof(FloatHistogram) + 16) + VectorBytes(h->positive_spans) +
         VectorBytes(h->negative_spans) + VectorBytes(h->positive_buckets) +
         VectorBytes(h->negative_buckets) + VectorBytes(h->custom_values);
}
}  // namespace

void LooseStore::SetLast(LooseColumn* column, const Sample& sample) {
  heap_ -= HeapOf(column->last.h);
  column->last = sample;
  heap_ += HeapOf(column->last.h);
}

void LooseStore::Forget(SeriesId id) {
  const auto it = columns_.find(id);
  if (it == columns_.end()) return;
  heap_ -= HeapBytes(it->second.bytes) + HeapOf(it->second.last.h);
  columns_.erase(it);
}

void LooseStore::Add(const Sample& s, LooseColumn* column) {
  LooseColumn& c = *column;
  const size_t before = c.bytes.size();
  heap_ -= HeapBytes(c.bytes);
  const int64_t delta = WrapSub(s.t, c.coder_t);
  const bool same_step = c.count > 0 && delta == c.coder_delta;
  if (c.count > 0 && c.count % kMarkEvery == 0) {
    c.marks[0] = c.marks[1];
    c.marks[1] = {static_cast<uint32_t>(before), c.count, c.coder_t, c.coder_delta, c.coder_v};
  }
  c.plain = c.plain && !s.h && s.start_t == 0 && (c.count == 0 || delta > 0);
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
  heap_ += HeapBytes(c.bytes);
  if (s.t >= c.last.t) SetLast(&c, s);
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
                            std::vector<double>* values, int64_t mint) const {
  times->clear();
  values->clear();
  const auto it = columns_.find(id);
  return it == columns_.end() || ReadFloats(it->second, limit, times, values, mint);
}

bool LooseStore::ReadFloats(const LooseColumn& c, uint32_t limit, std::vector<int64_t>* times,
                            std::vector<double>* values, int64_t mint) {
  times->clear();
  values->clear();
  if (!c.plain) return false;
  const uint32_t count = std::min(limit, c.count);
  // The newest mark with all wanted samples behind it.
  LooseColumn::Mark from;
  for (const LooseColumn::Mark& mark : c.marks) {
    if (mark.count > 0 && mark.count <= count && mark.t < mint) from = mark;
  }
  if (from.count == 0) from.t = 0;
  times->resize(count - from.count);
  values->resize(count - from.count);
  ByteReader in(std::string_view(c.bytes).substr(from.offset));
  ValueDeltas deltas(from.v);
  for (size_t i = 0; i < times->size(); ++i) {
    const uint8_t flags = in.Byte();
    if ((flags & kSameStep) == 0) from.delta = in.SignedVarint();
    (*times)[i] = from.t = WrapAdd(from.t, from.delta);
    (*values)[i] = deltas.Read(&in);
  }
  return true;
}

const LooseColumn* LooseStore::Find(SeriesId id) const {
  const auto it = columns_.find(id);
  return it == columns_.end() ? nullptr : &it->second;
}

void LooseStore::InheritLast(const LooseStore& other, int64_t since) {
  for (const auto& [id, c] : other.columns_) {
    if (c.last.t >= since) SetLast(&columns_[id], c.last);
  }
}

void LooseStore::NoteLast(SeriesId id, const Sample& sample) {
  LooseColumn& c = columns_[id];
  if (sample.t > c.last.t) SetLast(&c, sample);
}

}  // namespace narthex::tsdb
